//! Payment events with types: every group that wants one handles it at least once and, where asked, in order.
//!
//! ```
//! use std::time::Duration;
//!
//! use eventbus::payment_kit::{CustomerSubscriptionRenewed, Subscription};
//! use eventbus::transport::Order;
//! use eventbus::{Event, EventBus, HandlerResult, Retry};
//!
//! async fn extend(renewed: Event<CustomerSubscriptionRenewed>) -> HandlerResult {
//!     println!("{} is paid until {:?}", renewed.object().id, renewed.object().current_period_end);
//!     Ok(()) // acknowledged; an error would be tried again
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> eventbus::Result<()> {
//!     let bus = EventBus::connect("local:").await?;
//!     bus.subscribe("entitlements")
//!         .on(extend)
//!         .order(Order::PerKey)
//!         .retry(Retry::exponential(Duration::from_secs(1)..=Duration::from_secs(600)).attempts(12))
//!         .start()
//!         .await?;
//!
//!     let subscription = Subscription { id: "sub_1".into(), ..Subscription::default() };
//!     bus.publish(CustomerSubscriptionRenewed::new(subscription)).await?;
//!
//!     let report = bus.shutdown(Duration::from_secs(10)).await;
//!     assert!(report.is_complete());
//!     Ok(())
//! }
//! ```
//!
//! # Events
//!
//! An event is an immutable fact: [id](EventId), [type](EventType), [source](Source), [time](Timestamp), livemode and
//! the object it is about. [`Event<T>`](Event) has its object decoded, [`AnyEvent`] is any of them. Type and source
//! together are the address: `product.created` of one provider never reaches a handler of the other's.
//!
//! - [`payment_kit`]: the types and objects of ArcBlock Payment Kit. [`AnyEvent::from_json`] reads its webhooks.
//! - [`gstable`]: those of GStable. [`gstable::Envelope`] reads its webhooks.
//! - [`EventKind`]: the trait that makes a struct of an application an event.
//! - [`catalogue`](fn@catalogue) lists every known type with its description. All three are open: unknown types, fields
//!   and words pass through unchanged.
//!
//! # Publishing
//!
//! [`EventBus::publish`] takes whatever is [`IntoEvent`]; `Ok` means that the transport holds it.
//! [`publish_all`](EventBus::publish_all) takes a batch, [`publish_in`](EventBus::publish_in) and
//! [`publish_at`](EventBus::publish_at) publish later.
//!
//! # Subscribing
//!
//! [`EventBus::subscribe`] names the group and gives a [`SubscriptionBuilder`]. Members of a group share its events,
//! every group gets every event. [`on`](SubscriptionBuilder::on) adds a handler that says by its argument what it gets;
//! [`on_pattern`](SubscriptionBuilder::on_pattern) one for a [`Pattern`];
//! [`stream`](SubscriptionBuilder::stream) gives messages to settle by hand.
//!
//! | a handler returns | what becomes of the message |
//! |---|---|
//! | `Ok(())` | acknowledged, for good |
//! | any error; or it panics, or takes too long | tried again as [`Retry`] says, then dead-lettered |
//! | [`HandlerError::retry_after`] | tried again after that delay |
//! | [`HandlerError::permanent`] | dead-lettered at once |
//!
//! [`Order::PerKey`](transport::Order::PerKey) keeps the events of a key in order, also across retries.
//! [`Idempotency`] keeps a handler from running twice for an event that succeeded.
//! [`layer`](SubscriptionBuilder::layer) puts tower layers around handlers.
//!
//! # Operating
//!
//! [`EventBus::dead_letters`] lists, redrives and purges what was given up. [`EventBus::health`] and
//! [`EventBus::backlog`] say how things are. [`EventBus::shutdown`] drains and reports what it could not finish.
//!
//! # Beneath and around
//!
//! - [`local`]: the transport within this process. The crate `eventbus-redis` is the one on Redis, across processes: install
//!   it and change the URL. [`transport`]: the contract for writing another.
//! - [`testing`]: a bus for an application's own tests, with scripted faults.
//! - [`json`]: JSON that comes out as it went in.
//! - [`Error`] is the one error type; its [kind](ErrorKind) says what the caller can do.
//!
//! With the feature `conformance`, the module `conformance` is the suite that a transport has to pass.

mod bus;
mod catalogue;
#[cfg(feature = "conformance")]
pub mod conformance;
mod engine;
mod error;
mod event;
pub mod gstable;
pub mod json;
pub mod local;
mod object;
pub mod payment_kit;
pub mod testing;
pub mod transport;

pub use bus::{
    BatchError, BusConfig, Connector, DeadLetterQueue, EventBus, GroupReport, Health, Receipt, Redrive,
    Redriven, Select, ShutdownReport, Subscription, SubscriptionBuilder, SubscriptionHealth,
    SubscriptionState, install,
};
pub use catalogue::{CatalogueEntry, Origin, catalogue, find};
pub use engine::{
    Claim, Class, Context, Handler, HandlerError, HandlerResult, HandlerService, Idempotency,
    IdempotencyStore, Invocation, MemoryStore, Message, Messages, OnDeadLetter, Retry,
};
pub use error::{Error, ErrorKind, Result};
pub use event::{
    AnyEvent, Details, Envelope, Event, EventBuilder, EventId, EventKind, EventType, Filter, FromEvent,
    IntoEvent, Key, MAX_DEPTH, MAX_ID, MAX_KEY, MAX_SOURCE, MAX_TYPE, Pattern, Request, Source, Timestamp,
    TraceContext,
};
