//! The HTTP API: every route on one screen, what is behind each in the file of its noun.

mod attempt;
mod auth;
mod body;
mod delivery;
mod endpoint;
mod event;
mod explain;
mod health;
mod meter;
mod payment_kit;
mod problem;
mod recovery;
mod secret;
pub mod server;
mod tag;
mod warning;
mod wish;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};

use self::problem::Problem;
use crate::dispatcher::Sender;
use crate::error::{Error, ErrorKind};
use crate::metrics::Metrics;
use crate::signing::AppKey;
use crate::store::Store;
use crate::vault::Vault;
use crate::watch::Watch;

/// The largest body of a request.
const BODY: usize = 256 * 1024;

/// What requests need.
#[derive(Debug, Clone)]
pub struct Api {
    /// Where everything is.
    pub store: Arc<dyn Store>,
    /// Whose guard judges URLs.
    pub sender: Sender,
    /// Where secrets are sealed.
    pub vault: Arc<Vault>,
    /// Whose components may call Payment Kit's API.
    pub app_key: Option<Arc<AppKey>>,
    /// How the bridge is doing.
    pub watch: Arc<Watch>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// All routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/events", post(event::publish))
        .route("/v1/events/{id}/explain", get(explain::explain))
        .route("/v1/endpoints", post(endpoint::create).get(endpoint::list))
        .route("/v1/endpoints/{id}", get(endpoint::retrieve).patch(endpoint::update).delete(endpoint::delete))
        .route("/v1/endpoints/{id}/pause", post(endpoint::pause))
        .route("/v1/endpoints/{id}/resume", post(endpoint::resume))
        .route("/v1/endpoints/{id}/rotate_secret", post(secret::rotate))
        .route("/v1/endpoints/{id}/secrets", get(secret::list))
        .route("/v1/endpoints/{id}/test", post(recovery::test))
        .route("/v1/endpoints/{id}/recover", post(recovery::recover))
        .route("/v1/deliveries", get(delivery::list))
        .route("/v1/deliveries/{id}", get(delivery::retrieve))
        .route("/v1/deliveries/{id}/attempts", get(attempt::of_delivery))
        .route("/v1/deliveries/{id}/resend", post(delivery::resend))
        .route("/v1/deliveries/{id}/release", post(delivery::release))
        .route("/v1/attempts", get(attempt::list))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(meter::metrics))
        .merge(payment_kit::routes())
        .fallback(|| async { Problem::from(Error::new(ErrorKind::NotFound, "there is no such route")) })
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(middleware::from_fn_with_state(api.clone(), meter::count))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(api)
}
