//! What lies in a queue: the event's JSON form as the body, what routing needs as properties and headers, and what this
//! transport knows of a message that comes again.

use std::time::Duration;

use bytes::Bytes;
use eventbus::transport::{Body, History, Undecodable};
use eventbus::{AnyEvent, Envelope, Error, ErrorKind, EventId, Result, Timestamp, TraceContext};
use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::label::{ATTEMPT, HISTORY, PLACE, REMAINING, ROUTE, read_history};

/// The time of the event in ms; the property `timestamp` has seconds only.
const TIME: &str = "timestamp_in_ms";
const KEY: &str = "key";
const LIVEMODE: &str = "livemode";
const TRACE_PARENT: &str = "traceparent";
const TRACE_STATE: &str = "tracestate";

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
    /// A message that was handed out and comes back.
    pub(crate) fn back(
        original: Original,
        (tag, attempt, history): (u64, u32, Option<Box<History>>),
        largest: usize,
    ) -> Self {
        let body = read_body(&original.properties, &original.route, &original.body, largest);
        let (written, place, remaining) = (attempt, None, Duration::ZERO);
        Self { original, tag, attempt, written, place, remaining, history, body }
    }

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

pub(crate) const PERSISTENT: u8 = 2;

/// In how many parts all keys fall; a shard of a group has some of them.
pub(crate) const PARTS: u64 = 64;

/// The header that says, by being there, which part of all keys an event belongs to: so one binding can name all parts of
/// a shard, and a broker looks at few bindings for each event.
pub(crate) fn shard(part: u64) -> String {
    format!("shard-{part}")
}

impl Original {
    /// How many bytes of it are kept, nearly.
    pub(crate) fn size(&self) -> usize {
        self.body.len() + 1024
    }
}

/// FNV-1a, so that every process and every version agrees.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
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
    // What has no key needs no order, and takes turns.
    let part = envelope.key.as_ref().map_or(envelope.id.as_str(), |key| key.as_str());
    set(&shard(hash(part.as_bytes()) % PARTS), AMQPValue::Boolean(true));
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

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            AMQPValue::Boolean(flag) => Some(*flag),
            _ => None,
        }
    }
}

pub(crate) fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}
