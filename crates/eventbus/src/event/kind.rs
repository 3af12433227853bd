//! Event types known to the compiler: one trait for catalogues and for an application's own types.

use std::borrow::Cow;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::any::AnyEvent;
use super::name::{source_rule, type_rule};
use super::pattern::Filter;
use crate::error::Result;

/// One type of event: its address and the object that its events are about.
///
/// The catalogues implement it for each of their marker types. An application implements it once per type of its own;
/// the object may be the type itself:
///
/// ```
/// use std::borrow::Cow;
/// use eventbus::EventKind;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct ParcelShipped { parcel: String, carrier: String }
///
/// impl EventKind for ParcelShipped {
///     const TYPE: &'static str = "parcel.shipped";
///     const SOURCE: &'static str = "shop";
///     const OBJECT_TYPE: &'static str = "Parcel";
///     type Object = Self;
///     fn object_id(object: &Self) -> Cow<'_, str> { Cow::Borrowed(&object.parcel) }
/// }
/// ```
///
/// A `TYPE` or `SOURCE` that breaks the grammar of [`EventType`](crate::EventType) or [`Source`](crate::Source) is a
/// compile error where the type is first published or subscribed to.
pub trait EventKind: Send + Sync + 'static {
    /// The dotted type, such as `customer.subscription.renewed`.
    const TYPE: &'static str;
    /// Whose catalogue the type belongs to.
    const SOURCE: &'static str;
    /// The name of the object's model, in PascalCase.
    const OBJECT_TYPE: &'static str;
    /// The version of the object's shape that this code writes.
    const API_VERSION: &'static str = "1.0.0";

    /// What an event of this type is about: `data.object` on the wire.
    type Object: Serialize + DeserializeOwned + Send + Sync + 'static;

    /// The id of the object; the order key of its events unless another is set.
    fn object_id(object: &Self::Object) -> Cow<'_, str>;
}

/// The constants of a kind, checked when the program is compiled.
pub(crate) const fn assert_kind<T: EventKind>() {
    const {
        assert!(type_rule(T::TYPE.as_bytes()).is_ok(), "EventKind::TYPE breaks the grammar of event types");
        assert!(source_rule(T::SOURCE.as_bytes()).is_ok(), "EventKind::SOURCE breaks the grammar of sources");
    }
}

/// What a handler can take as its argument: it says which events it wants and how it is made from one.
///
/// Implemented by [`Event<T>`](crate::Event) for one type, by [`AnyEvent`] for everything, and by each catalogue's
/// enum for the whole catalogue.
pub trait FromEvent: Sized + Send + 'static {
    /// The events that are wanted.
    fn filters() -> Vec<Filter>;

    /// Makes the argument from an event that matched.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable) when the payload is not what its type says; the engine then
    /// dead-letters the message and goes on.
    fn from_event(event: AnyEvent) -> Result<Self>;
}

impl FromEvent for AnyEvent {
    fn filters() -> Vec<Filter> {
        vec![Filter::all()]
    }

    fn from_event(event: AnyEvent) -> Result<Self> {
        Ok(event)
    }
}
