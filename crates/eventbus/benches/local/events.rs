//! The events that are published: made beforehand, about 600 bytes each, shared by all contenders.

use std::sync::Arc;

use bytes::Bytes;
use eventbus::payment_kit::{self, CustomerSubscriptionRenewed, Subscription};
use eventbus::{AnyEvent, EventKind, EventType};

/// How many types the selective rows use.
pub(crate) const TYPES: usize = 32;
/// How many different keys the events have.
pub(crate) const KEYS: usize = 1_000;
/// How many events there are; publishers go round and round.
pub(crate) const POOL: usize = 4_096;

/// Renewed subscriptions.
pub(crate) fn renewed() -> Arc<[AnyEvent]> {
    (0..POOL).map(|number| read(body(number))).collect()
}

/// The same bodies with [`TYPES`] types in turn.
pub(crate) fn mixed() -> Arc<[AnyEvent]> {
    let typed = |number: usize| {
        let text = String::from_utf8(body(number).to_vec()).expect("JSON is UTF-8");
        let (own, other) = (CustomerSubscriptionRenewed::TYPE, event_type(number % TYPES));
        read(text.replacen(own, other.as_str(), 1).into())
    };
    (0..POOL).map(typed).collect()
}

/// One of the [`TYPES`] types.
pub(crate) fn event_type(number: usize) -> EventType {
    let every = payment_kit::CATALOGUE.len() / TYPES;
    EventType::new(payment_kit::CATALOGUE[number * every].event_type)
        .expect("the catalogue's types are legal")
}

/// The JSON form of an event, different for each number.
pub(crate) fn body(number: usize) -> Bytes {
    let event = CustomerSubscriptionRenewed::new(subscription(number % KEYS)).id(format!("evt_{number:024}"));
    let event = event.livemode(true).build().expect("id and key are legal");
    event.to_json().expect("subscriptions can be encoded")
}

fn read(body: Bytes) -> AnyEvent {
    assert!((550..=650).contains(&body.len()), "{} bytes: {body:?}", body.len());
    AnyEvent::from_json(body).expect("what was encoded can be decoded")
}

pub(crate) fn subscription(number: usize) -> Subscription {
    Subscription {
        id: format!("sub_{number:024}"),
        livemode: Some(true),
        currency_id: Some("pc_dLl7vpJcA3kV".to_owned()),
        customer_id: Some(format!("cus_{number:014}")),
        current_period_end: Some(1_735_689_600),
        latest_invoice_id: Some("in_7pQ2xVb0sKdJ".to_owned()),
        status: Some("active".into()),
        cancel_at_period_end: Some(false),
        ..Subscription::default()
    }
}
