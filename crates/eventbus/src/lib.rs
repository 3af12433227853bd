//! Typed payment events.

mod bus;
mod catalogue;
mod engine;
mod error;
mod event;
pub mod gstable;
pub mod json;
pub mod local;
mod object;
pub mod payment_kit;
pub mod transport;

pub use bus::{
    BatchError, BusConfig, Connector, DeadLetterQueue, EventBus, GroupReport, Health, Receipt, Redrive, Redriven, Select,
    ShutdownReport, Subscription, SubscriptionBuilder, SubscriptionHealth, SubscriptionState, install,
};
pub use catalogue::{CatalogueEntry, Origin, catalogue, find};
pub use engine::{
    Claim, Class, Context, Handler, HandlerError, HandlerResult, HandlerService, Idempotency, IdempotencyStore,
    Invocation, MemoryStore, Message, Messages, OnDeadLetter, Retry,
};
pub use error::{Error, ErrorKind, Result};
pub use event::{
    AnyEvent, Details, Envelope, Event, EventBuilder, EventId, EventKind, EventType, Filter, FromEvent, IntoEvent, Key,
    MAX_DEPTH, MAX_ID, MAX_KEY, MAX_SOURCE, MAX_TYPE, Pattern, Request, Source, Timestamp, TraceContext, is_event_type,
};
