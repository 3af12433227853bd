//! Endpoints: create, list, retrieve.

use std::ops::RangeInclusive;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use bytes::Bytes;
use eventbus::Timestamp;
use eventbus::json::JsonMap;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::problem::Problem;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{EnabledEvents, Endpoint, EndpointId, EndpointUrl, Mode, NewEndpoint, Schedule, Secret};
use crate::signing::{FORMATS, Format};

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    url: String,
    enabled_events: Vec<String>,
    #[serde(default)]
    description: String,
    #[serde(default)]
    metadata: JsonMap,
    signature: Option<String>,
    /// A secret to bring along; otherwise one is made.
    secret: Option<String>,
    /// Seconds after each failed attempt.
    schedule: Option<Vec<u64>>,
    max_in_flight: Option<u32>,
    timeout_seconds: Option<u64>,
}

/// An endpoint on the wire: Payment Kit's fields, then ours.
#[derive(Serialize)]
pub(super) struct View {
    id: String,
    object: &'static str,
    livemode: bool,
    url: String,
    description: String,
    enabled_events: Vec<String>,
    metadata: JsonMap,
    status: &'static str,
    created_at: String,
    updated_at: String,
    signature: String,
    schedule: Vec<u64>,
    max_in_flight: u32,
    timeout_seconds: u64,
    /// Shown by `create` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// A list on the wire, as Payment Kit has it.
#[derive(Serialize)]
pub(super) struct List {
    count: usize,
    list: Vec<View>,
}

/// `POST /v1/endpoints`
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<View>), Problem> {
    let wish: Wish = serde_json::from_slice(&body).map_err(|cause| Error::invalid(cause.to_string()))?;
    let (new, secret) = check(&api, caller.mode, wish)?;
    api.sender.vet(&new.url).await?;
    let endpoint = api.store.create_endpoint(new, Timestamp::now()).await?;
    let view = View { secret: Some(secret.reveal().to_owned()), ..View::from(endpoint) };
    Ok((StatusCode::CREATED, Json(view)))
}

/// `GET /v1/endpoints`
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<List>, Problem> {
    let list: Vec<_> = api.store.endpoints(caller.mode).await?.into_iter().map(View::from).collect();
    Ok(Json(List { count: list.len(), list }))
}

/// `GET /v1/endpoints/{id}`
pub(super) async fn retrieve(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<View>, Problem> {
    let found = api.store.endpoint(caller.mode, EndpointId::new(id)).await?;
    let endpoint = found.ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such endpoint"))?;
    Ok(Json(endpoint.into()))
}

/// Parses every field once.
fn check(api: &Api, mode: Mode, wish: Wish) -> Result<(NewEndpoint, Secret)> {
    let url = EndpointUrl::parse(&wish.url)?;
    if mode.is_live() && url.as_url().scheme() != "https" {
        return Err(Error::invalid("url: live events go to https only"));
    }
    let format = wish.signature.map_or(Ok(&FORMATS[0]), |name| Format::find(&name))?;
    let secret = match wish.secret {
        Some(text) => Secret::new(text),
        None => format.generate()?,
    };
    format.check(&secret)?;
    format.target(url.as_url())?;
    let new = NewEndpoint {
        mode,
        url,
        description: limited("description", wish.description)?,
        enabled_events: EnabledEvents::parse(wish.enabled_events)?,
        metadata: wish.metadata,
        format: format.name.to_owned(),
        secret: api.vault.seal(&secret)?,
        schedule: wish.schedule.map_or(Ok(Schedule::default()), |waits| Schedule::from_seconds(&waits))?,
        max_in_flight: within("max_in_flight", wish.max_in_flight, 1..=64)?.unwrap_or(NewEndpoint::IN_FLIGHT),
        timeout: within("timeout_seconds", wish.timeout_seconds, 1..=30)?
            .map_or(NewEndpoint::TIMEOUT, Duration::from_secs),
    };
    Ok((new, secret))
}

fn limited(field: &str, text: String) -> Result<String> {
    const MOST: usize = 512;
    if text.chars().count() > MOST {
        return Err(Error::invalid(format!("{field}: must have at most {MOST} characters")));
    }
    Ok(text)
}

fn within<N>(field: &str, value: Option<N>, bounds: RangeInclusive<N>) -> Result<Option<N>>
where
    N: PartialOrd + Copy + std::fmt::Display,
{
    let (least, most) = bounds.into_inner();
    if value.is_some_and(|value| value < least || value > most) {
        return Err(Error::invalid(format!("{field}: must be from {least} to {most}")));
    }
    Ok(value)
}

impl From<Endpoint> for View {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            id: endpoint.id.as_str().to_owned(),
            object: "webhook_endpoint",
            livemode: endpoint.mode.is_live(),
            url: endpoint.url.as_str().to_owned(),
            description: endpoint.description,
            enabled_events: endpoint.enabled_events.texts().to_vec(),
            metadata: endpoint.metadata,
            status: endpoint.status.as_str(),
            created_at: endpoint.created_at.to_string(),
            updated_at: endpoint.updated_at.to_string(),
            signature: endpoint.format,
            schedule: endpoint.schedule.seconds(),
            max_in_flight: endpoint.max_in_flight,
            timeout_seconds: endpoint.timeout.as_secs(),
            secret: None,
        }
    }
}
