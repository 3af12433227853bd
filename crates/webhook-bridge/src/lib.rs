//! Delivers the events of a bus to HTTP webhooks: signed, retried and logged, with nothing to install beside it.
//!
//! ```no_run
//! use webhook_bridge::{Bridge, Config};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> webhook_bridge::Result<()> {
//! let bridge = Bridge::start(Config::new()).await?;
//! println!("listens on {}", bridge.address());
//! bridge.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # The life of a delivery
//!
//! ```text
//! bus ─► intake      event and one delivery for each endpoint that wants it, in one transaction, then the ack
//!        dispatcher  claims what is due, fairly per endpoint, within limits
//!        signing     headers over id, timestamp and the exact bytes sent
//!        attempt     one POST through the egress guard
//!        retry       pure: schedule, attempt, outcome, now → when, or give up
//!        store       the attempt and the delivery's next state in one transaction
//! ```
//!
//! The other way, a provider's webhook is verified, published on the bus, and only then answered and remembered; the bus brings it
//! to whoever subscribes, and to intake.
//!
//! # The map
//!
//! | module | look there for |
//! |---|---|
//! | `bridge` · [`config`] · [`transports`] | what is started and stopped, in which order · every setting · which buses |
//! | `cli/`, the program's alone | the command line, a file per noun; it speaks to the API |
//! | [`intake`] · [`api`] | from the bus, acked after the commit · every route, and a file per noun; `payment_kit/` and `gstable/` are theirs |
//! | [`dashboard`] | its files, in `assets/` a module per view; who is signed in. It shows what the API answers |
//! | [`ingress`] | webhooks of others: `source` who may send, `extract` one in an application's own server, `receive` one at `/in/{source}` |
//! | [`store`] | what a store must do, and `conformance`, which checks it; `sqlite/` has the only SQL: `schema/` the tables, `writer` the thread that commits together, `identities` where an id may be, `line` order by key |
//! | [`dispatcher`] | `agenda` whose turn it is · `claim` what is due · `desk` what is under way, and what is stored with room for it · `attempt` one request · [`answer`](dispatcher::answer) what is read of it · `connector`, `resolver` · [`egress`](dispatcher::egress) which names and addresses may be called |
//! | [`retention`] | what is forgotten when |
//! | [`upkeep`] · [`rewrap`] | what ran out is forgotten · secrets get a new key |
//! | `metrics` | what is counted: one row per metric |
//! | `trace` | what a publisher's request and the attempts that follow have in common |
//! | [`watch`] | whether all of it does its work: what `/health/ready` says |
//! | [`retry`] · [`signing`] · [`vault`] | when it is tried again · the bytes that are signed and verified, a file and a row per format · secrets at rest |
//! | [`model`] | endpoints, deliveries, attempts, outcomes, secrets; `health`, the breaker and when an endpoint is disabled; `notice`, the events that tell so |
//!
//! # What must stay true
//!
//! - The queue is the store: an event and all that is owed of it are one transaction, synced before any answer or ack; an
//!   attempt and what follows from it are another, made by the holder of the lease or by nobody. What wakes the
//!   dispatcher may be lost without loss of a delivery.
//! - Test and live are walls: every query names its mode, or follows from one that did.
//! - What is stored while there is room is stored leased and sent when it is synced: as if it had been claimed, within the
//!   same limits, and behind whatever is due already.
//! - An address is judged when it is dialled, at every attempt, by the function that judges a new endpoint's.
//! - What came in goes out byte for byte, signed when it is sent. Nothing parses a body to match it or to fan it out.
//! - An endpoint that is saturated, held or idle is not asked about, so what it is owed costs the others nothing; requests
//!   that take long have slots of their own.
//! - Where an endpoint wants order, a delivery is due only when no earlier one of its key is left; it waits for nothing else.
//!
//! Only [`store`] speaks SQL, only [`config`] reads the environment (and the command line its own variables), only
//! [`transports`] names transports; [`signing`] and [`retry`] do no I/O and read no clock.

#[cfg(feature = "bridge")]
pub mod api;
#[cfg(feature = "bridge")]
mod bridge;
#[cfg(feature = "bridge")]
pub mod config;
#[cfg(feature = "bridge")]
pub mod dashboard;
#[cfg(feature = "bridge")]
pub mod dispatcher;
mod error;
pub mod ingress;
#[cfg(feature = "bridge")]
pub mod intake;
#[cfg(feature = "bridge")]
mod metrics;
pub mod model;
#[cfg(feature = "bridge")]
pub mod retention;
#[cfg(feature = "bridge")]
pub mod retry;
#[cfg(feature = "bridge")]
pub mod rewrap;
pub mod signing;
#[cfg(feature = "bridge")]
pub mod store;
#[cfg(feature = "bridge")]
mod trace;
#[cfg(feature = "bridge")]
pub mod transports;
#[cfg(feature = "bridge")]
pub mod upkeep;
#[cfg(feature = "bridge")]
pub mod vault;
#[cfg(feature = "bridge")]
pub mod watch;

#[cfg(feature = "bridge")]
pub use bridge::{Bridge, run};
#[cfg(feature = "bridge")]
pub use config::Config;
pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "bridge")]
pub use metrics::Metrics;
