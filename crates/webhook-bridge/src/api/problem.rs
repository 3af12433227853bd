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
            ErrorKind::Unavailable | ErrorKind::Closed => {
                (StatusCode::SERVICE_UNAVAILABLE, "urn:webhook-bridge:unavailable", "Unavailable")
            }
            ErrorKind::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "urn:webhook-bridge:internal", "Internal")
            }
        }
    }
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
        let body = axum::Json(Body { kind, title, status: status.as_u16(), detail });
        let mut response = (status, body).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}
