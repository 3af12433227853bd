//! API keys: made and shown once, listed, deleted. Each is for its own mode, and so are the keys it sees and makes.

use axum::Json;
use axum::extract::State;
use eventbus::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::body::{Body, Id};
use super::delivery::{List, time};
use super::problem::Problem;
use super::reply::Created;
use super::wish::limited;
use crate::error::{Error, ErrorKind};
use crate::model::{ApiKey, KeyRecord, NewKey};

/// A key on the wire.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ApiKey")]
pub(super) struct View {
    id: String,
    object: &'static str,
    livemode: bool,
    name: String,
    created_at: String,
    expires_at: Option<String>,
    /// To the minute.
    last_used_at: Option<String>,
    /// The key itself. Shown by `create` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// What is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ApiKeyRequest")]
pub(super) struct Asked {
    /// Whose it is, or what for.
    #[schemars(length(max = 512))]
    name: Option<String>,
    expires_at: Option<String>,
}

/// `POST /v1/api_keys`: not with a key that runs out.
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(asked): Body<Asked>,
) -> Result<Created<View>, Problem> {
    caller.lasting()?;
    let (mode, now) = (caller.mode, Timestamp::now());
    let name = limited("name", asked.name)?.unwrap_or_default();
    let expires_at = time("expires_at", asked.expires_at)?;
    if expires_at.is_some_and(|at| at <= now) {
        return Err(Error::invalid("expires_at: must be later than now").into());
    }
    let key = ApiKey::generate(mode);
    let made = api.store.create_key(NewKey { digest: key.digest(), mode, name, expires_at }, now).await?;
    Ok(Created::new(View { key: Some(key.reveal().to_owned()), ..made.into() }))
}

/// `GET /v1/api_keys`: the newest first.
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<List<View>>, Problem> {
    let list = api.store.keys(caller.mode).await?.into_iter().map(View::from).collect();
    Ok(Json(List { list, next: None }))
}

/// `DELETE /v1/api_keys/{id}`: answers what was deleted, also the one that asks; never the last one that does not run
/// out, and not with one that does.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<View>, Problem> {
    caller.lasting()?;
    let missing = || Error::new(ErrorKind::NotFound, "there is no such key");
    let deleted = api.store.delete_key(caller.mode, id).await?.ok_or_else(missing)?;
    api.streams.look_again();
    Ok(Json(deleted.into()))
}

impl From<KeyRecord> for View {
    fn from(key: KeyRecord) -> Self {
        Self {
            id: key.id,
            object: "api_key",
            livemode: key.mode.is_live(),
            name: key.name,
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
            last_used_at: key.last_used_at.map(|at| at.to_string()),
            key: None,
        }
    }
}
