//! Answers as GStable has them: `{"code":0,"message":"success","data":…}`, and what was refused with another code.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, ErrorKind};

/// What was asked for.
#[derive(Debug)]
pub(super) struct Answer<T>(pub(super) T);

/// Why it was refused. The code says what to do; the message is for people.
#[derive(Debug)]
pub(super) struct Refusal {
    error: Error,
    /// In place of the usual one.
    code: Option<i64>,
}

/// It was done.
#[derive(Debug, Serialize)]
pub(super) struct Done {
    pub(super) success: bool,
}

#[derive(Serialize)]
struct Body<T> {
    code: i64,
    message: String,
    data: T,
}

impl Refusal {
    /// With a code that is a setting.
    pub(super) fn coded(code: i64, error: Error) -> Self {
        Self { error, code: Some(code) }
    }

    /// The status, GStable's code, and what its documentation calls that. Where it is not asked right, or not at all, the code
    /// is the status, which is what its client makes of an answer without one.
    fn row(&self) -> (StatusCode, i64, &'static str) {
        match self.error.kind() {
            ErrorKind::Invalid => (StatusCode::OK, 400_101, "Invalid field format"),
            ErrorKind::Unauthorized => (StatusCode::UNAUTHORIZED, 401, "Unauthorized"),
            ErrorKind::Forbidden => (StatusCode::FORBIDDEN, 403, "Forbidden"),
            ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, 413, "Too large"),
            ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Outdated => {
                (StatusCode::OK, 900_202, "Failed to update record")
            }
            ErrorKind::Unavailable | ErrorKind::Closed => {
                (StatusCode::SERVICE_UNAVAILABLE, 999_999, "Internal system error")
            }
            ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, 999_999, "Internal system error"),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { error, code: None }
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        Json(Body { code: 0, message: "success".to_owned(), data: self.0 }).into_response()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, usual, title) = self.row();
        let message = if status.is_server_error() {
            tracing::error!(error = ?self.error, "a request failed");
            title.to_owned()
        } else if self.code.is_some() {
            self.error.to_string()
        } else {
            format!("{title}: {}", self.error)
        };
        let code = self.code.unwrap_or(usual);
        (status, Json(Body { code, message, data: Value::Null })).into_response()
    }
}
