//! ArcBlock Payment Kit: its event types and the objects they are about.
//!
//! - A **marker** for each type, named as the type in PascalCase: [`CustomerSubscriptionRenewed`] is
//!   `customer.subscription.renewed`. `Event<CustomerSubscriptionRenewed>` is such an event, with its [`Subscription`].
//! - [`PaymentEvent`], the whole catalogue in one enum.
//! - [`CATALOGUE`], the listing: type, object, description.
//! - The **objects**, named as the provider names them: [`Invoice`], [`CheckoutSession`], …
//!
//! Types, fields and words follow `@blocklet/payment-types` 1.27.2. None of the three is closed: a type that is not
//! listed is [`PaymentEvent::Other`], a field that is not documented stays in the object's `extra`, and a word that is
//! not documented is the enum's `Other`. Types without a documented object carry a [`JsonMap`](crate::json::JsonMap).
//!
//! ```
//! use eventbus::FromEvent;
//! use eventbus::payment_kit::{CustomerSubscriptionRenewed, PaymentEvent, Subscription};
//!
//! let subscription = Subscription { id: "sub_1".into(), ..Subscription::default() };
//! let event = CustomerSubscriptionRenewed::new(subscription).build()?;
//! match PaymentEvent::from_event(event.into_any())? {
//!     PaymentEvent::CustomerSubscriptionRenewed(renewed) => assert_eq!(renewed.object().id, "sub_1"),
//!     other => panic!("{other:?} is something else"),
//! }
//! # Ok::<(), eventbus::Error>(())
//! ```

mod catalogue;
mod objects;

pub use catalogue::*;
pub use objects::*;

/// The source of Payment Kit's events.
pub const SOURCE: &str = "payment-kit";
