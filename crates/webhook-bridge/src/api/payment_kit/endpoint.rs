//! Its endpoints: create, list, retrieve, update, delete.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use eventbus::Timestamp;
use eventbus::json::JsonMap;
use serde::{Deserialize, Serialize};

use super::list::page;
use super::{Refusal, Signed, attempt};
use crate::api::Api;
use crate::api::body::parse;
use crate::api::wish::Wish;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{AttemptFilter, Endpoint, EndpointId, Expected};

/// For how long the same request to make an endpoint makes no second one: its client sends it up to four times, each
/// signed anew, when an answer is lost; and a signature is good for so long.
const AGAIN: Duration = Duration::from_secs(300);

/// How many of its attempts come with an endpoint.
const ATTEMPTS: u32 = 10;

/// What is asked for; what else is sent is ignored, as its server does.
#[derive(Deserialize)]
struct Asked {
    url: Option<String>,
    enabled_events: Option<Vec<String>>,
    description: Option<String>,
    metadata: Option<JsonMap>,
    status: Option<String>,
    api_version: Option<String>,
}

/// `TWebhookEndpoint`
#[derive(Serialize)]
pub(super) struct View {
    id: String,
    livemode: bool,
    api_version: String,
    url: String,
    description: String,
    enabled_events: Vec<String>,
    metadata: JsonMap,
    status: &'static str,
    created_at: String,
    created_via: &'static str,
    updated_at: String,
}

/// `TWebhookEndpointExpanded`
#[derive(Serialize)]
pub(super) struct Expanded {
    object: &'static str,
    #[serde(flatten)]
    endpoint: View,
    /// The newest ones.
    attempts: Vec<attempt::View>,
}

/// `Paginated`
#[derive(Serialize)]
pub(super) struct Paginated {
    count: u64,
    list: Vec<Expanded>,
}

type Answer<T> = Result<Json<T>, Refusal>;

/// `POST /api/webhook-endpoints`
pub(super) async fn create(State(api): State<Api>, request: Signed) -> Answer<View> {
    let mut wish: Wish = parse::<Asked>(&request.body)?.into();
    if let Some(secret) = api.app_key.as_ref().and_then(|key| key.secret()) {
        // Its receivers know this key, and are never told another.
        wish.signature = Some("payment-kit".to_owned());
        wish.secret = Some(secret.reveal().to_owned());
    }
    let (new, _) = wish.create(&api, request.mode).await?;
    let now = Timestamp::now();
    let since = Timestamp::from_millis(now.as_millis() - i64::try_from(AGAIN.as_millis()).unwrap_or(0));
    Ok(Json(api.store.create_endpoint_once(new, since, now).await?.into()))
}

/// `GET /api/webhook-endpoints`
pub(super) async fn list(State(api): State<Api>, request: Signed) -> Answer<Paginated> {
    let unknown = || Error::invalid("starting_after, ending_before: there is no such endpoint");
    let found = api.store.endpoints(request.mode, page(&request.query)?).await?.ok_or_else(unknown)?;
    let mut list = Vec::with_capacity(found.list.len());
    for endpoint in found.list {
        list.push(expand(&api, endpoint).await?);
    }
    Ok(Json(Paginated { count: found.count, list }))
}

/// `GET /api/webhook-endpoints/{id}`
pub(super) async fn retrieve(
    State(api): State<Api>,
    Path(id): Path<String>,
    request: Signed,
) -> Answer<Expanded> {
    let found = api.store.endpoint(request.mode, EndpointId::new(id)).await?;
    Ok(Json(expand(&api, found.ok_or_else(missing)?).await?))
}

/// `PUT /api/webhook-endpoints/{id}`: what is not sent stays.
pub(super) async fn update(State(api): State<Api>, Path(id): Path<String>, request: Signed) -> Answer<View> {
    let id = EndpointId::new(id);
    let endpoint = api.store.endpoint(request.mode, id.clone()).await?.ok_or_else(missing)?;
    let change = Wish::from(parse::<Asked>(&request.body)?).change(&api, &endpoint).await?;
    let changed = api.store.change_endpoint(request.mode, id, change).await?;
    Ok(Json(changed.ok_or_else(missing)?.into()))
}

/// `DELETE /api/webhook-endpoints/{id}`: answers what was deleted.
pub(super) async fn delete(State(api): State<Api>, Path(id): Path<String>, request: Signed) -> Answer<View> {
    let deleted = api.store.delete_endpoint(request.mode, EndpointId::new(id), Expected::Any).await?;
    Ok(Json(deleted.ok_or_else(missing)?.into()))
}

async fn expand(api: &Api, endpoint: Endpoint) -> Result<Expanded> {
    let (endpoint_id, limit) = (endpoint.id.clone(), ATTEMPTS);
    let filter =
        AttemptFilter { endpoint: endpoint_id, sequence: None, succeeded: None, before: None, limit };
    let attempts = api.store.attempts(endpoint.mode, filter).await?.list;
    let attempts = attempts.into_iter().map(|attempt| attempt::View::new(endpoint.mode, attempt)).collect();
    Ok(Expanded { object: "webhook_endpoint", endpoint: endpoint.into(), attempts })
}

fn missing() -> Error {
    Error::new(ErrorKind::NotFound, "webhook endpoint not found")
}

impl From<Asked> for Wish {
    fn from(asked: Asked) -> Self {
        Self {
            url: asked.url,
            enabled_events: asked.enabled_events,
            description: asked.description,
            metadata: asked.metadata,
            status: asked.status,
            api_version: asked.api_version,
            ..Self::default()
        }
    }
}

impl From<Endpoint> for View {
    fn from(endpoint: Endpoint) -> Self {
        Self {
            id: endpoint.id.as_str().to_owned(),
            livemode: endpoint.mode.is_live(),
            api_version: endpoint.api_version,
            url: endpoint.url.written().to_owned(),
            description: endpoint.description,
            enabled_events: endpoint.enabled_events.texts().to_vec(),
            metadata: endpoint.metadata,
            status: endpoint.status.word(),
            created_at: endpoint.created_at.to_string(),
            created_via: "api",
            updated_at: endpoint.updated_at.to_string(),
        }
    }
}
