//! What is handed in over HTTP: some events, all of them or none.

use eventbus::{AnyEvent, Timestamp};

use super::delivery::Ingested;
use super::mode::Mode;

/// Events that are stored in one transaction.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The mode of all of them.
    pub mode: Mode,
    /// The events.
    pub events: Vec<AnyEvent>,
    /// From when on they are of no use: what was not delivered by then is never sent.
    pub expires_at: Option<Timestamp>,
    /// What makes publishing them repeatable.
    pub key: Option<IdempotencyKey>,
}

/// A key that makes publishing repeatable: what was published with it, and of which bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The key.
    pub key: String,
    /// The SHA-256 of the request's body, and of what was asked beside it.
    pub hash: [u8; 32],
    /// Until when it is remembered.
    pub expires_at: Timestamp,
}

/// What became of events that were handed in together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedEvents {
    /// Of each, in their order.
    pub events: Vec<Ingested>,
    /// Whether this was told before, to the same key: then nothing was stored.
    pub repeated: bool,
}
