//! Who asks: a bearer key, which says the mode.

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use eventbus::Timestamp;

use super::Api;
use super::problem::Problem;
use crate::error::{Error, ErrorKind};
use crate::model::{KeyDigest, Mode};

/// Whoever sent a key that is known; sees and does only what is of its mode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Caller {
    pub(super) mode: Mode,
    /// When the key runs out.
    expires_at: Option<Timestamp>,
}

impl Caller {
    /// Refuses who was let in for a time: what makes or deletes keys would outlive that.
    pub(super) fn lasting(&self) -> Result<(), Error> {
        let message = "this key runs out: one that does not makes and deletes keys";
        self.expires_at.map_or(Ok(()), |_| Err(Error::new(ErrorKind::Forbidden, message)))
    }
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let unauthorized =
            || Error::new(ErrorKind::Unauthorized, "send `Authorization: Bearer` and an API key");
        let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let (scheme, key) = header.and_then(|value| value.split_once(' ')).ok_or_else(unauthorized)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(unauthorized().into());
        }
        let found = api.store.key(KeyDigest::of(key.trim())).await?.ok_or_else(unauthorized)?;
        Ok(Self { mode: found.mode, expires_at: found.expires_at })
    }
}
