//! `TestBus`: what it records, when it is quiet, and how it breaks.

#![allow(clippy::unwrap_used, reason = "a test helper that fails is a test that fails")]

mod faults;
mod quiet;

use std::borrow::Cow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventbus::testing::TestBus;
use eventbus::{Context, Event, EventKind, HandlerResult, SubscriptionBuilder};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Shipped {
    parcel: String,
    leg: u32,
}

impl EventKind for Shipped {
    const TYPE: &'static str = "parcel.shipped";
    const SOURCE: &'static str = "shop";
    const OBJECT_TYPE: &'static str = "Parcel";
    type Object = Self;
    fn object_id(object: &Self) -> Cow<'_, str> {
        Cow::Borrowed(&object.parcel)
    }
}

#[derive(Serialize, Deserialize)]
struct Lost {
    parcel: String,
}

impl EventKind for Lost {
    const TYPE: &'static str = "parcel.lost";
    const SOURCE: &'static str = "shop";
    const OBJECT_TYPE: &'static str = "Parcel";
    type Object = Self;
    fn object_id(object: &Self) -> Cow<'_, str> {
        Cow::Borrowed(&object.parcel)
    }
}

fn shipped(parcel: &str, leg: u32) -> Shipped {
    Shipped { parcel: parcel.to_owned(), leg }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// What handlers saw: parcel, leg and attempt.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(String, u32, u32)>>>);

impl Log {
    fn add(&self, event: &Event<Shipped>, context: &Context) {
        let Shipped { parcel, leg } = event.object();
        self.0.lock().unwrap().push((parcel.clone(), *leg, context.attempt()));
    }

    fn seen(&self) -> Vec<(String, u32, u32)> {
        self.0.lock().unwrap().clone()
    }

    /// Legs and attempts.
    fn attempts(&self) -> Vec<(u32, u32)> {
        self.seen().into_iter().map(|(_, leg, attempt)| (leg, attempt)).collect()
    }
}

/// A subscription that logs, then does what `then` says.
fn logging(
    bus: &TestBus,
    group: &str,
    log: &Log,
    then: impl Fn(&Event<Shipped>, u32) -> HandlerResult + Send + Sync + 'static,
) -> SubscriptionBuilder {
    let log = log.clone();
    bus.subscribe(group).on(move |event: Event<Shipped>, context: Context| {
        log.add(&event, &context);
        std::future::ready(then(&event, context.attempt()))
    })
}
