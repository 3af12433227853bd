//! Signing secrets: rotated with an overlap, listed without their texts.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use eventbus::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::body::{Body, Id};
use super::endpoint::{find, missing};
use super::problem::Problem;
use super::wish::within;
use crate::error::{Error, Result};
use crate::model::{Rotation, Secret, SecretVersion};
use crate::signing::Format;

/// For how long the former secrets still sign, in seconds, where a request may have several signatures: a day, at most a
/// week.
const OVERLAP: (u64, u64) = (86_400, 604_800);

/// What is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RotateRequest")]
pub(super) struct Asked {
    /// A secret to bring along; otherwise one is made.
    secret: Option<String>,
    #[schemars(range(min = 0, max = 604800))]
    overlap_seconds: Option<u64>,
}

/// A secret on the wire.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Secret")]
struct View {
    version: u32,
    created_at: String,
    /// When it stops signing; `null` for the one that signs until the next rotation.
    expires_at: Option<String>,
}

/// The secrets on the wire, the newest first.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "SecretList")]
pub(super) struct List {
    /// The new one; shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    list: Vec<View>,
}

/// `POST /v1/endpoints/{id}/rotate_secret`
pub(super) async fn rotate(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Body(asked): Body<Asked>,
) -> Result<Json<List>, Problem> {
    let endpoint = find(&api, caller.mode, id).await?;
    let format = Format::find(&endpoint.format)?;
    let secret = asked.secret.map_or_else(|| format.generate(), |text| Ok(Secret::new(text)))?;
    format.check(&secret)?;
    let overlap = overlap(format, asked.overlap_seconds)?;
    let rotation = Rotation {
        secret: api.vault.seal(&secret)?,
        overlap: Duration::from_secs(overlap),
        now: Timestamp::now(),
    };
    let secrets = api.store.rotate_secret(caller.mode, endpoint.id, rotation).await?;
    let list = view(secrets.ok_or_else(missing)?);
    Ok(Json(List { secret: Some(secret.reveal().to_owned()), list }))
}

/// How long the former secrets sign beside the new one: not at all where a request has room for one signature.
fn overlap(format: &Format, asked: Option<u64>) -> Result<u64> {
    let (usual, most) = if format.overlaps() { OVERLAP } else { (0, 0) };
    let overlap = within("overlap_seconds", asked, 0..=most);
    let why = |error| match format.overlaps() {
        true => error,
        false => Error::invalid(format!("overlap_seconds: must be 0, for {} has one signature", format.name)),
    };
    Ok(overlap.map_err(why)?.unwrap_or(usual))
}

/// `GET /v1/endpoints/{id}/secrets`
pub(super) async fn list(State(api): State<Api>, caller: Caller, Id(id): Id) -> Result<Json<List>, Problem> {
    let endpoint = find(&api, caller.mode, id).await?;
    let list = view(api.store.secrets(caller.mode, endpoint.id).await?);
    Ok(Json(List { secret: None, list }))
}

fn view(secrets: Vec<SecretVersion>) -> Vec<View> {
    let view = |secret: SecretVersion| View {
        version: secret.version,
        created_at: secret.created_at.to_string(),
        expires_at: secret.expires_at.map(|at| at.to_string()),
    };
    secrets.into_iter().map(view).collect()
}
