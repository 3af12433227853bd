//! [`AnyEvent`]: an event of any type, shared by reference count, decoded only when somebody asks.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::document::{self, Content, Details};
use super::envelope::Envelope;
use super::id::EventId;
use super::name::{EventType, Key, Source};
use super::timestamp::Timestamp;
use super::trace::TraceContext;
use crate::error::{Error, Result};
use crate::json::{Json, JsonMap};

/// An event of any type: an immutable fact, cheap to clone.
///
/// Its [`Envelope`] is always at hand. Its payload is either the object it was published with, shared as it is, or the
/// bytes it came as, kept as they are: a forwarded event is never encoded again, and nothing is decoded before
/// a typed [`Event`](crate::Event) is made of it, or an accessor of the payload is called.
#[derive(Clone)]
pub struct AnyEvent(Arc<Inner>);

struct Inner {
    envelope: Envelope,
    content: Content,
    /// The one JSON form, made at most once.
    encoded: OnceLock<Bytes>,
    /// The fields of the body beside the envelope, read at most once.
    details: OnceLock<Details>,
    /// The object decoded from bytes, shared by all groups of this process that ask for the same type.
    object: OnceLock<Box<dyn Any + Send + Sync>>,
}

impl AnyEvent {
    pub(crate) fn new(envelope: Envelope, content: Content) -> Self {
        let cells = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self(Arc::new(Inner { envelope, content, encoded: cells.0, details: cells.1, object: cells.2 }))
    }

    /// Reads an event from its JSON form: Payment Kit's event object plus `source`.
    ///
    /// Meant for bytes from outside. Unknown fields are kept; a body without `source` is Payment Kit's own.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable), naming the field and the rule: malformed JSON, a wrong or
    /// missing field, an illegal name, a key that occurs twice, nesting deeper than
    /// [`MAX_DEPTH`](crate::MAX_DEPTH), a lone surrogate, a number out of range.
    pub fn from_json(json: impl Into<Bytes>) -> Result<Self> {
        let json = json.into();
        let envelope = document::read(&json)?;
        Ok(Self::new(envelope, Content::Encoded(json)))
    }

    /// Puts an event together from what a transport carried beside the body, without parsing the body.
    ///
    /// For transports: the bytes must be the JSON form of an event with this envelope. A body that is not is found
    /// when somebody decodes it.
    pub fn from_wire(envelope: Envelope, json: impl Into<Bytes>) -> Self {
        Self::new(envelope, Content::Encoded(json.into()))
    }

    /// The JSON form: the very bytes it came as, or the encoding of the object it was published with.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable) when an object of an application's own type cannot be encoded.
    pub fn to_json(&self) -> Result<Bytes> {
        if let Content::Encoded(bytes) = &self.0.content {
            return Ok(bytes.clone());
        }
        if let Some(bytes) = self.0.encoded.get() {
            return Ok(bytes.clone());
        }
        let bytes = document::write(&self.0.envelope, &self.0.content)?;
        Ok(self.0.encoded.get_or_init(|| bytes).clone())
    }

    /// The size of the JSON form in bytes where it is known without encoding.
    pub fn encoded_len(&self) -> Option<usize> {
        match &self.0.content {
            Content::Encoded(bytes) => Some(bytes.len()),
            Content::Typed(_) => self.0.encoded.get().map(Bytes::len),
        }
    }

    /// The same event with another order key, trace or both; the body stays the same bytes.
    #[must_use]
    pub fn with_envelope(&self, change: impl FnOnce(&mut Envelope)) -> Self {
        let mut envelope = self.0.envelope.clone();
        change(&mut envelope);
        Self::new(envelope, self.0.content.clone())
    }

    /// What routing and filters need, outside the body.
    pub fn envelope(&self) -> &Envelope {
        &self.0.envelope
    }

    /// The identity of the event.
    pub fn id(&self) -> &EventId {
        &self.0.envelope.id
    }

    /// The type of the event.
    pub fn event_type(&self) -> &EventType {
        &self.0.envelope.event_type
    }

    /// Whose catalogue the type belongs to.
    pub fn source(&self) -> &Source {
        &self.0.envelope.source
    }

    /// When it happened: `created_at` on the wire.
    pub fn time(&self) -> Timestamp {
        self.0.envelope.time
    }

    /// What must stay in order with others of the same key; `None` when the event has neither key nor object id.
    pub fn key(&self) -> Option<&Key> {
        self.0.envelope.key.as_ref()
    }

    /// Whether it is about real money.
    pub fn livemode(&self) -> bool {
        self.0.envelope.livemode
    }

    /// The trace it belongs to.
    pub fn trace(&self) -> Option<&TraceContext> {
        self.0.envelope.trace.as_ref()
    }

    /// The fields of the body beside the envelope.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable) when the body is not an event.
    pub fn details(&self) -> Result<&Details> {
        if let Some(details) = self.0.details.get() {
            return Ok(details);
        }
        let details = match &self.0.content {
            Content::Typed(typed) => Details::of_typed(typed, self.time()),
            Content::Encoded(bytes) => document::details(bytes)?,
        };
        Ok(self.0.details.get_or_init(|| details))
    }

    /// Decodes a member of `data` other than the object, such as `previous_attributes` or GStable's `transaction`.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable) when it is there and is not a `D`. Absent and `null` are `None`.
    pub fn data<D: DeserializeOwned>(&self, name: &str) -> Result<Option<D>> {
        let Some(json) = self.raw_data()?.get(name).cloned().filter(|json| !json.is_null()) else {
            return Ok(None);
        };
        document::decode(json.text().as_bytes(), &format!("data.{name}")).map(Some)
    }

    /// The members of `data` as they are on the wire.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable) when the body is not an event.
    pub fn raw_data(&self) -> Result<JsonMap> {
        document::data(&self.to_json()?)
    }

    /// Decodes the object this event is about, whatever its type says.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable), naming the field, when the object is not an `O`.
    pub fn object<O: DeserializeOwned>(&self) -> Result<O> {
        match &self.0.content {
            Content::Encoded(bytes) => document::object(bytes),
            Content::Typed(_) => document::object(&self.to_json()?),
        }
    }

    /// The object this event was published with in this process, or decoded to before, when it is an `O`.
    pub(crate) fn shared<O: 'static>(&self) -> Option<&O> {
        match &self.0.content {
            Content::Typed(typed) => (&*typed.object as &dyn Any).downcast_ref(),
            Content::Encoded(_) => self.0.object.get().and_then(|object| object.downcast_ref()),
        }
    }

    /// Makes sure that the object is there to be shared; gives it where it cannot be, because another type was decoded
    /// from the same bytes first. Once per type of object, not of event: catalogues have many more of these.
    pub(crate) fn decoded<O: DeserializeOwned + Send + Sync + 'static>(&self) -> Result<Option<Box<O>>> {
        match self.shared::<O>() {
            Some(_) => Ok(None),
            None => Ok(self.share(self.object()?).map(Box::new)),
        }
    }

    /// Keeps a decoded object for the next one who asks; gives it back when another type was first.
    fn share<O: Send + Sync + 'static>(&self, object: O) -> Option<O> {
        if matches!(self.0.content, Content::Typed(_)) {
            return Some(object);
        }
        let rejected = self.0.object.set(Box::new(object)).err()?;
        rejected.downcast().ok().map(|object| *object)
    }

    /// Tells whether both are the same event in memory.
    pub fn same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The JSON value of the object, for filters and displays.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable) when the body is not an event.
    pub fn object_json(&self) -> Result<Json> {
        self.object()
    }
}

impl fmt::Debug for AnyEvent {
    /// Shows the envelope only: payloads carry personal data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.envelope.fmt(f)
    }
}

impl TryFrom<&[u8]> for AnyEvent {
    type Error = Error;
    fn try_from(json: &[u8]) -> Result<Self> {
        Self::from_json(Bytes::copy_from_slice(json))
    }
}
