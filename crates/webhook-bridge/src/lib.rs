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
//! Only [`store`] speaks SQL, only [`config`] reads the environment, only [`transports`] names transports;
//! [`signing`] and [`retry`] do no I/O and read no clock.

pub mod api;
mod bridge;
pub mod config;
pub mod dispatcher;
mod error;
pub mod intake;
pub mod model;
pub mod retry;
pub mod signing;
pub mod store;
pub mod transports;
pub mod vault;

pub use bridge::{Bridge, run};
pub use config::Config;
pub use error::{Error, ErrorKind, Result};
