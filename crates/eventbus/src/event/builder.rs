//! Making events: [`EventBuilder`] for typed ones, [`IntoEvent`] for whatever `publish` accepts.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::any::AnyEvent;
use super::document::{Content, Extras, Request, Typed};
use super::envelope::Envelope;
use super::id::EventId;
use super::kind::{EventKind, FromEvent as _, assert_kind};
use super::name::{EventType, Key, Source, shorten};
use super::timestamp::Timestamp;
use super::trace::TraceContext;
use super::typed::Event;
use crate::error::{Error, Result};
use crate::json::{Json, JsonMap};

/// A typed event in the making; publish it as it is, or [`build`](Self::build) it to keep it.
///
/// ```
/// use eventbus::payment_kit::{CustomerSubscriptionRenewed, Subscription};
/// let subscription = Subscription { id: "sub_1".into(), ..Subscription::default() };
/// let event = CustomerSubscriptionRenewed::new(subscription).livemode(true).build()?;
/// assert_eq!(event.object_id(), "sub_1");
/// # Ok::<(), eventbus::Error>(())
/// ```
#[must_use = "an event does nothing until it is published"]
pub struct EventBuilder<T: EventKind> {
    object: T::Object,
    id: Option<String>,
    key: Option<String>,
    time: Option<Timestamp>,
    livemode: bool,
    trace: Option<TraceContext>,
    extras: Option<Box<Extras>>,
    /// The first thing that could not be encoded, reported when the event is built.
    failed: Option<Error>,
}

impl<T: EventKind> EventBuilder<T> {
    /// An event about this object, with a fresh id, the time now and `livemode` off.
    pub fn new(object: T::Object) -> Self {
        Self {
            object,
            id: None,
            key: None,
            time: None,
            livemode: false,
            trace: None,
            extras: None,
            failed: None,
        }
    }

    /// Sets the id; publishing again with the same id is how an unknown outcome is resolved.
    pub fn id(self, id: impl Into<String>) -> Self {
        Self { id: Some(id.into()), ..self }
    }

    /// Sets what must stay in order; otherwise it is the object's id.
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// Sets when it happened.
    pub fn time(self, time: Timestamp) -> Self {
        Self { time: Some(time), ..self }
    }

    /// Sets whether it is about real money.
    #[expect(
        clippy::fn_params_excessive_bools,
        reason = "the setter of a yes-or-no field, named as the field"
    )]
    pub fn livemode(self, livemode: bool) -> Self {
        Self { livemode, ..self }
    }

    /// Sets the trace it belongs to; inside a handler the trace of the handled event is carried on by itself.
    pub fn trace(self, trace: TraceContext) -> Self {
        Self { trace: Some(trace), ..self }
    }

    /// Says which API request caused it.
    pub fn request(mut self, request: Request) -> Self {
        self.extras().request = request;
        self
    }

    /// Attaches a value under `metadata`.
    pub fn metadata(self, name: impl Into<String>, value: impl Serialize) -> Self {
        self.member(name.into(), &value, &METADATA)
    }

    /// Attaches the values an update changed, under `data.previous_attributes`.
    pub fn previous(self, attributes: impl Serialize) -> Self {
        self.data("previous_attributes", attributes)
    }

    /// Attaches a value under `data`, beside the object.
    pub fn data(mut self, name: impl Into<String>, value: impl Serialize) -> Self {
        let name = name.into();
        if name == "object" {
            self.failed = self.failed.or_else(|| Some(Error::invalid("data.object: is the event's object")));
            return self;
        }
        self.member(name, &value, &DATA)
    }

    /// Makes the event.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when id or key breaks its rule;
    /// [`Undecodable`](crate::ErrorKind::Undecodable) when an attached value cannot be encoded.
    pub fn build(self) -> Result<Event<T>> {
        Event::from_event(self.into_event()?)
    }

    fn extras(&mut self) -> &mut Extras {
        self.extras.get_or_insert_default()
    }

    fn member<V: Serialize>(mut self, name: String, value: &V, place: &Place) -> Self {
        match Json::new(value) {
            Ok(json) => {
                (place.of)(self.extras()).insert(name, json);
            }
            Err(cause) => {
                let text = format!("{}.{}: cannot be encoded as JSON", place.name, shorten(&name));
                self.failed = self.failed.or_else(|| Some(Error::undecodable(text).with_source(cause)));
            }
        }
        self
    }
}

/// A part of the body that values can be attached to.
struct Place {
    name: &'static str,
    of: fn(&mut Extras) -> &mut JsonMap,
}

const METADATA: Place = Place { name: "metadata", of: |extras| &mut extras.metadata };
const DATA: Place = Place { name: "data", of: |extras| &mut extras.data };

impl<T: EventKind> fmt::Debug for EventBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBuilder").field("type", &T::TYPE).field("id", &self.id).finish_non_exhaustive()
    }
}

/// What can be published: a typed event in the making, a typed event, an [`AnyEvent`], or an object that is its own
/// [`EventKind`].
pub trait IntoEvent {
    /// Makes the event.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when a part of it breaks a rule.
    fn into_event(self) -> Result<AnyEvent>;
}

impl<T: EventKind> IntoEvent for EventBuilder<T> {
    fn into_event(self) -> Result<AnyEvent> {
        assert_kind::<T>();
        if let Some(failed) = self.failed {
            return Err(failed);
        }
        let time = self.time.unwrap_or_else(Timestamp::now);
        if !time.has_text() {
            return Err(Error::invalid("time: must lie between the years -9999 and 9999"));
        }
        let object_id: Box<str> = T::object_id(&self.object).into();
        let key = self.key.or_else(|| (!object_id.is_empty()).then(|| object_id.to_string()));
        let envelope = Envelope {
            id: self.id.map_or_else(|| Ok(EventId::generate(time)), EventId::new)?,
            event_type: EventType::constant(T::TYPE),
            source: Source::constant(T::SOURCE),
            time,
            key: key.map(Key::new).transpose()?,
            livemode: self.livemode,
            trace: self.trace,
        };
        let typed = Typed {
            object: Arc::new(self.object),
            object_type: T::OBJECT_TYPE,
            object_id,
            api_version: T::API_VERSION.into(),
            extras: self.extras,
        };
        Ok(AnyEvent::new(envelope, Content::Typed(typed)))
    }
}

impl<T: EventKind> IntoEvent for Event<T> {
    fn into_event(self) -> Result<AnyEvent> {
        Ok(self.into_any())
    }
}

impl<T: EventKind> IntoEvent for &Event<T> {
    fn into_event(self) -> Result<AnyEvent> {
        Ok(self.as_any().clone())
    }
}

impl IntoEvent for AnyEvent {
    fn into_event(self) -> Result<AnyEvent> {
        Ok(self)
    }
}

impl IntoEvent for &AnyEvent {
    fn into_event(self) -> Result<AnyEvent> {
        Ok(self.clone())
    }
}

impl<T: EventKind<Object = T>> IntoEvent for T {
    fn into_event(self) -> Result<AnyEvent> {
        EventBuilder::<T>::new(self).into_event()
    }
}
