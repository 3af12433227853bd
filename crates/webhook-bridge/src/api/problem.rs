//! Errors on the wire: RFC 9457, `application/problem+json`.

use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use crate::error::{Error, ErrorKind};

/// An error as an answer.
#[derive(Debug)]
pub(super) struct Problem(Error);

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl Problem {
    /// Status, stable type and title.
    fn row(&self) -> (StatusCode, &'static str, &'static str) {
        match self.0.kind() {
            ErrorKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "urn:webhook-bridge:invalid", "Invalid"),
            ErrorKind::Unauthorized => {
                (StatusCode::UNAUTHORIZED, "urn:webhook-bridge:unauthorized", "Unauthorized")
            }
            ErrorKind::Forbidden => (StatusCode::FORBIDDEN, "urn:webhook-bridge:forbidden", "Forbidden"),
            ErrorKind::NotFound => (StatusCode::NOT_FOUND, "urn:webhook-bridge:not-found", "Not found"),
            ErrorKind::Conflict => (StatusCode::CONFLICT, "urn:webhook-bridge:conflict", "Conflict"),
            ErrorKind::Outdated => {
                (StatusCode::PRECONDITION_FAILED, "urn:webhook-bridge:outdated", "Changed meanwhile")
            }
            ErrorKind::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "urn:webhook-bridge:too-large", "Too large")
            }
            ErrorKind::Unavailable | ErrorKind::Closed => {
                (StatusCode::SERVICE_UNAVAILABLE, "urn:webhook-bridge:unavailable", "Unavailable")
            }
            ErrorKind::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "urn:webhook-bridge:internal", "Internal")
            }
        }
    }
}

/// The answer to a method that a route does not have.
pub(super) async fn wrong_method() -> Response {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let (kind, title) = ("urn:webhook-bridge:method-not-allowed", "Method not allowed");
    answer(status, &Body { kind, title, status: status.as_u16(), detail: "see the header Allow" })
}

fn answer(status: StatusCode, body: &Body<'_>) -> Response {
    let mut response = (status, axum::Json(body)).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, kind, title) = self.row();
        let text = self.0.to_string();
        // What failed inside is for the log, not for whoever asked.
        let inside = matches!(self.0.kind(), ErrorKind::Internal | ErrorKind::Unavailable);
        if inside {
            tracing::error!(error = ?self.0, "a request failed");
        }
        let detail = if inside { "see the log of the bridge" } else { &text };
        answer(status, &Body { kind, title, status: status.as_u16(), detail })
    }
}
