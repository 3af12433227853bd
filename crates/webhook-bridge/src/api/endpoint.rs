//! Endpoints: create, list, retrieve, update, delete, pause, resume, enable.

use axum::Json;
use axum::extract::State;
use eventbus::Timestamp;
use eventbus::json::JsonMap;
use eventbus::transport::Order;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::body::{Body, Id, Parameters};
use super::problem::Problem;
use super::reply::{Created, Shown};
use super::tag::Seen;
use super::warning::warnings;
use super::wish::{Changes, Creation, within};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    DisabledReason, Endpoint, EndpointChange, EndpointId, EndpointPage, EndpointStatus, Expected, Mode,
    Standing, Start,
};

/// An endpoint on the wire: Payment Kit's fields, then ours.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Endpoint")]
pub(super) struct View {
    id: String,
    object: &'static str,
    livemode: bool,
    api_version: String,
    url: String,
    description: String,
    enabled_events: Vec<String>,
    /// The only source whose events it gets; `null` for every source.
    source: Option<String>,
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    metadata: JsonMap,
    status: &'static str,
    created_at: String,
    created_via: &'static str,
    updated_at: String,
    /// Why it is disabled, when that is not its owner's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled_reason: Option<&'static str>,
    /// `none`, or `key`: what has one key is delivered in order.
    ordering: &'static str,
    signature: String,
    schedule: Vec<u64>,
    max_in_flight: u32,
    timeout_seconds: u64,
    /// `confirmed`, or `immediate`: when it is disabled for answering 410.
    gone_policy: &'static str,
    /// Shown by `retrieve` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    health: Option<HealthView>,
    /// Shown by `create` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// What was taken although it may not be what was meant.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(default)]
    warnings: Vec<String>,
}

/// How an endpoint is doing.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Health")]
struct HealthView {
    /// Until when nothing is sent to it: it asked for that, or its breaker is open.
    held_until: Option<String>,
    /// Since when every attempt failed.
    failing_since: Option<String>,
}

/// A page on the wire: Payment Kit's list, and where the next page begins.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EndpointList")]
pub(super) struct List {
    count: u64,
    list: Vec<View>,
    next: Option<String>,
}

/// Which page.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EndpointQuery")]
pub(super) struct Page {
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// `POST /v1/endpoints`
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(Creation(wish)): Body<Creation>,
) -> Result<Created<View>, Problem> {
    let (new, secret) = wish.create(&api, caller.mode).await?;
    let warnings = warnings(&new.enabled_events);
    let endpoint = api.store.create_endpoint(new, Timestamp::now()).await?;
    let version = endpoint.version;
    let view = View { secret: Some(secret.reveal().to_owned()), warnings, ..View::from(endpoint) };
    Ok(Created::tagged(view, version))
}

/// `GET /v1/endpoints`: the newest first.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Parameters(page): Parameters<Page>,
) -> Result<Json<List>, Problem> {
    let limit = within("limit", page.limit, 1..=100)?.unwrap_or(50);
    let start = page.cursor.map_or(Start::Skip(0), |id| Start::After(EndpointId::new(id)));
    let page = EndpointPage { order: Vec::new(), start, limit };
    let unknown = || Error::invalid("cursor: is not one of this list");
    let found = api.store.endpoints(caller.mode, page).await?.ok_or_else(unknown)?;
    let full = usize::try_from(limit).is_ok_and(|limit| found.list.len() == limit);
    let next = found.list.last().filter(|_| full).map(|endpoint| endpoint.id.as_str().to_owned());
    Ok(Json(List { count: found.count, list: found.list.into_iter().map(View::from).collect(), next }))
}

/// `GET /v1/endpoints/{id}`
pub(super) async fn retrieve(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
) -> Result<Shown<View>, Problem> {
    let endpoint = find(&api, caller.mode, id).await?;
    let health = standing(&api, &endpoint).await?.health;
    let health = HealthView {
        held_until: health.rest(Timestamp::now()).map(|at| at.to_string()),
        failing_since: health.failing_since().map(|at| at.to_string()),
    };
    let mut shown = shown(endpoint);
    shown.body.health = Some(health);
    Ok(shown)
}

/// `PATCH /v1/endpoints/{id}`: what is not sent stays.
pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Seen { id, expected }: Seen,
    Body(Changes(wish)): Body<Changes>,
) -> Result<Shown<View>, Problem> {
    let endpoint = find(&api, caller.mode, id).await?;
    let change = EndpointChange { expected, ..wish.change(&api, &endpoint).await? };
    let warnings = change.enabled_events.as_ref().map(warnings).unwrap_or_default();
    let mut shown = shown(store(&api, endpoint, change).await?);
    shown.body.warnings = warnings;
    Ok(shown)
}

/// `DELETE /v1/endpoints/{id}`: answers what was deleted.
pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Seen { id, expected }: Seen,
) -> Result<Json<View>, Problem> {
    let deleted = api.store.delete_endpoint(caller.mode, EndpointId::new(id), expected).await?;
    Ok(Json(deleted.ok_or_else(missing)?.into()))
}

/// `POST /v1/endpoints/{id}/pause`: what it is owed gathers until it is resumed.
pub(super) async fn pause(
    State(api): State<Api>,
    caller: Caller,
    Seen { id, expected }: Seen,
) -> Result<Shown<View>, Problem> {
    turn(&api, find(&api, caller.mode, id).await?, (EndpointStatus::Paused, expected)).await
}

/// `POST /v1/endpoints/{id}/resume`
pub(super) async fn resume(
    State(api): State<Api>,
    caller: Caller,
    Seen { id, expected }: Seen,
) -> Result<Shown<View>, Problem> {
    turn(&api, find(&api, caller.mode, id).await?, (EndpointStatus::Enabled, expected)).await
}

async fn turn(
    api: &Api,
    endpoint: Endpoint,
    (status, expected): (EndpointStatus, Expected),
) -> Result<Shown<View>, Problem> {
    if endpoint.status == EndpointStatus::Disabled {
        let message = "the endpoint is disabled: it gets nothing that could wait";
        return Err(Error::new(ErrorKind::Conflict, message).into());
    }
    let change = EndpointChange { status: Some(status), expected, ..EndpointChange::default() };
    Ok(shown(store(api, endpoint, change).await?))
}

pub(super) fn shown(endpoint: Endpoint) -> Shown<View> {
    let version = endpoint.version;
    Shown::tagged(endpoint.into(), version)
}

pub(super) async fn store(api: &Api, endpoint: Endpoint, change: EndpointChange) -> Result<Endpoint> {
    api.store.change_endpoint(endpoint.mode, endpoint.id, change).await?.ok_or_else(missing)
}

/// The endpoint of this id, if whoever asks may know of it.
pub(super) async fn find(api: &Api, mode: Mode, id: String) -> Result<Endpoint> {
    api.store.endpoint(mode, EndpointId::new(id)).await?.ok_or_else(missing)
}

/// How an endpoint stands.
pub(super) async fn standing(api: &Api, endpoint: &Endpoint) -> Result<Standing> {
    api.store.standing(endpoint.mode, endpoint.id.clone()).await?.ok_or_else(missing)
}

pub(super) fn missing() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such endpoint")
}

impl From<Endpoint> for View {
    fn from(endpoint: Endpoint) -> Self {
        let paused = endpoint.status == EndpointStatus::Paused;
        Self {
            id: endpoint.id.as_str().to_owned(),
            object: "webhook_endpoint",
            livemode: endpoint.mode.is_live(),
            api_version: endpoint.api_version,
            url: endpoint.url.written().to_owned(),
            description: endpoint.description,
            enabled_events: endpoint.enabled_events.texts().to_vec(),
            source: endpoint.source,
            metadata: endpoint.metadata,
            status: endpoint.status.word(),
            created_at: endpoint.created_at.to_string(),
            created_via: "api",
            updated_at: endpoint.updated_at.to_string(),
            disabled_reason: endpoint
                .disabled_reason
                .map(DisabledReason::as_str)
                .or_else(|| paused.then_some("paused")),
            ordering: if endpoint.order == Order::PerKey { "key" } else { "none" },
            signature: endpoint.format,
            schedule: endpoint.schedule.seconds(),
            max_in_flight: endpoint.max_in_flight,
            timeout_seconds: endpoint.timeout.as_secs(),
            gone_policy: endpoint.gone_policy.as_str(),
            health: None,
            secret: None,
            warnings: Vec::new(),
        }
    }
}
