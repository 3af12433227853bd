//! GStable: its event types, the objects they are about, and the envelope its webhooks come in.
//!
//! - A **marker** for each of the 19 types, named as the type in PascalCase: [`SessionPaid`] is `session.paid`.
//!   `Event<SessionPaid>` is such an event, with its [`Session`] and its [`transaction`](crate::Event::transaction).
//! - [`GStableEvent`], the whole catalogue in one enum, and [`CATALOGUE`], the listing.
//! - The **objects**: [`Session`], [`PaymentLink`], [`Product`], [`Account`], [`Transaction`].
//! - [`Envelope`], what a webhook's body is, to an event and back; [`Family`], the spellings of a kind of resource.
//!
//! Names on the wire are GStable's own, in camel case. Money is an integer in micro-USD: 1 000 000 is one dollar. Field
//! sets and words are open, as everywhere; `null` and absent are taken alike.
//!
//! ```
//! use eventbus::gstable::{Envelope, GStableEvent, UtcOffset};
//! use eventbus::FromEvent;
//!
//! let webhook = r#"{"eventId": "evt_1", "eventType": "session.paid", "occurrence": "2026-01-04 08:10:35",
//!     "payload": {"sessionData": {"sessionId": "sess_1", "amount": 12500000}}}"#;
//! let envelope: Envelope = serde_json::from_str(webhook)?;
//! match GStableEvent::from_event(envelope.into_event(UtcOffset::UTC)?)? {
//!     GStableEvent::SessionPaid(paid) => assert_eq!(paid.object().amount, Some(12_500_000)),
//!     other => panic!("{other:?} is something else"),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod catalogue;
mod envelope;
mod family;
mod line_item;
mod offset;
mod payment_link;
mod product;
mod session;
mod transaction;

pub use account::{Account, AccountStatus, AccountType};
pub use catalogue::*;
pub use envelope::Envelope;
pub use family::{FAMILIES, Family};
pub use line_item::{ItemType, LineItem, LineItemProduct, LineItems};
pub use offset::UtcOffset;
pub use payment_link::{LinkStatus, LinkType, PaymentLink, PaymentLinkLineItems, SettlementToken};
pub use product::{Product, ProductAttribute, ProductStatus};
pub use session::{Session, SessionStatus};
pub use transaction::Transaction;

/// The source of GStable's events.
pub const SOURCE: &str = "gstable";
