//! What this transport writes on a message that is moved within a group, and reads of it when it comes again.

use std::time::Duration;

use bytes::Bytes;
use eventbus::transport::{Failure, History, Reason};
use eventbus::{Key, Timestamp};
use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde::{Deserialize, Serialize};

use crate::message::{Headers, Original, PERSISTENT, Parcel, hash, text};

/// Headers of messages that come again begin like this; others' tools may show them, and change none.
const OWN: &str = "eventbus-";
pub(crate) const ATTEMPT: &str = "eventbus-attempt";
pub(crate) const HISTORY: &str = "eventbus-history";
/// Where the message belongs among those of its queue.
pub(crate) const PLACE: &str = "eventbus-place";
/// How long it has still to wait, in ms.
pub(crate) const REMAINING: &str = "eventbus-remaining";
/// The routing key it was published with.
pub(crate) const ROUTE: &str = "eventbus-route";
/// The number of a dead letter.
const DEAD: &str = "eventbus-dead";
const REASON: &str = "eventbus-reason";
const HOLDS: &str = "eventbus-holds";
/// Beside its place, what tells it from all others.
const ID: &str = "eventbus-id";
/// With order per key: why it is kept, how often it was moved, the key it belongs to, when it is due by the time of day,
/// and where it goes when it is redriven.
const STAGE: &str = "eventbus-stage";
const TURN: &str = "eventbus-turn";
const LANE: &str = "eventbus-key";
const DUE: &str = "eventbus-due";
const HOME: &str = "eventbus-home";

/// What the broker itself adds: what it is told of moves that are over.
const BROKERS: [&str; 8] = [
    "x-death",
    "x-first-death-exchange",
    "x-first-death-queue",
    "x-first-death-reason",
    "x-last-death-exchange",
    "x-last-death-queue",
    "x-last-death-reason",
    "x-delivery-count",
];

/// What is written on a message that is moved within a group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Label<'a> {
    pub(crate) attempt: u32,
    pub(crate) place: i64,
    pub(crate) history: Option<&'a History>,
    pub(crate) remaining: Duration,
    pub(crate) dead: Option<Dead>,
    pub(crate) kept: Option<&'a Kept>,
}

/// What is written on a message of a group with order per key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) stage: Stage,
    /// Tells it from others of the same place.
    pub(crate) id: u64,
    /// Grows whenever it is moved: of two copies the one with the greater turn counts.
    pub(crate) turn: u32,
    pub(crate) key: Option<Key>,
    /// When it is due, by the time of day, in ms.
    pub(crate) due: i64,
    /// The queue it goes to when it is redriven.
    pub(crate) home: String,
}

/// Why a message is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// It waits behind others of its key.
    Parked,
    /// It waits for its time.
    Waiting,
    /// A member has it, or is about to.
    Out,
    /// It is a dead letter that holds its key; here is only a record of that.
    Dead,
    /// The dead letter was removed.
    Free,
    /// It shows that everything before it was read.
    Mark,
    /// The owner left, and nothing was lost with it.
    Left,
}

const STAGES: [(Stage, &str); 7] = [
    (Stage::Parked, "parked"),
    (Stage::Waiting, "waiting"),
    (Stage::Out, "out"),
    (Stage::Dead, "dead"),
    (Stage::Free, "free"),
    (Stage::Mark, "mark"),
    (Stage::Left, "left"),
];

impl Stage {
    fn name(self) -> &'static str {
        STAGES.iter().find(|(stage, _)| *stage == self).map_or("", |(_, name)| name)
    }

    fn find(name: &str) -> Option<Self> {
        STAGES.iter().find(|(_, known)| *known == name).map(|(stage, _)| *stage)
    }
}

/// What is written on a dead letter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dead {
    pub(crate) id: u64,
    pub(crate) reason: Reason,
    pub(crate) holds: bool,
}

impl Original {
    /// Of a message that says nothing but its label.
    pub(crate) fn empty() -> Self {
        Self { properties: BasicProperties::default(), route: String::new(), body: Bytes::new() }
    }

    /// Its headers, as its publisher wrote them.
    pub(crate) fn headers(&self) -> FieldTable {
        let mut headers = FieldTable::default();
        if let Some(known) = self.properties.headers() {
            let kept = known.inner().iter().filter(|(name, _)| !is_ours(name.as_str()));
            for (name, value) in kept {
                headers.insert(name.clone(), value.clone());
            }
        }
        headers
    }

    /// The message as its publisher wrote it, but for these headers.
    pub(crate) fn with_headers(&self, exchange: &str, route: &str, headers: FieldTable) -> Parcel {
        // A time to live of the publisher's was for the way to the group.
        let properties = without_expiration(&self.properties).with_headers(headers);
        let properties = properties.with_delivery_mode(PERSISTENT);
        let (exchange, route) = (exchange.to_owned(), route.to_owned());
        Parcel { exchange, route, properties, body: self.body.clone() }
    }

    /// The message with a label, for a queue.
    pub(crate) fn labelled(&self, queue: &str, label: &Label<'_>) -> Parcel {
        let mut headers = self.headers();
        let mut set = |name: &str, value: AMQPValue| {
            headers.insert(name.into(), value);
        };
        set(ATTEMPT, AMQPValue::LongLongInt(i64::from(label.attempt)));
        set(PLACE, AMQPValue::LongLongInt(label.place));
        set(ROUTE, text(&self.route));
        if let Some(history) = label.history {
            set(HISTORY, text(&write_history(history)));
        }
        if !label.remaining.is_zero() {
            set(REMAINING, {
                // Up, so that nothing is early.
                let millis = label.remaining.as_nanos().div_ceil(1_000_000);
                AMQPValue::LongLongInt(i64::try_from(millis).unwrap_or(i64::MAX))
            });
        }
        if let Some(dead) = label.dead {
            set(DEAD, AMQPValue::LongLongInt(i64::try_from(dead.id).unwrap_or(i64::MAX)));
            set(REASON, text(dead.reason.as_str()));
            set(HOLDS, AMQPValue::Boolean(dead.holds));
        }
        if let Some(kept) = label.kept {
            set(STAGE, text(kept.stage.name()));
            set(ID, AMQPValue::LongLongInt(kept.id.cast_signed()));
            set(TURN, AMQPValue::LongLongInt(i64::from(kept.turn)));
            set(DUE, AMQPValue::LongLongInt(kept.due));
            set(HOME, text(&kept.home));
            if let Some(key) = &kept.key {
                set(LANE, text(key.as_str()));
            }
        }
        self.with_headers("", queue, headers)
    }

    /// What is written on it as a dead letter.
    pub(crate) fn dead(&self) -> Option<Dead> {
        let headers = Headers(self.properties.headers().as_ref());
        let id = u64::try_from(headers.number(DEAD)?).ok()?;
        let reason = headers.text(REASON).map_or(Reason::Transient, reason);
        Some(Dead { id, reason, holds: headers.flag(HOLDS).unwrap_or(false) })
    }

    /// What is written on it in a group with order per key.
    pub(crate) fn kept(&self) -> Option<Kept> {
        let headers = Headers(self.properties.headers().as_ref());
        Some(Kept {
            stage: Stage::find(headers.text(STAGE)?)?,
            id: headers.number(ID)?.cast_unsigned(),
            turn: headers.number(TURN).and_then(|turn| u32::try_from(turn).ok()).unwrap_or(0),
            key: headers.text(LANE).and_then(|key| key.parse().ok()),
            due: headers.number(DUE).unwrap_or(0),
            home: headers.text(HOME).unwrap_or_default().to_owned(),
        })
    }

    /// The queue it was read from when the broker moved it here by itself.
    pub(crate) fn died_in(&self) -> Option<&str> {
        Headers(self.properties.headers().as_ref()).text("x-first-death-queue")
    }

    /// A number that tells its event from others.
    pub(crate) fn id(&self) -> u64 {
        let bytes = match self.properties.message_id() {
            Some(id) => id.as_str().as_bytes(),
            None => &self.body,
        };
        hash(bytes)
    }

    /// When the broker moved it here by itself, in seconds.
    pub(crate) fn died(&self) -> Option<u64> {
        let headers = self.properties.headers().as_ref()?.inner();
        let Some(AMQPValue::FieldArray(deaths)) = headers.get("x-death") else { return None };
        let Some(AMQPValue::FieldTable(death)) = deaths.as_slice().first() else { return None };
        match death.inner().get("time") {
            Some(AMQPValue::Timestamp(time)) => Some(*time),
            _ => None,
        }
    }
}

fn is_ours(name: &str) -> bool {
    name.starts_with(OWN) || BROKERS.contains(&name)
}

fn without_expiration(properties: &BasicProperties) -> BasicProperties {
    let mut kept = BasicProperties::default();
    macro_rules! keep {
        ($($get:ident $set:ident),*) => {
            $(if let Some(value) = properties.$get() { kept = kept.$set(value.clone()); })*
        };
    }
    keep!(content_type with_content_type, content_encoding with_content_encoding, priority with_priority,
        correlation_id with_correlation_id, reply_to with_reply_to, message_id with_message_id,
        timestamp with_timestamp, kind with_type, app_id with_app_id);
    kept
}

/// A history with one failure more.
pub(crate) fn add(history: Option<&History>, failure: &Failure) -> History {
    let mut history = history.cloned().unwrap_or_default();
    history.push(failure.clone());
    history
}

/// A history as it is written on a message.
#[derive(Serialize, Deserialize)]
struct KeptHistory {
    count: u32,
    failures: Vec<KeptFailure>,
}

#[derive(Serialize, Deserialize)]
struct KeptFailure {
    reason: String,
    message: String,
    time: i64,
    attempt: u32,
}

fn write_history(history: &History) -> String {
    let failures = history.first.iter().chain(&history.latest).map(|failure| KeptFailure {
        reason: failure.reason.as_str().to_owned(),
        message: failure.message.clone(),
        time: failure.time.as_millis(),
        attempt: failure.attempt,
    });
    let kept = KeptHistory { count: history.count, failures: failures.collect() };
    serde_json::to_string(&kept).unwrap_or_default()
}

/// Reads a history; one that cannot be read is none, because the message matters more.
pub(crate) fn read_history(text: &[u8]) -> Option<Box<History>> {
    let kept: KeptHistory = serde_json::from_slice(text).ok()?;
    let mut failures = kept.failures.into_iter().map(|failure| Failure {
        reason: reason(&failure.reason),
        message: failure.message,
        time: Timestamp::from_millis(failure.time),
        attempt: failure.attempt,
    });
    let first = failures.next();
    Some(Box::new(History { first, latest: failures.collect(), count: kept.count }))
}

/// A reason as it was written; one of a newer version says as much as that it failed.
fn reason(name: &str) -> Reason {
    Reason::find(name).unwrap_or(Reason::Transient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_as_it_was_written_and_one_that_is_unknown_is_a_failure() {
        for written in Reason::ALL {
            let history = add(None, &Failure::now(*written, "x", 1));
            let text = write_history(&history);
            assert_eq!(read_history(text.as_bytes()).unwrap().first.unwrap().reason, *written);
            let newer = text.replace(written.as_str(), "of_a_newer_version");
            assert_eq!(read_history(newer.as_bytes()).unwrap().first.unwrap().reason, Reason::Transient);

            let dead = Dead { id: 1, reason: *written, holds: false };
            let label = Label { history: Some(&history), dead: Some(dead), ..Label::default() };
            let properties = Original::empty().labelled("dead", &label).properties;
            let letter = Original { properties, ..Original::empty() };
            assert_eq!(letter.dead().unwrap().reason, *written);
        }
    }
}
