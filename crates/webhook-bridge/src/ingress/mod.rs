//! Webhooks of others: verified over the bytes as they came, bounded, read as events.
//!
//! A [`Source`] is who may send, by which scheme of [`signing`](crate::signing::SCHEMES), with which secrets.
//! [`Webhook`] takes one in an application's own server; what the bridge does with one at `/in/{source}` is in [`Ingress`].
//!
//! ```
//! use axum::{Router, http::StatusCode, routing::post};
//! use eventbus::payment_kit::PaymentEvent;
//! use webhook_bridge::ingress::{Source, SourceConfig, Webhook};
//!
//! async fn paid(Webhook(event): Webhook<PaymentEvent>) -> StatusCode {
//!     // An event may come twice, with the same id.
//!     println!("{}", event.as_event().id());
//!     StatusCode::NO_CONTENT
//! }
//!
//! # fn main() -> webhook_bridge::Result<()> {
//! let key = "0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
//! let source = Source::new("payments", SourceConfig::new("payment-kit", key))?;
//! let app: Router = Router::new().route("/hooks", post(paid)).with_state(source);
//! # Ok(())
//! # }
//! ```

mod body;
mod config;
mod extract;
#[cfg(feature = "bridge")]
mod filter;
#[cfg(feature = "bridge")]
mod memory;
#[cfg(feature = "bridge")]
mod receive;
mod refused;
#[cfg(feature = "bridge")]
mod seen;
mod source;
#[cfg(feature = "bridge")]
mod uncancelled;

pub use config::SourceConfig;
pub use extract::Webhook;
#[cfg(feature = "bridge")]
pub use receive::Ingress;
pub use refused::Refused;
pub use source::Source;

#[cfg(feature = "bridge")]
pub(crate) use receive::{PATH, receive};
