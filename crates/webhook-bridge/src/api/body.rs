//! Body and query of a request, parsed, or a problem that says where they cannot be.

use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use bytes::Bytes;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Api;
use super::problem::Problem;
use crate::error::{Error, ErrorKind, Result};

/// A JSON body, whatever its `Content-Type` says; one that is empty is an empty object.
#[derive(Debug)]
pub(super) struct Body<T>(pub(super) T);

/// What the query of the URL names.
#[derive(Debug)]
pub(super) struct Parameters<T>(pub(super) T);

/// The id in the path.
#[derive(Debug)]
pub(super) struct Id(pub(super) String);

/// A body as it came, and the headers.
#[derive(Debug)]
pub(super) struct Raw {
    pub(super) headers: HeaderMap,
    pub(super) bytes: Bytes,
}

/// A body of several events as it came, and the headers.
#[derive(Debug)]
pub(super) struct Several(pub(super) Raw);

impl FromRequest<Api> for Several {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        Raw::from_request(request, api).await.map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        Ok(Self(parse(&read(request, api).await?)?))
    }
}

impl<T: DeserializeOwned> FromRequestParts<Api> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let query = Query::try_from_uri(&parts.uri);
        let Query(parameters) = query.map_err(|rejection| Error::invalid(rejection.body_text()))?;
        Ok(Self(parameters))
    }
}

impl FromRequestParts<Api> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, api).await;
        let Path(id) = path.map_err(|rejection| Error::invalid(rejection.body_text()))?;
        Ok(Self(id))
    }
}

impl FromRequest<Api> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        Ok(Self { headers, bytes: read(request, api).await? })
    }
}

/// Reads a body up to the limit of the router.
pub(super) async fn read(request: Request, api: &Api) -> Result<Bytes> {
    let read = Bytes::from_request(request, api).await;
    read.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::new(ErrorKind::TooLarge, "the body is too large"),
        _ => Error::invalid("the body broke off"),
    })
}

/// Parses JSON.
pub(super) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|cause| Error::invalid(cause.to_string()))
}
