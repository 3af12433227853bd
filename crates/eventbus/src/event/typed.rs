//! [`Event<T>`]: an event whose object the compiler knows.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use super::any::AnyEvent;
use super::kind::{EventKind, FromEvent, assert_kind};
use super::name::{EventType, Source};
use super::pattern::{Filter, Pattern};
use crate::error::{Error, Result};

/// An event of type `T`, with its object decoded.
///
/// Published and handled in one process it is the very object the publisher made, neither encoded nor copied. It
/// dereferences to [`AnyEvent`] for id, time, key and the rest.
pub struct Event<T: EventKind> {
    any: AnyEvent,
    /// The object where the event cannot share it: another type was decoded from the same bytes first.
    own: Option<Box<T::Object>>,
}

impl<T: EventKind> Event<T> {
    /// The object this event is about.
    pub fn object(&self) -> &T::Object {
        match &self.own {
            Some(own) => own,
            None => self.any.shared().expect("from_event found or put the object there"),
        }
    }

    /// The attributes that an update changed, with their values before it.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable) when they are there and are not a `D`.
    pub fn previous<D: serde::de::DeserializeOwned>(&self) -> Result<Option<D>> {
        self.any.data("previous_attributes")
    }

    /// The event without its type.
    pub fn as_any(&self) -> &AnyEvent {
        &self.any
    }

    /// The event without its type, by value.
    pub fn into_any(self) -> AnyEvent {
        self.any
    }

    /// The id of the object this event is about.
    pub fn object_id(&self) -> Cow<'_, str> {
        T::object_id(self.object())
    }
}

impl<T: EventKind> FromEvent for Event<T> {
    fn filters() -> Vec<Filter> {
        assert_kind::<T>();
        let pattern = Pattern::from(EventType::constant(T::TYPE));
        vec![Filter::new(pattern).source(Source::constant(T::SOURCE))]
    }

    fn from_event(any: AnyEvent) -> Result<Self> {
        if any.event_type() != T::TYPE || any.source() != T::SOURCE {
            let (source, event_type) = (any.source(), any.event_type());
            let wanted =
                format!("type: is {event_type:?} of {source:?}, not {:?} of {:?}", T::TYPE, T::SOURCE);
            return Err(Error::undecodable(wanted));
        }
        let own = any.decoded()?;
        Ok(Self { any, own })
    }
}

impl<T: EventKind> Clone for Event<T> {
    /// Shares the object, except in the rare case that it could not be shared to begin with: then it decodes again.
    fn clone(&self) -> Self {
        match &self.own {
            None => Self { any: self.any.clone(), own: None },
            Some(_) => {
                let object = self.any.object().expect("the same bytes decoded to the same type before");
                Self { any: self.any.clone(), own: Some(Box::new(object)) }
            }
        }
    }
}

impl<T: EventKind> Deref for Event<T> {
    type Target = AnyEvent;
    fn deref(&self) -> &AnyEvent {
        &self.any
    }
}

impl<T: EventKind> fmt::Debug for Event<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.any.fmt(f)
    }
}

impl<T: EventKind> TryFrom<AnyEvent> for Event<T> {
    type Error = Error;
    fn try_from(any: AnyEvent) -> Result<Self> {
        Self::from_event(any)
    }
}
