//! What lies in a stream: entries of two fields, `envelope` and `event`, and how they become events again.

use bytes::Bytes;
use eventbus::transport::{Body, Failure, History, Reason, Undecodable};
use eventbus::{AnyEvent, Envelope, Error, ErrorKind, EventId, Result, Timestamp, TraceContext};
use redis::Value;
use serde::{Deserialize, Serialize};

/// The field with what routing needs: values between tabs, beginning with the version of this form.
pub(crate) const ENVELOPE: &str = "envelope";
/// The field with the event's JSON form.
pub(crate) const EVENT: &str = "event";

/// The id of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct EntryId {
    pub(crate) millis: u64,
    pub(crate) number: u64,
}

impl EntryId {
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let (millis, number) = std::str::from_utf8(text).ok()?.split_once('-')?;
        Some(Self { millis: millis.parse().ok()?, number: number.parse().ok()? })
    }

    /// The id right before this one.
    pub(crate) fn before(self) -> Self {
        match (self.millis, self.number) {
            (0, 0) => self,
            (millis, 0) => Self { millis: millis - 1, number: u64::MAX },
            (millis, number) => Self { millis, number: number - 1 },
        }
    }
}

impl std::fmt::Display for EntryId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.millis, self.number)
    }
}

/// An entry as it was read.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: EntryId,
    /// Where it belongs in the log; of messages that come again, not where they lie now.
    pub(crate) place: EntryId,
    /// The attempt that this entry begins with.
    pub(crate) attempt: u32,
    pub(crate) history: Option<Box<History>>,
    pub(crate) body: Body,
}

/// The text of the field `envelope`.
pub(crate) fn envelope(envelope: &Envelope) -> String {
    let trace = envelope.trace.as_ref();
    let time = envelope.time.as_millis().to_string();
    let parent = trace.map(TraceContext::parent).unwrap_or_default();
    let parts = [
        "1",
        envelope.id.as_str(),
        envelope.event_type.as_str(),
        envelope.source.as_str(),
        &time,
        if envelope.livemode { "live" } else { "test" },
        envelope.key.as_ref().map_or("", |key| key.as_str()),
        &parent,
        trace.and_then(TraceContext::state).unwrap_or_default(),
    ];
    parts.join("\t")
}

/// Reads the field `envelope`.
fn read_envelope(text: &[u8]) -> Result<Envelope> {
    let wrong = || Error::new(ErrorKind::Undecodable, "the entry's envelope is not of a form that is known");
    let text = std::str::from_utf8(text).map_err(|_| wrong())?;
    let mut parts = text.split('\t');
    let mut next = || parts.next().ok_or_else(wrong);
    if next()? != "1" {
        return Err(wrong());
    }
    let id = EventId::new(next()?)?;
    let (event_type, source) = (next()?.parse()?, next()?.parse()?);
    let time = Timestamp::from_millis(next()?.parse().map_err(|_| wrong())?);
    let livemode = match next()? {
        "live" => true,
        "test" => false,
        _ => return Err(wrong()),
    };
    let key = Some(next()?).filter(|key| !key.is_empty()).map(str::parse).transpose()?;
    let (parent, state) = (next()?, next()?);
    let trace = parent.parse().ok().map(|trace: TraceContext| trace.with_state(state));
    Ok(Envelope { id, event_type, source, time, key, livemode, trace })
}

/// Makes a body of an entry's fields. Without an envelope, as other programs may publish, the event says it all.
pub(crate) fn body(fields: Vec<Value>, largest: usize) -> Body {
    let (mut head, mut event, mut others) = (None, None, Vec::new());
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next().and_then(bytes), fields.next().and_then(bytes)) {
        match &name[..] {
            b"envelope" if head.is_none() => head = Some(value),
            b"event" if event.is_none() => event = Some(value),
            _ => others.push((name, value)),
        }
    }
    let Some(event) = event else {
        others.extend(head.map(|head| (ENVELOPE.as_bytes().to_vec(), head)));
        let lines: Vec<Vec<u8>> =
            others.iter().map(|(name, value)| [name.as_slice(), value].join(&b'=')).collect();
        return undecodable(lines.join(&b'\n').into(), "the entry has no field named event");
    };
    let bytes = Bytes::from(event);
    if bytes.len() > largest {
        return undecodable(bytes, "the event is larger than the limit of this transport");
    }
    let read = match head {
        Some(head) => read_envelope(&head).map(|envelope| AnyEvent::from_wire(envelope, bytes.clone())),
        None => AnyEvent::from_json(bytes.clone()),
    };
    match read {
        Ok(event) => Body::Event(event),
        Err(error) => Body::Undecodable(Box::new(Undecodable { bytes, error })),
    }
}

fn undecodable(bytes: Bytes, rule: &'static str) -> Body {
    let error = Error::new(ErrorKind::Undecodable, rule);
    Body::Undecodable(Box::new(Undecodable { bytes, error }))
}

/// Reads an entry of the log, handed out for the `times`th time.
pub(crate) fn log_entry(id: EntryId, times: u32, fields: Vec<Value>, largest: usize) -> Entry {
    Entry { id, place: id, attempt: times, history: None, body: body(fields, largest) }
}

/// Reads an entry of a group's own stream, whose first fields are the transport's.
pub(crate) fn again_entry(id: EntryId, times: u32, mut fields: Vec<Value>, largest: usize) -> Option<Entry> {
    const OWN: usize = 8;
    if fields.len() < OWN {
        return None;
    }
    let rest = fields.split_off(OWN);
    let mut own = fields.into_iter().skip(1).step_by(2).filter_map(bytes);
    let (place, _key, attempt, history) = (own.next()?, own.next()?, own.next()?, own.next()?);
    let attempt: u32 = std::str::from_utf8(&attempt).ok()?.parse().ok()?;
    Some(Entry {
        id,
        place: EntryId::parse(&place)?,
        attempt: attempt + times.saturating_sub(1),
        history: read_history(&history),
        body: body(rest, largest),
    })
}

/// The bytes of a value, where it is a string.
pub(crate) fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

/// The number of a value.
pub(crate) fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
        _ => None,
    }
}

/// The members of a value, where it is a list.
pub(crate) fn list(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(list) => Some(list),
        _ => None,
    }
}

/// A history as it is kept beside a message.
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

/// The text of a history; empty for none.
pub(crate) fn write_history(history: Option<&History>) -> String {
    let Some(history) = history else { return String::new() };
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
pub(crate) fn read_history(text: &[u8]) -> Option<Box<History>> {
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
