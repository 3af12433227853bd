//! The one JSON form of an event: field for field Payment Kit's event object, plus `source`.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::envelope::Envelope;
use super::id::EventId;
use super::name::{EventType, Key, Source, brief, shorten};
use super::strict;
use super::timestamp::Timestamp;
use crate::error::{Error, Result};
use crate::json::{Json, JsonMap};

/// The source of a body that names none: Payment Kit's own events carry no such field.
const DEFAULT_SOURCE: &str = "payment-kit";

/// The fields of an event's body beside its [`Envelope`] and its data.
#[derive(Debug, Clone, PartialEq)]
pub struct Details {
    /// The version of the object's shape.
    pub api_version: String,
    /// The name of the object's model, in PascalCase.
    pub object_type: String,
    /// The id of the object the event is about.
    pub object_id: String,
    /// The request that caused the event.
    pub request: Request,
    /// How many webhooks are still owed; Payment Kit counts it down.
    pub pending_webhooks: i64,
    /// Whatever the publisher attached.
    pub metadata: JsonMap,
    /// When the provider's record of the event last changed.
    pub updated_at: Timestamp,
}

/// The request that caused an event, as Payment Kit writes it; its own are in fact always empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Request {
    /// The id of the API request.
    #[serde(default)]
    pub id: String,
    /// The idempotency key of the API request.
    #[serde(default)]
    pub idempotency_key: String,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
}

/// What an event carries: the object it was published with, or the bytes it came as.
#[derive(Clone)]
pub(crate) enum Content {
    Typed(Typed),
    Encoded(Bytes),
}

/// An object published in this process, with what its body needs around it.
#[derive(Clone)]
pub(crate) struct Typed {
    pub(crate) object: Arc<dyn Payload>,
    pub(crate) object_type: &'static str,
    pub(crate) object_id: Box<str>,
    pub(crate) api_version: Cow<'static, str>,
    /// Seldom set, so kept off the hot path.
    pub(crate) extras: Option<Box<Extras>>,
}

/// The optional parts of a body.
#[derive(Clone, Default)]
pub(crate) struct Extras {
    pub(crate) request: Request,
    pub(crate) metadata: JsonMap,
    /// Members of `data` beside `object`.
    pub(crate) data: JsonMap,
}

/// An object of any type that can still be encoded.
pub(crate) trait Payload: Any + Send + Sync {
    fn encode(&self) -> serde_json::Result<Box<RawValue>>;
}

impl<T: Serialize + Any + Send + Sync> Payload for T {
    fn encode(&self) -> serde_json::Result<Box<RawValue>> {
        to_raw_value(self)
    }
}

impl Details {
    pub(crate) fn of_typed(typed: &Typed, time: Timestamp) -> Self {
        let extras = typed.extras.as_deref();
        Self {
            api_version: typed.api_version.clone().into_owned(),
            object_type: typed.object_type.to_owned(),
            object_id: typed.object_id.to_string(),
            request: extras.map(|extras| extras.request.clone()).unwrap_or_default(),
            pending_webhooks: 0,
            metadata: extras.map(|extras| extras.metadata.clone()).unwrap_or_default(),
            updated_at: time,
        }
    }
}

/// The event object as it is read: the envelope's fields as values, the rest as text.
#[derive(Deserialize)]
struct Incoming<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    livemode: bool,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    api_version: Option<Cow<'a, str>>,
    #[serde(borrow)]
    object_type: Option<Cow<'a, str>>,
    #[serde(borrow)]
    object_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow)]
    request: Option<&'a RawValue>,
    pending_webhooks: Option<i64>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow)]
    created_at: Cow<'a, str>,
    #[serde(borrow)]
    updated_at: Option<Cow<'a, str>>,
}

/// The event object as it is written; the order is the documentation's.
#[derive(Serialize)]
struct Outgoing<'a> {
    id: &'a str,
    livemode: bool,
    #[serde(rename = "type")]
    event_type: &'a str,
    source: &'a str,
    api_version: &'a str,
    data: OutgoingData<'a>,
    object_type: &'a str,
    object_id: &'a str,
    request: &'a Request,
    pending_webhooks: i64,
    metadata: &'a JsonMap,
    created_at: &'a str,
    updated_at: &'a str,
}

struct OutgoingData<'a> {
    object: &'a RawValue,
    rest: &'a JsonMap,
}

impl Serialize for OutgoingData<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let object = std::iter::once(("object", Ok(self.object)));
        let rest = self.rest.iter().map(|(name, value)| (name, Err(value)));
        serializer.collect_map(object.chain(rest).map(|(name, value)| (name, Member(value))))
    }
}

struct Member<'a>(std::result::Result<&'a RawValue, &'a Json>);

impl Serialize for Member<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Ok(object) => object.serialize(serializer),
            Err(value) => value.serialize(serializer),
        }
    }
}

/// Reads and checks a body from outside.
pub(crate) fn read(json: &[u8]) -> Result<Envelope> {
    strict::check(json)?;
    let incoming: Incoming<'_> = body(json)?;
    for (field, value) in [("data", Some(incoming.data)), ("metadata", incoming.metadata)] {
        if value
            .is_some_and(|value| !value.get().starts_with('{') && (field == "data" || value.get() != "null"))
        {
            return Err(Error::undecodable(format!("{field}: must be an object")));
        }
    }
    envelope(&incoming).map_err(|error| Error::undecodable(error.to_string()))
}

fn envelope(incoming: &Incoming<'_>) -> Result<Envelope> {
    let key = incoming.object_id.as_deref().filter(|id| !id.is_empty());
    Ok(Envelope {
        id: EventId::new(&*incoming.id)?,
        event_type: EventType::new(incoming.event_type.clone().into_owned())?,
        source: Source::new(
            incoming
                .source
                .clone()
                .map_or(Cow::Borrowed(DEFAULT_SOURCE), |source| source.into_owned().into()),
        )?,
        time: instant("created_at", &incoming.created_at)?,
        key: key
            .map(|key| Key::new(key.to_owned()))
            .transpose()
            .map_err(|error| named("object_id", &error))?,
        livemode: incoming.livemode,
        trace: None,
    })
}

fn instant(field: &str, text: &str) -> Result<Timestamp> {
    text.parse().map_err(|error| named(field, &error))
}

fn named(field: &str, error: &Error) -> Error {
    Error::invalid(format!("{field}: {error}"))
}

/// Reads the fields beside the envelope.
pub(crate) fn details(json: &[u8]) -> Result<Details> {
    let incoming: Incoming<'_> = body(json)?;
    let text = |value: Option<Cow<'_, str>>| value.map(Cow::into_owned).unwrap_or_default();
    Ok(Details {
        request: optional(incoming.request, "request")?,
        metadata: optional(incoming.metadata, "metadata")?,
        updated_at: instant("updated_at", incoming.updated_at.as_deref().unwrap_or(&incoming.created_at))
            .map_err(|error| Error::undecodable(error.to_string()))?,
        pending_webhooks: incoming.pending_webhooks.unwrap_or_default(),
        api_version: text(incoming.api_version),
        object_type: text(incoming.object_type),
        object_id: text(incoming.object_id),
    })
}

/// Decodes an object that may be absent or `null`.
fn optional<T: DeserializeOwned + Default>(raw: Option<&RawValue>, field: &str) -> Result<T> {
    match raw.map(RawValue::get).filter(|text| *text != "null") {
        None => Ok(T::default()),
        Some(text) if text.starts_with('{') => decode(text.as_bytes(), field),
        Some(_) => Err(Error::undecodable(format!("{field}: must be an object"))),
    }
}

/// Writes the body of an event that was published as an object.
pub(crate) fn write(envelope: &Envelope, content: &Content) -> Result<Bytes> {
    let typed = match content {
        Content::Encoded(bytes) => return Ok(bytes.clone()),
        Content::Typed(typed) => typed,
    };
    let unencodable =
        |cause| Error::undecodable("data.object: cannot be encoded as JSON").with_source(Box::new(cause));
    let object = typed.object.encode().map_err(unencodable)?;
    let none = Extras::default();
    let extras = typed.extras.as_deref().unwrap_or(&none);
    let time = envelope.time.to_string();
    let outgoing = Outgoing {
        id: envelope.id.as_str(),
        livemode: envelope.livemode,
        event_type: envelope.event_type.as_str(),
        source: envelope.source.as_str(),
        api_version: &typed.api_version,
        data: OutgoingData { object: &object, rest: &extras.data },
        object_type: typed.object_type,
        object_id: &typed.object_id,
        request: &extras.request,
        pending_webhooks: 0,
        metadata: &extras.metadata,
        created_at: &time,
        updated_at: &time,
    };
    serde_json::to_vec(&outgoing).map(Bytes::from).map_err(unencodable)
}

/// Decodes `data.object` in one pass over the body, skipping everything else.
pub(crate) fn object<O: DeserializeOwned>(json: &[u8]) -> Result<O> {
    #[derive(Deserialize)]
    #[serde(bound = "O: DeserializeOwned")]
    struct Body<O> {
        data: Data<O>,
    }
    #[derive(Deserialize)]
    #[serde(bound = "O: DeserializeOwned")]
    struct Data<O> {
        object: O,
    }
    body::<Body<O>>(json).map(|body| body.data.object)
}

/// The members of `data`.
pub(crate) fn data(json: &[u8]) -> Result<JsonMap> {
    #[derive(Deserialize)]
    struct Body {
        data: JsonMap,
    }
    body::<Body>(json).map(|body| body.data)
}

/// Decodes a body. An array is none, though serde would read a struct from one.
fn body<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T> {
    match json.trim_ascii_start().first() {
        Some(b'{') => decode(json, ""),
        _ => Err(Error::undecodable("event: must be a JSON object")),
    }
}

/// Checks and decodes a document from outside that is not an event.
pub(crate) fn decode_strictly<T: DeserializeOwned>(json: &[u8]) -> Result<T> {
    strict::check(json)?;
    decode(json, "")
}

/// Decodes JSON; when it fails, looks for the field it failed at.
pub(crate) fn decode<'a, T: Deserialize<'a>>(json: &'a [u8], within: &str) -> Result<T> {
    serde_json::from_slice(json).map_err(|error| undecodable(&join(within, &path_at(json, &error)), &error))
}

/// The field at which decoding failed, empty for the document itself.
///
/// Decoding once more with a tracker would say it, but compile every object twice. Instead the text is cut in the token
/// it failed at and walked, without a type, to that end.
fn path_at(json: &[u8], error: &serde_json::Error) -> String {
    let before = json.split_inclusive(|&byte| byte == b'\n').take(error.line().saturating_sub(1));
    let line: usize = before.map(<[u8]>::len).sum();
    let end = (line + error.column()).min(json.len());
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.\"".contains(byte);
    let token = json[..end].iter().rev().take_while(|byte| is_token(byte)).count();
    let opened = usize::from(json[..end].last().is_some_and(|byte| b"[{]}".contains(byte)));
    let token = token.max(opened);
    strict::path(&json[..end - token])
}

/// The field and the rule, without the cause as a source: its text is here already, and may quote a megabyte.
fn undecodable(field: &str, cause: &dyn Display) -> Error {
    match field {
        "" => Error::undecodable(brief(cause)),
        field => Error::undecodable(format!("{}: {}", shorten(field), brief(cause))),
    }
}

fn join(within: &str, path: &str) -> String {
    match (within, path) {
        ("", path) => path.to_owned(),
        (within, "") => within.to_owned(),
        (within, path) => format!("{within}.{path}"),
    }
}
