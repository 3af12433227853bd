//! Errors as Payment Kit's family of servers has them: `{"error": text}`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use crate::error::{Error, ErrorKind};

/// An error as an answer.
#[derive(Debug)]
pub(super) struct Refusal(Error);

#[derive(Serialize)]
struct Body {
    error: String,
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    /// Its client sends again what is answered with 5xx, so that is said only of what may pass.
    fn into_response(self) -> Response {
        let (status, inside) = match self.0.kind() {
            ErrorKind::Invalid => (StatusCode::BAD_REQUEST, false),
            ErrorKind::Unauthorized => (StatusCode::UNAUTHORIZED, false),
            ErrorKind::Forbidden => (StatusCode::FORBIDDEN, false),
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, false),
            ErrorKind::Outdated => (StatusCode::PRECONDITION_FAILED, false),
            ErrorKind::Conflict => (StatusCode::CONFLICT, false),
            ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, false),
            ErrorKind::Unavailable | ErrorKind::Closed => (StatusCode::SERVICE_UNAVAILABLE, true),
            ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, true),
        };
        if inside {
            tracing::error!(error = ?self.0, "a request failed");
        }
        let error = if inside { "see the log of the bridge".to_owned() } else { self.0.to_string() };
        (status, Json(Body { error })).into_response()
    }
}
