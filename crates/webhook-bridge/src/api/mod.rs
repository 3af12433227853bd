//! The HTTP API: every route on one screen, what is behind each in the file of its noun.

mod auth;
mod endpoint;
mod event;
mod problem;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use self::problem::Problem;
use crate::dispatcher::Sender;
use crate::error::{Error, ErrorKind};
use crate::store::Store;
use crate::vault::Vault;

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
}

/// All routes.
pub fn router(api: Api) -> Router {
    Router::new()
        .route("/v1/events", post(event::publish))
        .route("/v1/endpoints", post(endpoint::create).get(endpoint::list))
        .route("/v1/endpoints/{id}", get(endpoint::retrieve))
        .route("/health/live", get(|| async { "ok" }))
        .fallback(|| async { Problem::from(Error::new(ErrorKind::NotFound, "there is no such route")) })
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(api)
}
