//! What lies in a stream: entries of one field, `event`, and how they become events again.

use std::io::Write;

use bytes::Bytes;
use eventbus::transport::{Body, Failure, History, Reason, Undecodable};
use eventbus::{AnyEvent, Envelope, Error, ErrorKind, EventId, Result, Timestamp, TraceContext};
use redis::{RedisWrite, ToRedisArgs, Value};
use serde::{Deserialize, Serialize};

/// The one field of an entry: a line with what routing needs, and the event's JSON form.
///
/// The line has values between tabs: the version of this form, id, type, source (empty for [`DEFAULT_SOURCE`]), time in
/// milliseconds, `live` or `test`, and key; `traceparent` and `tracestate` follow where there is a trace. In one field
/// with the event it costs the server, and whoever reads it, less than in one of its own.
pub(crate) const EVENT: &str = "event";

const VERSION: &str = "1";
/// As in the JSON form.
const DEFAULT_SOURCE: &str = "payment-kit";

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

/// An event as it is stored: what goes into the field [`EVENT`].
pub(crate) struct Stored<'a> {
    envelope: &'a Envelope,
    json: &'a [u8],
}

impl<'a> Stored<'a> {
    pub(crate) fn new(envelope: &'a Envelope, json: &'a [u8]) -> Self {
        Self { envelope, json }
    }

    /// How many bytes it has, nearly.
    pub(crate) fn size(&self) -> usize {
        let Envelope { id, event_type, source, key, trace, .. } = self.envelope;
        let key = key.as_ref().map_or("", |key| key.as_str());
        let trace = trace.as_ref().map_or(0, |trace| 64 + trace.state().unwrap_or_default().len());
        let names = [id.as_str(), event_type.as_str(), source.as_str(), key];
        names.iter().map(|name| name.len()).sum::<usize>() + trace + 32 + self.json.len()
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        let Envelope { id, event_type, source, time, key, livemode, trace } = self.envelope;
        let source = if source.as_str() == DEFAULT_SOURCE { "" } else { source.as_str() };
        for part in [VERSION, id.as_str(), event_type.as_str(), source] {
            out.write_all(part.as_bytes())?;
            out.write_all(b"\t")?;
        }
        write!(out, "{}\t{}\t", time.as_millis(), if *livemode { "live" } else { "test" })?;
        out.write_all(key.as_ref().map_or("", |key| key.as_str()).as_bytes())?;
        if let Some(trace) = trace {
            write!(out, "\t{}\t{}", trace.parent(), trace.state().unwrap_or_default())?;
        }
        out.write_all(b"\n")?;
        out.write_all(self.json)
    }
}

impl ToRedisArgs for Stored<'_> {
    fn write_redis_args<W: ?Sized + RedisWrite>(&self, out: &mut W) {
        let written = self.write(&mut out.writer_for_next_arg());
        debug_assert!(written.is_ok(), "memory takes everything");
    }
}

/// Takes the first line off an event as it is stored; `None` where there is only the JSON form.
fn split(stored: &Bytes) -> Option<(Bytes, Bytes)> {
    if stored.first().is_none_or(|first| !first.is_ascii_digit()) {
        return None;
    }
    let end = stored.iter().position(|byte| *byte == b'\n')?;
    Some((stored.slice(..end), stored.slice(end + 1..)))
}

fn read_envelope(line: &[u8]) -> Result<Envelope> {
    let wrong =
        || Error::new(ErrorKind::Undecodable, "the entry's first line is not of a form that is known");
    let text = std::str::from_utf8(line).map_err(|_| wrong())?;
    let mut parts = text.split('\t');
    let mut next = || parts.next().ok_or_else(wrong);
    if next()? != VERSION {
        return Err(wrong());
    }
    let id = EventId::new(next()?)?;
    let (event_type, source) = (next()?.parse()?, next()?);
    let source = if source.is_empty() { DEFAULT_SOURCE } else { source }.parse()?;
    let time = Timestamp::from_millis(next()?.parse().map_err(|_| wrong())?);
    let livemode = match next()? {
        "live" => true,
        "test" => false,
        _ => return Err(wrong()),
    };
    let key = Some(next()?).filter(|key| !key.is_empty()).map(str::parse).transpose()?;
    let (parent, state) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let trace = parent.parse().ok().map(|trace: TraceContext| trace.with_state(state));
    Ok(Envelope { id, event_type, source, time, key, livemode, trace })
}

/// Makes a body of an entry's fields. Without the first line, as other programs may publish, the event says it all.
pub(crate) fn body(fields: Vec<Value>, largest: usize) -> Body {
    let (mut event, mut others) = (None, Vec::new());
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next().and_then(bytes), fields.next().and_then(bytes)) {
        match &name[..] {
            b"event" if event.is_none() => event = Some(value),
            _ => others.push((name, value)),
        }
    }
    let Some(event) = event else {
        let lines: Vec<Vec<u8>> =
            others.iter().map(|(name, value)| [name.as_slice(), value].join(&b'=')).collect();
        return undecodable(lines.join(&b'\n').into(), "the entry has no field named event");
    };
    let stored = Bytes::from(event);
    let (line, json) = split(&stored).unzip();
    let json = json.unwrap_or_else(|| stored.clone());
    if json.len() > largest {
        return undecodable(json, "the event is larger than the limit of this transport");
    }
    let read = match line {
        Some(line) => read_envelope(&line).map(|envelope| AnyEvent::from_wire(envelope, json)),
        None => AnyEvent::from_json(json),
    };
    match read {
        Ok(event) => Body::Event(event),
        Err(error) => Body::Undecodable(Box::new(Undecodable { bytes: stored, error })),
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
            let mut history = History::default();
            history.push(Failure::now(*written, "x", 1));
            let text = write_history(Some(&history));
            assert_eq!(read_history(text.as_bytes()).unwrap().first.unwrap().reason, *written);
            let newer = text.replace(written.as_str(), "of_a_newer_version");
            assert_eq!(read_history(newer.as_bytes()).unwrap().first.unwrap().reason, Reason::Transient);
        }
    }
}
