//! What is told of deliveries and attempts: to read, not to act on.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use bytes::Bytes;
use eventbus::Timestamp;

use super::delivery::{DeliveryKey, DeliveryState, Ending, EndpointKey, Leased};
use super::endpoint::{EnabledEvents, EndpointId};
use super::event_log::StoredEvent;
use crate::error::{Error, ErrorKind};

/// The public id of a delivery: `dlv_`, the number of its endpoint and its own, which no other delivery ever has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeliveryId(pub DeliveryKey);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dlv_{}_{}", self.0.endpoint.0, self.0.sequence)
    }
}

impl FromStr for DeliveryId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let numbers = text.strip_prefix("dlv_").and_then(|text| text.split_once('_'));
        let key = numbers.and_then(|(endpoint, sequence)| {
            Some(DeliveryKey {
                endpoint: EndpointKey(endpoint.parse().ok()?),
                sequence: DeliveryKey::sequence(sequence)?,
            })
        });
        key.map(Self).ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such delivery"))
    }
}

impl DeliveryKey {
    /// A delivery's number as it travels. None is larger than what a store holds, which would fail on it.
    pub fn sequence(text: &str) -> Option<u64> {
        text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok())
    }
}

impl DeliveryState {
    /// Every state.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Leased,
        Self::Waiting,
        Self::Succeeded,
        Self::Failed(Ending::Exhausted),
        Self::Failed(Ending::Expired),
        Self::Failed(Ending::Refused),
        Self::Cancelled,
        Self::Parked,
    ];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Leased => "in_flight",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed(ending) => ending.as_str(),
            Self::Cancelled => "cancelled",
            Self::Parked => "parked",
        }
    }
}

impl FromStr for DeliveryState {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|state| state.as_str() == word).ok_or_else(|| {
            let words = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid(format!("state: must be one of {words}"))
        })
    }
}

/// A delivery, as it is told of.
#[derive(Debug, Clone)]
pub struct DeliveryRecord {
    /// Which one.
    pub key: DeliveryKey,
    /// The endpoint it is owed to.
    pub endpoint: EndpointId,
    /// The id of the event.
    pub event_id: String,
    /// Its source.
    pub source: String,
    /// Its type.
    pub event_type: String,
    /// Its key: the object's id unless another was set.
    pub event_key: Option<String>,
    /// How far it is.
    pub state: DeliveryState,
    /// How many attempts were begun.
    pub attempts: u32,
    /// When it is attempted next, if it waits.
    pub due_at: Option<Timestamp>,
    /// When it was stored.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// Where a page of deliveries ends: the number of the last one and 0; or when it was stored, and its number, of those of an
/// endpoint that failed or are parked; or the numbers of its event and of its endpoint.
pub type DeliveryCursor = (u64, u64);

/// An attempt, as it is told of.
#[derive(Debug, Clone)]
pub struct AttemptRecord {
    /// The delivery it belongs to.
    pub delivery: DeliveryKey,
    /// Its number, from 1.
    pub number: u32,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The id of the event.
    pub event_id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What went wrong instead of an answer: a word of [`Trouble`](super::Trouble).
    pub trouble: Option<String>,
    /// The beginning of the answer's body.
    pub body: Bytes,
    /// A note about what was refused or broke.
    pub note: Option<String>,
}

/// What an attempt was made of, as far as it is still known.
#[derive(Debug, Clone)]
pub struct Sent {
    /// What was sent where. Its lease is nobody's, so that nothing can be stored by it.
    pub leased: Leased,
    /// When the endpoint was changed last.
    pub changed_at: Timestamp,
}

/// Which deliveries are listed, the newest first: those of an endpoint, or those of a mode by their events.
#[derive(Debug, Clone, Default)]
pub struct DeliveryFilter {
    /// The endpoint; `None` for all.
    pub endpoint: Option<EndpointId>,
    /// The id of their event.
    pub event: Option<String>,
    /// Its source.
    pub source: Option<String>,
    /// In which state.
    pub state: Option<DeliveryState>,
    /// Of which type.
    pub event_type: Option<String>,
    /// Of which key.
    pub event_key: Option<String>,
    /// Stored at this time or later: the delivery where an endpoint is named and neither event nor key, else its event.
    pub since: Option<Timestamp>,
    /// Stored before this time, by the same clock.
    pub until: Option<Timestamp>,
    /// The cursor of the page before, of the same filter.
    pub before: Option<DeliveryCursor>,
    /// How many at most.
    pub limit: u32,
}

impl DeliveryFilter {
    /// Tells whether a delivery is one of those, whenever it was stored.
    pub fn matches(&self, delivery: &DeliveryRecord) -> bool {
        self.endpoint.as_ref().is_none_or(|endpoint| delivery.endpoint == *endpoint)
            && self.event.as_ref().is_none_or(|event| delivery.event_id == *event)
            && self.source.as_ref().is_none_or(|source| delivery.source == *source)
            && self.state.is_none_or(|state| delivery.state == state)
            && self.event_type.as_ref().is_none_or(|event_type| delivery.event_type == *event_type)
            && self.event_key.as_ref().is_none_or(|key| delivery.event_key.as_ref() == Some(key))
    }
}

/// Which attempts of an endpoint are listed, the newest delivery's first.
#[derive(Debug, Clone)]
pub struct AttemptFilter {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Those of one delivery only.
    pub sequence: Option<u64>,
    /// Those that succeeded only, or those that did not.
    pub succeeded: Option<bool>,
    /// Before this delivery and attempt: the cursor of the page before.
    pub before: Option<(u64, u32)>,
    /// How many at most.
    pub limit: u32,
}

/// One page of a log. It may be short, even empty, and not the last one: a page looks through so many rows and no more.
#[derive(Debug, Clone)]
pub struct LogPage<T, C> {
    /// What was found.
    pub list: Vec<T>,
    /// The cursor of the next page; `None` when this is the last one.
    pub next: Option<C>,
}

/// An event, and what it is owed to an endpoint that was asked about.
#[derive(Debug, Clone)]
pub struct EventRecord {
    /// The event.
    pub event: StoredEvent,
    /// What it is owed, if anything is.
    pub delivery: Option<DeliveryRecord>,
}

/// Which deliveries are tried again.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Of these types only.
    pub types: Option<EnabledEvents>,
    /// Stored at this time or later.
    pub since: Timestamp,
    /// Stored before this time.
    pub until: Timestamp,
    /// After this one: the `next` of the part before.
    pub after: Option<(Timestamp, u64)>,
    /// How many are looked at, the oldest first.
    pub most: u32,
    /// How far apart they are due.
    pub pace: Pace,
    /// When that is.
    pub now: Timestamp,
}

/// How far apart deliveries are due that are sent again, so that an endpoint that is back is not flooded. By default not
/// at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    rate: Option<NonZeroU32>,
    done: u32,
}

impl Pace {
    /// So many in each second; none is none.
    pub fn per_second(rate: u32) -> Self {
        Self { rate: NonZeroU32::new(rate), done: 0 }
    }

    /// The same after so many.
    #[must_use]
    pub fn after(self, done: u32) -> Self {
        Self { done, ..self }
    }

    /// When the one of this index is due, from 0.
    pub fn due(&self, now: Timestamp, index: usize) -> Timestamp {
        let Some(rate) = self.rate else { return now };
        let before = u64::from(self.done) + u64::try_from(index).unwrap_or(0);
        now.plus(Duration::from_millis(before * 1000 / u64::from(rate.get())))
    }
}

/// What came of a part of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovered {
    /// How many are due now, or would be. What is of no use any more, by its event's time, is not, nor
    /// what is not kept any more.
    pub deliveries: u32,
    /// The last one that was looked at, where there may be more: when it was stored, and its number.
    pub next: Option<(Timestamp, u64)>,
}

/// What became of a delivery that was parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// It is due.
    Due,
    /// It is not parked.
    NotParked,
    /// Its event is of no use any more, by whoever published it.
    Expired,
    /// Its endpoint is disabled or deleted.
    Disabled,
    /// There is none.
    Missing,
}

/// What became of a delivery that was to be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resent {
    /// It is due.
    Due,
    /// A request of it is under way.
    InFlight,
    /// It waits for an earlier one of its key, and goes after that.
    Waiting,
    /// Its endpoint is disabled or deleted.
    Disabled,
    /// Its event is of no use any more, by whoever published it.
    Expired,
    /// The bytes of its event are not kept any more.
    Forgotten,
    /// There is none.
    Missing,
}
