//! What is told of events, and how an endpoint gets those that it missed.

use bytes::Bytes;
use eventbus::Timestamp;

use super::delivery_log::Pace;
use super::endpoint::{EnabledEvents, EndpointId};

/// An event that is stored.
#[derive(Debug, Clone)]
pub struct StoredEvent {
    /// Its number, in the order they were stored.
    pub no: u64,
    /// Its id.
    pub id: String,
    /// Its source.
    pub source: String,
    /// Its type.
    pub event_type: String,
    /// What it is in order with: the object's id unless another was set.
    pub key: Option<String>,
    /// When it happened.
    pub occurred_at: Timestamp,
    /// When it was stored.
    pub received_at: Timestamp,
    /// From when on it is of no use.
    pub expires_at: Option<Timestamp>,
}

/// An event with the very bytes that were handed in; none once they were forgotten.
#[derive(Debug, Clone)]
pub struct EventBody {
    /// The event.
    pub event: StoredEvent,
    /// Its bytes.
    pub body: Option<Bytes>,
}

/// What was stored since somebody looked.
#[derive(Debug, Clone, Default)]
pub struct News {
    /// The newest of it, the oldest first.
    pub events: Vec<StoredEvent>,
    /// How many before those are left out, as far as they were counted.
    pub missed: u64,
    /// Whether there are more than were counted.
    pub more: bool,
    /// The number of the newest event: where to look from next.
    pub last: u64,
}

/// Which events of a mode are listed, the newest first.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Of which type.
    pub event_type: Option<String>,
    /// Of which source.
    pub source: Option<String>,
    /// Of which key.
    pub key: Option<String>,
    /// Stored at this time or later.
    pub since: Option<Timestamp>,
    /// Stored before this time.
    pub until: Option<Timestamp>,
    /// Before this number: the cursor of the page before.
    pub before: Option<u64>,
    /// How many at most.
    pub limit: u32,
}

impl EventFilter {
    /// Tells whether an event is one of those.
    pub fn matches(&self, event: &StoredEvent) -> bool {
        self.event_type.as_ref().is_none_or(|event_type| event.event_type == *event_type)
            && self.source.as_ref().is_none_or(|source| event.source == *source)
            && self.key.as_ref().is_none_or(|key| event.key.as_ref() == Some(key))
            && self.since.is_none_or(|since| event.received_at >= since)
            && self.until.is_none_or(|until| event.received_at < until)
    }
}

/// Which events an endpoint is given that it is not owed, because it wanted others when they came, or nothing.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The endpoint; what it wants now decides.
    pub endpoint: EndpointId,
    /// Of these types only.
    pub types: Option<EnabledEvents>,
    /// Stored at this time or later.
    pub since: Timestamp,
    /// Stored before this time.
    pub until: Timestamp,
    /// After this number: the `next` of the part before.
    pub after: Option<u64>,
    /// How many are looked at, the oldest first.
    pub most: u32,
    /// How far apart they are due.
    pub pace: Pace,
}

/// What came of a part of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replayed {
    /// How many deliveries were made, or would be.
    pub deliveries: u32,
    /// The last event that was looked at, where there may be more.
    pub next: Option<u64>,
}
