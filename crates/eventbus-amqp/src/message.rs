//! What lies in a queue: the event's JSON form as the body, what routing needs as properties and headers, and what this
//! transport knows of a message that comes again.

use std::time::Duration;

use bytes::Bytes;
use eventbus::transport::{Body, Failure, History, Reason, Undecodable};
use eventbus::{AnyEvent, Envelope, Error, ErrorKind, EventId, Result, Timestamp, TraceContext};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use serde::{Deserialize, Serialize};

/// The time of the event in ms; the property `timestamp` has seconds only.
const TIME: &str = "timestamp_in_ms";
const KEY: &str = "key";
const LIVEMODE: &str = "livemode";
const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";

/// Headers of messages that come again begin like this; others' tools may show them, and change none.
const OWN: &str = "eventbus-";
const ATTEMPT: &str = "eventbus-attempt";
const HISTORY: &str = "eventbus-history";
/// Where the message belongs among those of its queue.
const PLACE: &str = "eventbus-place";
/// How long it has still to wait, in ms.
const REMAINING: &str = "eventbus-remaining";
/// The routing key it was published with.
const ROUTE: &str = "eventbus-route";
/// The number of a dead letter.
const DEAD: &str = "eventbus-dead";
const REASON: &str = "eventbus-reason";
const HOLDS: &str = "eventbus-holds";

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

/// An event on its way to the broker.
#[derive(Debug, Clone)]
pub(crate) struct Parcel {
    pub(crate) exchange: String,
    pub(crate) route: String,
    pub(crate) properties: BasicProperties,
    pub(crate) body: Bytes,
}

impl Parcel {
    /// An event for everybody.
    pub(crate) fn event(exchange: &str, event: &AnyEvent, body: Bytes) -> Self {
        let envelope = event.envelope();
        let route = format!("{}.{}", envelope.source, envelope.event_type);
        Self { exchange: exchange.to_owned(), route, properties: properties(envelope), body }
    }

    /// How many bytes of it are sent, nearly.
    pub(crate) fn size(&self) -> usize {
        self.body.len() + 512
    }
}

/// A message as it came, kept until it is settled.
#[derive(Debug, Clone)]
pub(crate) struct Original {
    pub(crate) properties: BasicProperties,
    pub(crate) route: String,
    pub(crate) body: Bytes,
}

/// A message as it was read.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) original: Original,
    /// The delivery tag on its channel.
    pub(crate) tag: u64,
    /// Which time it is handed out now.
    pub(crate) attempt: u32,
    /// The attempt as it was written down, without members lost since.
    pub(crate) written: u32,
    pub(crate) place: Option<i64>,
    pub(crate) remaining: Duration,
    pub(crate) history: Option<Box<History>>,
    pub(crate) body: Body,
}

impl Message {
    /// Reads what a consumer was given.
    pub(crate) fn read(delivery: Delivery, largest: usize) -> Self {
        let Delivery { delivery_tag, routing_key, redelivered, properties, data, .. } = delivery;
        let headers = Headers(properties.headers().as_ref());
        let written = headers.number(ATTEMPT).and_then(|attempt| u32::try_from(attempt).ok()).unwrap_or(1);
        // Quorum queues count; others only say that it was not the first time.
        let lost = headers.number("x-delivery-count").unwrap_or(i64::from(redelivered));
        let body = Bytes::from(data);
        let route = headers.text(ROUTE).unwrap_or(routing_key.as_str()).to_owned();
        let (place, remaining) = (headers.number(PLACE), headers.number(REMAINING).unwrap_or(0));
        let history = headers.text(HISTORY).and_then(|text| read_history(text.as_bytes()));
        let read = read_body(&properties, &route, &body, largest);
        Self {
            tag: delivery_tag,
            attempt: written.saturating_add(u32::try_from(lost).unwrap_or(0)),
            written,
            place,
            remaining: Duration::from_millis(u64::try_from(remaining).unwrap_or(0)),
            history,
            body: read,
            original: Original { properties, route, body },
        }
    }
}

/// What is written on a message that is moved within a group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Label<'a> {
    pub(crate) attempt: u32,
    pub(crate) place: i64,
    pub(crate) history: Option<&'a History>,
    pub(crate) remaining: Duration,
    pub(crate) dead: Option<Dead>,
}

/// What is written on a dead letter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dead {
    pub(crate) id: u64,
    pub(crate) reason: Reason,
    pub(crate) holds: bool,
}

impl Original {
    /// How many bytes of it are kept, nearly.
    pub(crate) fn size(&self) -> usize {
        self.body.len() + 1024
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
        self.with_headers("", queue, headers)
    }

    /// What is written on it as a dead letter.
    pub(crate) fn dead(&self) -> Option<Dead> {
        let headers = Headers(self.properties.headers().as_ref());
        let id = u64::try_from(headers.number(DEAD)?).ok()?;
        let reason = headers.text(REASON).map_or(Reason::Transient, reason);
        Some(Dead { id, reason, holds: headers.flag(HOLDS).unwrap_or(false) })
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

pub(crate) const PERSISTENT: u8 = 2;

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

/// The properties of an event: what any client of any language reads.
fn properties(envelope: &Envelope) -> BasicProperties {
    let mut headers = FieldTable::default();
    let mut set = |name: &str, value: AMQPValue| {
        headers.insert(name.into(), value);
    };
    let millis = envelope.time.as_millis();
    set(TIME, AMQPValue::LongLongInt(millis));
    set(LIVEMODE, AMQPValue::Boolean(envelope.livemode));
    if let Some(key) = &envelope.key {
        set(KEY, text(key.as_str()));
    }
    if let Some(trace) = &envelope.trace {
        set(TRACE_PARENT, text(&trace.parent()));
        if let Some(state) = trace.state() {
            set(TRACE_STATE, text(state));
        }
    }
    BasicProperties::default()
        .with_message_id(envelope.id.as_str().into())
        .with_type(envelope.event_type.as_str().into())
        .with_app_id(envelope.source.as_str().into())
        .with_timestamp(u64::try_from(millis.div_euclid(1000)).unwrap_or(0))
        .with_content_type("application/json".into())
        .with_delivery_mode(PERSISTENT)
        .with_headers(headers)
}

/// Makes a body. What the properties do not say, as of other programs' messages, is read from the JSON form.
fn read_body(properties: &BasicProperties, route: &str, bytes: &Bytes, largest: usize) -> Body {
    if bytes.len() > largest {
        let error =
            Error::new(ErrorKind::Undecodable, "the event is larger than the limit of this transport");
        return Body::Undecodable(Box::new(Undecodable { bytes: bytes.clone(), error }));
    }
    if let Ok(envelope) = read_properties(properties, route, Missing::Fails) {
        return Body::Event(AnyEvent::from_wire(envelope, bytes.clone()));
    }
    let event = AnyEvent::from_json(bytes.clone()).or_else(|error| {
        let envelope = read_properties(properties, route, Missing::IsGuessed).map_err(|_| error)?;
        Ok(AnyEvent::from_wire(envelope, bytes.clone()))
    });
    match event {
        Ok(event) => Body::Event(event),
        Err(error) => Body::Undecodable(Box::new(Undecodable { bytes: bytes.clone(), error })),
    }
}

/// What to do about properties that are not there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missing {
    Fails,
    /// Source and type are those of the routing key; it is no live event; it happened now.
    IsGuessed,
}

fn read_properties(properties: &BasicProperties, route: &str, missing: Missing) -> Result<Envelope> {
    let absent = || Error::new(ErrorKind::Undecodable, "the message has no properties that name its event");
    let headers = Headers(properties.headers().as_ref());
    let guess = missing == Missing::IsGuessed;
    let (head, tail) =
        route.split_once('.').filter(|_| guess).map_or((None, None), |(a, b)| (Some(a), Some(b)));
    let id = properties.message_id().as_ref().ok_or_else(absent)?;
    let kind = properties.kind().as_ref().map(ShortString::as_str).or(tail).ok_or_else(absent)?;
    let source = properties.app_id().as_ref().map(ShortString::as_str).or(head).ok_or_else(absent)?;
    let seconds = || properties.timestamp().and_then(|seconds| i64::try_from(seconds).ok());
    let guessed =
        || seconds().map_or_else(Timestamp::now, |time| Timestamp::from_millis(time.saturating_mul(1000)));
    let time = headers.number(TIME).map(Timestamp::from_millis).or_else(|| guess.then(guessed));
    let livemode = headers.flag(LIVEMODE).or_else(|| guess.then_some(false));
    let key = headers.text(KEY).filter(|key| !key.is_empty()).map(str::parse).transpose()?;
    let trace = headers.text(TRACE_PARENT).and_then(|parent| parent.parse().ok());
    let state = headers.text(TRACE_STATE).unwrap_or_default();
    Ok(Envelope {
        id: EventId::new(id.as_str())?,
        event_type: kind.parse()?,
        source: source.parse()?,
        time: time.ok_or_else(absent)?,
        key,
        livemode: livemode.ok_or_else(absent)?,
        trace: trace.map(|trace: TraceContext| trace.with_state(state)),
    })
}

/// Headers, as other programs write them too: text may be of two types, numbers of many.
pub(crate) struct Headers<'a>(pub(crate) Option<&'a FieldTable>);

impl<'a> Headers<'a> {
    fn value(&self, name: &str) -> Option<&'a AMQPValue> {
        self.0?.inner().get(name)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        match self.value(name)? {
            AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
            AMQPValue::ShortString(text) => Some(text.as_str()),
            _ => None,
        }
    }

    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            AMQPValue::LongLongInt(number) => Some(*number),
            AMQPValue::LongInt(number) => Some(i64::from(*number)),
            AMQPValue::LongUInt(number) => Some(i64::from(*number)),
            AMQPValue::ShortInt(number) => Some(i64::from(*number)),
            AMQPValue::ShortUInt(number) => Some(i64::from(*number)),
            AMQPValue::ShortShortInt(number) => Some(i64::from(*number)),
            AMQPValue::ShortShortUInt(number) => Some(i64::from(*number)),
            AMQPValue::Timestamp(number) => i64::try_from(*number).ok(),
            _ => None,
        }
    }

    fn flag(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            AMQPValue::Boolean(flag) => Some(*flag),
            _ => None,
        }
    }
}

pub(crate) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}

/// A history as it is written on a message.
#[derive(Serialize, Deserialize)]
struct Kept {
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
    let kept = Kept { count: history.count, failures: failures.collect() };
    serde_json::to_string(&kept).unwrap_or_default()
}

/// Reads a history; one that cannot be read is none, because the message matters more.
fn read_history(text: &[u8]) -> Option<Box<History>> {
    let kept: Kept = serde_json::from_slice(text).ok()?;
    let mut failures = kept.failures.into_iter().map(|failure| Failure {
        reason: reason(&failure.reason),
        message: failure.message,
        time: Timestamp::from_millis(failure.time),
        attempt: failure.attempt,
    });
    let first = failures.next();
    Some(Box::new(History { first, latest: failures.collect(), count: kept.count }))
}

fn reason(name: &str) -> Reason {
    const ALL: [Reason; 7] = [
        Reason::Transient,
        Reason::Permanent,
        Reason::TimedOut,
        Reason::Panicked,
        Reason::Undecodable,
        Reason::Crashed,
        Reason::Unhandled,
    ];
    ALL.into_iter().find(|reason| reason.as_str() == name).unwrap_or(Reason::Transient)
}
