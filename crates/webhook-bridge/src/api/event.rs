//! Events: published, listed, retrieved with the bytes they came as.

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response as Documented, SchemaObject};
use axum::Json;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Api;
use super::auth::Caller;
use super::body::{Id, Parameters};
use super::delivery::{self, LIMIT, List, time};
use super::problem::Problem;
use super::wish::within;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{DeliveryFilter, EventBody, EventFilter, Mode, StoredEvent};

/// An event on the wire: what is known of it beside its bytes.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub(super) struct View {
    id: String,
    object: &'static str,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    livemode: bool,
    /// What it is in order with: its object's id unless another was set.
    key: Option<String>,
    created_at: String,
    received_at: String,
    /// From when on it is not sent.
    expires_at: Option<String>,
    /// Shown by `retrieve` only, as it came; not there when it was forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    body: Option<Box<RawValue>>,
}

/// Which events.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EventQuery")]
pub(super) struct Asked {
    #[serde(rename = "type")]
    event_type: Option<String>,
    source: Option<String>,
    /// Their key: the id of their object unless another was set.
    key: Option<String>,
    /// An id, or else a key.
    q: Option<String>,
    /// Stored at this time or later.
    since: Option<String>,
    /// Stored before this time.
    until: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    #[schemars(range(min = 1, max = 250))]
    limit: Option<u32>,
}

/// Which of the events with one id.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SourceQuery")]
pub(super) struct Of {
    /// Its source; needed where several sources have an event of this id.
    source: Option<String>,
}

/// `GET /v1/events`: the newest first.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<List<View>>, Problem> {
    let mut filter = filter(&asked)?;
    if let Some(q) = asked.q {
        let found = api.store.event(caller.mode, q.clone()).await?;
        if !found.is_empty() {
            let found = found.into_iter().map(|one| one.event).filter(|event| filter.matches(event));
            let list = found.map(|event| view(caller.mode, event)).collect();
            return Ok(Json(List { list, next: None }));
        }
        if filter.key.is_some() {
            return Err(Error::invalid("q, key: q is no id, so only one of them may be named").into());
        }
        filter.key = Some(q);
    }
    let found = api.store.event_log(caller.mode, filter).await?;
    let list = found.list.into_iter().map(|event| view(caller.mode, event)).collect();
    Ok(Json(List { list, next: found.next.map(|no| no.to_string()) }))
}

fn filter(asked: &Asked) -> Result<EventFilter> {
    let cursor = |text: &String| text.parse().map_err(|_| Error::invalid("cursor: is not one of this list"));
    Ok(EventFilter {
        event_type: asked.event_type.clone(),
        source: asked.source.clone(),
        key: asked.key.clone(),
        since: time("since", asked.since.clone())?,
        until: time("until", asked.until.clone())?,
        before: asked.cursor.as_ref().map(cursor).transpose()?,
        limit: within("limit", asked.limit, 1..=LIMIT.1)?.unwrap_or(LIMIT.0),
    })
}

/// `GET /v1/events/{id}`
pub(super) async fn retrieve(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Parameters(of): Parameters<Of>,
) -> Result<Json<View>, Problem> {
    let EventBody { event, body } = find(&api, caller.mode, (id, of.source)).await?;
    let body = body.and_then(|body| serde_json::from_slice(&body).ok());
    Ok(Json(View { body, ..view(caller.mode, event) }))
}

/// `GET /v1/events/{id}/body`: the very bytes that were handed in.
pub(super) async fn body(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Parameters(of): Parameters<Of>,
) -> Result<Bytes, Problem> {
    let found = find(&api, caller.mode, (id, of.source)).await?;
    let forgotten = || Error::new(ErrorKind::NotFound, "the body was forgotten: it is older than it is kept");
    Ok(Bytes(found.body.ok_or_else(forgotten)?))
}

/// Which deliveries of the events with one id.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "OwedQuery")]
pub(super) struct Owed {
    /// Those of the event of this source only.
    source: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    #[schemars(range(min = 1, max = 250))]
    limit: Option<u32>,
}

/// `GET /v1/events/{id}/deliveries`: what is owed of it, whoever's event of this id it is.
pub(super) async fn deliveries(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Parameters(asked): Parameters<Owed>,
) -> Result<Json<List<delivery::View>>, Problem> {
    if api.store.event(caller.mode, id.clone()).await?.is_empty() {
        return Err(missing().into());
    }
    let filter = DeliveryFilter {
        event: Some(id),
        source: asked.source,
        before: asked.cursor.map(|text| delivery::cursor(&text)).transpose()?,
        limit: within("limit", asked.limit, 1..=LIMIT.1)?.unwrap_or(LIMIT.0),
        ..DeliveryFilter::default()
    };
    delivery::page(&api, caller.mode, filter).await
}

async fn find(api: &Api, mode: Mode, (id, source): (String, Option<String>)) -> Result<EventBody> {
    let mut found = api.store.event(mode, id).await?;
    if let Some(source) = source {
        found.retain(|one| one.event.source == source);
    }
    if found.len() > 1 {
        let sources: Vec<_> = found.iter().map(|one| one.event.source.as_str()).collect();
        return Err(Error::invalid(format!("source: must be one of {}", sources.join(", "))));
    }
    found.pop().ok_or_else(missing)
}

fn missing() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such event")
}

/// JSON as it lies.
pub(super) struct Bytes(pub(super) bytes::Bytes);

impl OperationOutput for Bytes {
    type Inner = Self;

    fn inferred_responses(_: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Documented)> {
        let json_schema = json_schema!({ "type": "object" });
        let schema = Some(SchemaObject { json_schema, example: None, external_docs: None });
        let media = MediaType { schema, ..MediaType::default() };
        let content = [("application/json".to_owned(), media)].into_iter().collect();
        let description = "The event, byte for byte.".to_owned();
        vec![(Some(200), Documented { description, content, ..Documented::default() })]
    }
}

impl IntoResponse for Bytes {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], self.0).into_response()
    }
}

pub(super) fn view(mode: Mode, event: StoredEvent) -> View {
    View {
        id: event.id,
        object: "event",
        source: event.source,
        event_type: event.event_type,
        livemode: mode.is_live(),
        key: event.key,
        created_at: event.occurred_at.to_string(),
        received_at: event.received_at.to_string(),
        expires_at: event.expires_at.map(|at| at.to_string()),
        body: None,
    }
}
