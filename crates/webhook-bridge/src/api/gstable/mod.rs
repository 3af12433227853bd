//! GStable's own API of webhooks, as its published client calls it, on endpoints that are signed `gstable`.
//!
//! What its documentation does not say is our choice, and a setting where it can be one: see [`GstableConfig`].

mod answer;
mod asked;
mod config;
mod sent;
mod webhook;

use axum::Router;
use axum::routing::{get, post};

use self::answer::{Answer, Done, Refusal};
use self::sent::{Account, Sent};
use super::Api;

pub use config::{GstableConfig, WhileInactive};

/// Its routes, at each of its paths.
pub(super) fn routes(config: &GstableConfig) -> Router<Api> {
    let at = |routes: Router<Api>, path: &String| {
        routes
            .route(&format!("{path}/webhook/create"), post(webhook::create))
            .route(&format!("{path}/webhook/update"), post(webhook::update))
            .route(&format!("{path}/webhook/list"), get(webhook::list))
            .route(&format!("{path}/webhook/detail/{{id}}"), get(webhook::detail))
            .route(&format!("{path}/webhook/disable"), post(webhook::disable))
            .route(&format!("{path}/webhook/enable"), post(webhook::enable))
            .route(&format!("{path}/webhook/key/refresh"), post(webhook::refresh))
            .route(&format!("{path}/webhook/remove"), post(webhook::remove))
    };
    config.paths.iter().fold(Router::new(), at)
}
