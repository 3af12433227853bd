//! The event: its envelope, its one JSON form, its names, and what the compiler knows of its type.

mod any;
mod builder;
mod document;
mod envelope;
mod id;
mod kind;
mod name;
mod pattern;
mod strict;
mod timestamp;
mod trace;
mod typed;

pub use any::AnyEvent;
pub use builder::{EventBuilder, IntoEvent};
pub use document::{Details, Request};
pub use envelope::Envelope;
pub use id::{EventId, MAX_ID};
pub use kind::{EventKind, FromEvent};
pub use name::{EventType, Key, MAX_KEY, MAX_SOURCE, MAX_TYPE, Source};
pub use pattern::{Filter, Pattern};
pub use strict::MAX_DEPTH;
pub use timestamp::Timestamp;
pub use trace::TraceContext;
pub use typed::Event;

pub(crate) use document::decode_strictly;
pub(crate) use name::{name, shorten};
