//! Help for an application's own tests: a bus that records what goes through it, says when it is quiet, and breaks on
//! demand.
//!
//! [`TestBus`] is an [`EventBus`](crate::EventBus) over the local transport. On paused time
//! (`#[tokio::test(start_paused = true)]`) [`settled`](TestBus::settled) jumps over retries and delays, so a test of an
//! hour of back-off takes milliseconds. [`Fault`]s are scripted beforehand and reported afterwards.
//!
//! ```
//! use eventbus::payment_kit::{InvoicePaid, Invoice};
//! use eventbus::testing::{Fault, TestBus};
//! use eventbus::{Event, Idempotency, MemoryStore};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> eventbus::Result<()> {
//! let bus = TestBus::new().await?;
//! bus.subscribe("ledger")
//!     .on(|paid: Event<InvoicePaid>| async move {
//!         println!("book {}", paid.object().id);
//!         Ok(())
//!     })
//!     .idempotent(Idempotency::new(MemoryStore::new(1_000)))
//!     .start()
//!     .await?;
//!
//! bus.inject(Fault::crash_before_ack("ledger")); // the handler runs, its process dies before the ack
//! bus.publish(InvoicePaid::new(Invoice { id: "in_1".into(), ..Invoice::default() })).await?;
//! bus.settled().await;
//!
//! assert_eq!(bus.published_of::<InvoicePaid>().len(), 1);
//! assert_eq!(bus.handled("ledger").len(), 1);
//! assert_eq!(bus.injected().len(), 1);
//! # Ok(())
//! # }
//! ```

mod bus;
mod fault;
mod held;
mod member;
mod record;
mod reorder;
mod transport;

pub use bus::TestBus;
pub use fault::{Fault, FaultKind, Injected};
