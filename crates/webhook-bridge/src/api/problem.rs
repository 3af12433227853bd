//! Errors on the wire: RFC 9457, `application/problem+json`.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Documented};
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{Error, ErrorKind};

/// The media type of problems.
const TYPE: &str = "application/problem+json";

/// An error as an answer.
#[derive(Debug)]
pub(super) struct Problem(Error);

/// RFC 9457.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
struct Body<'a> {
    /// Stable: `urn:webhook-bridge:…`.
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    /// Which rule was broken, with the field's name before a colon.
    detail: &'a str,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        problem.0
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
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(TYPE));
    response
}

impl OperationOutput for Problem {
    type Inner = Self;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<u16>, Documented)> {
        let json = <axum::Json<Body<'static>> as OperationOutput>::operation_response(ctx, operation);
        let problem = json.map(|json| {
            let content = json.content.into_values().map(|media| (TYPE.to_owned(), media)).collect();
            (None, Documented { content, ..json })
        });
        problem.into_iter().collect()
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
        answer(status, &Body { kind, title, status: status.as_u16(), detail })
    }
}
