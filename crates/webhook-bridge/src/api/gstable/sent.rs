//! Who asks, and what is sent; refused in GStable's manner.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::Refusal;
use crate::api::Api;
use crate::api::auth::Caller;
use crate::api::body::{parse, read};
use crate::error::Error;
use crate::model::Mode;

/// Whoever has a key of the bridge: its mode is the account's. GStable has no test mode; ours is for rehearsals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    pub(super) mode: Mode,
}

/// A JSON body; what its fields are not is ignored.
#[derive(Debug)]
pub(super) struct Sent<T>(pub(super) T);

impl FromRequestParts<Api> for Account {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let caller = Caller::from_request_parts(parts, api).await;
        caller.map(|caller| Self { mode: caller.mode }).map_err(|problem| Error::from(problem).into())
    }
}

impl<T: DeserializeOwned> FromRequest<Api> for Sent<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Refusal> {
        Ok(Self(parse(&read(request, api).await?)?))
    }
}
