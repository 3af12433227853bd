//! Deliveries: one event owed to one endpoint, from the moment it is stored until its end.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use eventbus::{Timestamp, TraceContext};

use super::endpoint::EndpointId;
use super::schedule::Schedule;
use super::secret::{Sealed, Secret};
use super::url::EndpointUrl;

/// Where the store keeps an endpoint: a number that is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointKey(pub i64);

/// Which delivery: an endpoint's deliveries are numbered from 1 without gaps, in the order their events were stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryKey {
    /// The endpoint it is owed to.
    pub endpoint: EndpointKey,
    /// Its number: `webhook-sequence` on the wire.
    pub sequence: u64,
}

/// The right to send a delivery, for one attempt: whoever finishes it must still hold this lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease(pub i64);

/// How a delivery ended that did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ending {
    /// Its schedule was used up.
    Exhausted,
    /// It became too old.
    Expired,
    /// The endpoint asked not to be sent it again.
    Refused,
}

impl Ending {
    /// Every ending.
    pub const ALL: [Self; 3] = [Self::Exhausted, Self::Expired, Self::Refused];

    /// The word in answers and displays.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Expired => "expired",
            Self::Refused => "refused",
        }
    }
}

/// Where a delivery stands: one that is succeeded, failed or cancelled has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    /// It is sent when it is due.
    Pending,
    /// An attempt is under way.
    Leased,
    /// It waits for an earlier delivery of its key.
    Waiting,
    /// Delivered.
    Succeeded,
    /// Given up.
    Failed(Ending),
    /// Its endpoint was deleted.
    Cancelled,
    /// The bridge failed to send it, again and again: it waits for whoever mends that.
    Parked,
}

/// What became of an event that was handed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ingested {
    /// How many endpoints it is owed to.
    pub deliveries: u32,
    /// Whether an event with this mode, source and id was there already; then nothing was stored.
    pub duplicate: bool,
}

/// What became of deliveries whose requests are no more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// How many are due again, now or later.
    pub due: u32,
    /// How many were interrupted too often.
    pub parked: u32,
}

/// An endpoint with room for this many more requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The endpoint.
    pub endpoint: EndpointKey,
    /// The most deliveries to claim.
    pub most: u32,
    /// How many of its requests are under way.
    pub in_flight: u32,
}

/// What was claimed for an endpoint, and what it is owed next.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The endpoint.
    pub endpoint: EndpointKey,
    /// The deliveries, leased.
    pub deliveries: Vec<Leased>,
    /// When its next one is due, which may be in the past; `None` when none is pending or the endpoint is disabled.
    pub next_due: Option<Timestamp>,
    /// How many requests it may have under way at present.
    pub max_in_flight: u32,
    /// How many became too old before they were sent, and ended.
    pub expired: u32,
}

/// A delivery to be attempted now.
#[derive(Debug, Clone)]
pub struct Leased {
    /// Which one.
    pub key: DeliveryKey,
    /// The lease of this attempt.
    pub lease: Lease,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// How many attempts before it failed by a fault of the bridge: the schedule does not count those.
    pub faults: u32,
    /// How many attempts the schedule does not count beside those: made before it began again, or interrupted.
    pub earlier: u32,
    /// When it is too old: from then on it is not sent.
    pub expires_at: Timestamp,
    /// What is sent.
    pub payload: Arc<Payload>,
    /// When its event was stored.
    pub received_at: Timestamp,
    /// The trace of its event, whose parent is whoever published it.
    pub trace: Option<TraceContext>,
    /// Where and how.
    pub target: Arc<Target>,
}

/// The event of a delivery, as far as sending it needs: no part of it is parsed.
#[derive(Debug, Clone)]
pub struct Payload {
    /// The id of the event.
    pub event_id: String,
    /// The type of the event.
    pub event_type: String,
    /// The very bytes that were handed in.
    pub body: Bytes,
}

/// Where an endpoint's deliveries go and how, as of the claim.
#[derive(Debug, Clone)]
pub struct Target {
    /// The public id of the endpoint.
    pub endpoint: EndpointId,
    /// Where.
    pub url: EndpointUrl,
    /// How requests look and are signed.
    pub format: String,
    /// The secrets to sign with, the newest first.
    pub secrets: Vec<Sealed>,
    /// When failed deliveries are tried again.
    pub schedule: Schedule,
    /// How long a request may take.
    pub timeout: Duration,
    /// What the first request made of these, for the next ones.
    pub prepared: OnceLock<Prepared>,
}

/// What all requests to a target have in common.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The URL as requests need it.
    pub uri: http::Uri,
    /// The secrets in the clear, the newest first.
    pub secrets: Vec<Secret>,
}
