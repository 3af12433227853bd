//! Payment Kit's own API of endpoints, as its published client `@blocklet/payment-js` calls it.

mod attempt;
mod endpoint;
mod list;
mod refusal;
mod signed;

use axum::Router;
use axum::routing::get;

use self::refusal::Refusal;
use self::signed::Signed;
use super::Api;

/// Its routes.
pub(super) fn routes() -> Router<Api> {
    Router::new().route("/api/webhook-endpoints", get(endpoint::list).post(endpoint::create)).route(
        "/api/webhook-endpoints/{id}",
        get(endpoint::retrieve).put(endpoint::update).delete(endpoint::delete),
    )
}
