//! Bad input: each gets one clear error that names the field and the rule, and nothing else is lost or stopped.

#![allow(clippy::unwrap_used, reason = "a test helper that fails is a test that fails")]

mod calls;
mod fuzz;
mod json;
mod names;

use std::fmt::Debug;

use eventbus::payment_kit::{Invoice, InvoicePaid};
use eventbus::testing::TestBus;
use eventbus::{AnyEvent, ErrorKind, Event, EventBuilder, HandlerResult, Result};

/// The fields of a good event, as text.
const GOOD: [(&str, &str); 5] = [
    ("id", r#""evt_1""#),
    ("type", r#""invoice.paid""#),
    ("livemode", "true"),
    ("data", r#"{"object":{"id":"in_1"}}"#),
    ("created_at", r#""2026-01-01T00:00:00.000Z""#),
];

fn object<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let fields: Vec<String> = fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", fields.join(","))
}

/// A good event with one field of its own.
fn with(name: &str, value: &str) -> String {
    object(GOOD.into_iter().filter(|(other, _)| *other != name).chain([(name, value)]))
}

fn without(name: &str) -> String {
    object(GOOD.into_iter().filter(|(other, _)| *other != name))
}

fn invoice(id: &str) -> EventBuilder<InvoicePaid> {
    InvoicePaid::new(Invoice { id: id.into(), ..Invoice::default() })
}

fn fine() -> impl Fn(AnyEvent) -> std::future::Ready<HandlerResult> + Send + Sync + 'static {
    |_| std::future::ready(Ok(()))
}

/// Checks that an error is of a kind, is short, and names the field and the rule.
#[track_caller]
fn says<T: Debug>(result: Result<T>, kind: ErrorKind, field: &str, rule: &str) {
    let error = result.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(field), "{text:?} does not name {field:?}");
    assert!(text.contains(rule), "{text:?} does not name {rule:?}");
    assert!(text.len() < 600, "{} bytes of error", text.len());
}

#[track_caller]
fn undecodable(body: impl AsRef<[u8]>, field: &str, rule: &str) {
    says(AnyEvent::try_from(body.as_ref()), ErrorKind::Undecodable, field, rule);
}

/// A bus whose one group counts what it handled; it must go on after whatever happened.
async fn goes_on(bus: &TestBus) {
    let before = bus.handled("witness").len();
    bus.publish(invoice("in_witness")).await.unwrap();
    bus.settled().await;
    assert_eq!(bus.handled("witness").len(), before + 1);
    assert!(bus.health().is_healthy());
}

async fn witnessed() -> TestBus {
    let bus = TestBus::new().await.unwrap();
    bus.subscribe("witness").on(|_: Event<InvoicePaid>| async { Ok(()) }).start().await.unwrap();
    bus
}
