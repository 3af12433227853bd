//! Sessions of the dashboard: begun with an API key, told of, ended.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{Operation, Response as Documented};
use axum::Json;
use axum::extract::State;
use axum::response::{AppendHeaders, IntoResponse, Response};
use eventbus::Timestamp;
use http::HeaderMap;
use http::header::SET_COOKIE;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Api;
use super::auth::{Caller, Visit};
use super::body::Body;
use super::problem::Problem;
use super::reply::{Created, Shown};
use crate::dashboard::Access;
use crate::error::{Error, ErrorKind};
use crate::model::{KeyDigest, KeyRecord};

/// Who is signed in, on the wire.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub(super) struct View {
    object: &'static str,
    livemode: bool,
    /// The id of the key it stands for, and its name.
    key: String,
    name: String,
    /// When the key runs out.
    expires_at: Option<String>,
}

/// What is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SessionRequest")]
pub(super) struct Asked {
    /// The API key, whose mode and rights the session has.
    key: Option<String>,
}

/// An answer that gives the browser a cookie, or takes it away.
pub(super) struct Baked<T> {
    cookie: String,
    body: T,
}

/// `POST /v1/session`: a browser is signed in, by a cookie that its scripts cannot read.
pub(super) async fn create(
    State(api): State<Api>,
    _visit: Visit,
    headers: HeaderMap,
    Body(asked): Body<Asked>,
) -> Result<Baked<Created<View>>, Problem> {
    let unknown = || Error::new(ErrorKind::Unauthorized, "key: this API key is not known");
    let access = api.dashboard.access;
    if access == Access::Off {
        return Err(unknown().into());
    }
    let digest = KeyDigest::of(asked.key.ok_or_else(unknown)?.trim());
    let found = api.store.key(digest).await?.ok_or_else(unknown)?;
    let id = api.dashboard.sessions.begin(digest, Instant::now());
    tracing::info!(key = found.id, "somebody signed in to the dashboard");
    Ok(Baked { cookie: access.set_cookie(&headers, &id), body: Created::new(found.into()) })
}

/// `GET /v1/session`: whose key it is.
pub(super) async fn retrieve(State(api): State<Api>, caller: Caller) -> Result<Json<View>, Problem> {
    let gone = || Error::new(ErrorKind::Unauthorized, "the key is gone");
    Ok(Json(caller.key(&api).await?.ok_or_else(gone)?.into()))
}

/// `DELETE /v1/session`: the browser is signed out.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Baked<Shown<View>>, Problem> {
    let gone = || Error::new(ErrorKind::Unauthorized, "the key is gone");
    let key = caller.key(&api).await?.ok_or_else(gone)?;
    caller.session().into_iter().for_each(|id| api.dashboard.sessions.end(id));
    api.streams.look_again();
    Ok(Baked { cookie: api.dashboard.access.set_cookie(&headers, ""), body: Shown::new(key.into()) })
}

impl From<KeyRecord> for View {
    fn from(key: KeyRecord) -> Self {
        Self {
            object: "session",
            livemode: key.mode.is_live(),
            key: key.id,
            name: key.name,
            expires_at: key.expires_at.map(|at: Timestamp| at.to_string()),
        }
    }
}

impl<T: IntoResponse> IntoResponse for Baked<T> {
    fn into_response(self) -> Response {
        (AppendHeaders([(SET_COOKIE, self.cookie)]), self.body).into_response()
    }
}

impl<T: OperationOutput> OperationOutput for Baked<T> {
    type Inner = T::Inner;

    fn inferred_responses(ctx: &mut GenContext, operation: &mut Operation) -> Vec<(Option<u16>, Documented)> {
        T::inferred_responses(ctx, operation)
    }
}
