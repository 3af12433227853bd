//! The events that cases publish.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::event::{AnyEvent, EventKind, Key};

/// The object of most events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Payment {
    /// Whose payment it is: the order key.
    pub(super) account: String,
    /// Which of the account's payments it is.
    pub(super) number: u64,
    /// A decimal that must not become a float.
    pub(super) amount: String,
}

impl EventKind for Payment {
    const TYPE: &'static str = "conformance.payment.made";
    const SOURCE: &'static str = "conformance";
    const OBJECT_TYPE: &'static str = "Payment";
    type Object = Self;
    fn object_id(object: &Self) -> Cow<'_, str> {
        Cow::Borrowed(&object.account)
    }
}

/// Another type, for cases about addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) payment: String,
}

impl EventKind for Refund {
    const TYPE: &'static str = "conformance.refund.made";
    const SOURCE: &'static str = "conformance";
    const OBJECT_TYPE: &'static str = "Refund";
    type Object = Self;
    fn object_id(object: &Self) -> Cow<'_, str> {
        Cow::Borrowed(&object.payment)
    }
}

/// A body as it comes from outside: of this type and source, with this object.
pub(super) fn body(id: &str, (source, event_type): (&str, &str), object: &str) -> Bytes {
    Bytes::from(format!(
        r#"{{"id":"{id}","livemode":true,"type":"{event_type}","source":"{source}","api_version":"2023-09-05","data":{{"object":{object}}},"object_type":"Thing","object_id":"{id}","request":{{"id":"","idempotency_key":""}},"pending_webhooks":0,"metadata":{{}},"created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:05.678Z"}}"#
    ))
}

/// The order key of an event.
pub(super) fn key(event: &AnyEvent) -> Option<&str> {
    event.key().map(Key::as_str)
}

/// An event of any address.
pub(super) fn outside(id: &str, address: (&str, &str)) -> AnyEvent {
    AnyEvent::from_json(body(id, address, "{}")).expect("the body is a valid event")
}
