//! Whether the bridge lives, and whether it does its work: for whoever starts it and sends requests to it, so without a
//! key.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;

use super::Api;
use crate::watch::Fault;

/// How the bridge is doing.
#[derive(Debug, Serialize)]
pub(super) struct Readiness {
    status: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<Fault>,
}

/// `GET /health/live`: the process answers.
pub(super) async fn live() -> &'static str {
    "ok"
}

/// `GET /health/ready`: 200, or 503 with what is wrong.
pub(super) async fn ready(State(api): State<Api>) -> (StatusCode, Json<Readiness>) {
    let faults = api.watch.faults();
    let (code, status) = match faults.is_empty() {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    (code, Json(Readiness { status, faults }))
}
