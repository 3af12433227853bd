//! `/metrics`, and what is counted and logged of requests.
//!
//! Whoever reaches the listener may read them: they hold numbers and words of this program, nothing of a customer.

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::Method;
use tracing::Instrument as _;
use tracing::field::Empty;

use super::Api;
use crate::trace;

/// `GET /metrics`: OpenMetrics, as Prometheus reads it.
pub(super) async fn metrics(State(api): State<Api>) -> impl IntoResponse {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    api.watch.report(&api.metrics);
    ([(CONTENT_TYPE, OPEN_METRICS)], api.metrics.text())
}

/// Counts each request by its route, not by its path: that has ids in it. What is logged meanwhile has the trace of
/// whoever asks.
pub(super) async fn count(
    State(api): State<Api>,
    route: Option<MatchedPath>,
    request: Request,
    next: Next,
) -> Response {
    let method = word(request.method());
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let context = trace::read(request.headers()).map(|context| context.child());
    let (trace_id, span_id) = trace::ids(context.as_ref());
    let span = tracing::info_span!("request", method, route, event = Empty, trace_id, span_id);
    let response = next.run(request).instrument(span).await;
    api.metrics.answered(method, route, response.status().as_u16());
    response
}

fn word(method: &Method) -> &'static str {
    const KNOWN: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    KNOWN.into_iter().find(|known| *known == method.as_str()).unwrap_or("other")
}
