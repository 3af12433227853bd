//! Answers that say their status in their type, so that the document cannot say another.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Documented};
use axum::Json;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

/// JSON with this status.
#[derive(Debug)]
pub(super) struct Reply<const STATUS: u16, T> {
    pub(super) body: T,
    /// The version of what it shows, for `ETag`.
    version: Option<u64>,
}

/// What was asked for.
pub(super) type Shown<T> = Reply<200, T>;
/// Something was made.
pub(super) type Created<T> = Reply<201, T>;
/// Something was stored that is done later.
pub(super) type Accepted<T> = Reply<202, T>;

impl<const STATUS: u16, T> Reply<STATUS, T> {
    pub(super) fn new(body: T) -> Self {
        Self { body, version: None }
    }

    pub(super) fn tagged(body: T, version: u64) -> Self {
        Self { body, version: Some(version) }
    }
}

/// JSON about what was stored now, 202, or was there already, 200.
#[derive(Debug)]
pub(super) enum Stored<T> {
    New(T),
    Known(T),
}

impl<const STATUS: u16, T: Serialize> IntoResponse for Reply<STATUS, T> {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(STATUS).unwrap_or(StatusCode::OK);
        let mut response = (status, Json(self.body)).into_response();
        // Digits in quotes are always a header.
        let tag = self.version.and_then(|version| HeaderValue::from_str(&format!("\"{version}\"")).ok());
        if let Some(tag) = tag {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

impl<T: Serialize> IntoResponse for Stored<T> {
    fn into_response(self) -> Response {
        match self {
            Self::New(body) => Accepted::new(body).into_response(),
            Self::Known(body) => Shown::new(body).into_response(),
        }
    }
}

type Responses = Vec<(Option<u16>, Documented)>;

/// The schema of a body, for each of these statuses.
fn of<T: JsonSchema>(ctx: &mut GenContext, operation: &mut Operation, statuses: &[u16]) -> Responses {
    let response = <Json<T> as OperationOutput>::operation_response(ctx, operation);
    let one = |status: &u16| response.clone().map(|response| (Some(*status), response));
    statuses.iter().filter_map(one).collect()
}

impl<const STATUS: u16, T: JsonSchema> OperationOutput for Reply<STATUS, T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Responses {
        of::<T>(ctx, operation, &[STATUS])
    }
}

impl<T: JsonSchema> OperationOutput for Stored<T> {
    type Inner = T;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Responses {
        of::<T>(ctx, operation, &[200, 202])
    }
}
