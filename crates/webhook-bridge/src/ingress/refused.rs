//! Why a request is refused, and what whoever sent it is told.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use crate::error::Error;
use crate::signing::Refusal;

/// When a provider may try again, in seconds.
const LATER: &str = "5";

/// Why a request is refused.
#[derive(Debug)]
#[non_exhaustive]
pub enum Refused {
    /// There is no such source. Told as a wrong signature is, but for the status.
    Unknown,
    /// It is not believed. Whoever sent it is not told why.
    Signature(Refusal),
    /// Its body is too large.
    TooLarge,
    /// Its body is compressed: a small one could be made to fill the memory.
    Encoded,
    /// Its body broke off, or did not come in time.
    Broken,
    /// It is signed, and no event that is taken.
    Event(Error),
    /// It cannot be kept at present.
    Unavailable(Error),
}

impl Refused {
    /// The status that is answered.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Signature(_) => StatusCode::UNAUTHORIZED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::Event(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// One word, for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Signature(refusal) => refusal.as_str(),
            Self::TooLarge => "too_large",
            Self::Encoded => "encoded",
            Self::Broken => "broken",
            Self::Event(_) => "event",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// Says in the log why, without anything of the body.
    pub(super) fn note(&self, source: &str) {
        let reason = self.reason();
        match self {
            // Anybody can ask for any.
            Self::Unknown => tracing::debug!(reason, "a webhook was refused"),
            Self::Unavailable(error) => tracing::error!(source, %error, "a webhook could not be kept"),
            // What breaks a rule may be quoted, so only whoever sent it is told.
            Self::Event(_) => {
                tracing::warn!(source, reason, "a signed webhook was refused; its answer says why");
            }
            _ => tracing::info!(source, reason, "a webhook was refused"),
        }
    }

    /// Stable type, title, and the rule that was broken where whoever sent it may know.
    fn words(&self) -> (&'static str, &'static str, Option<String>) {
        match self {
            Self::Unknown | Self::Signature(_) => ("refused", "Refused", None),
            Self::TooLarge => ("too-large", "Too large", None),
            Self::Encoded => ("encoded", "A body has to come as it is, without Content-Encoding", None),
            Self::Broken => ("broken", "The body broke off", None),
            Self::Event(error) => ("invalid", "Invalid", Some(error.to_string())),
            Self::Unavailable(_) => ("unavailable", "Unavailable", None),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (kind, title, detail) = self.words();
        let mut problem = json!({ "type": format!("urn:webhook-bridge:{kind}"), "title": title });
        if let Some(detail) = detail {
            problem["detail"] = detail.into();
        }
        let mut response = (self.status(), problem.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if matches!(self, Self::Unavailable(_)) {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(LATER));
        }
        response
    }
}
