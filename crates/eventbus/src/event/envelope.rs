//! What travels beside the body of an event, so that nothing parses a body to route it.

use super::id::EventId;
use super::name::{EventType, Key, Source};
use super::timestamp::Timestamp;
use super::trace::TraceContext;

/// The part of an event that routing and filters need.
///
/// Transports carry it as headers beside the JSON body and give it back unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The identity of the event.
    pub id: EventId,
    /// The dotted type.
    pub event_type: EventType,
    /// Whose catalogue the type belongs to.
    pub source: Source,
    /// When it happened.
    pub time: Timestamp,
    /// What must stay in order: the object's id unless another was set.
    pub key: Option<Key>,
    /// Whether it is about real money.
    pub livemode: bool,
    /// The trace it belongs to.
    pub trace: Option<TraceContext>,
}
