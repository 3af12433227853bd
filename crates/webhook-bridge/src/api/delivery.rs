//! Deliveries: list, retrieve, resend.

use axum::Json;
use axum::extract::{Path, State};
use eventbus::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::body::Parameters;
use super::problem::Problem;
use super::wish::within;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    DeliveryFilter, DeliveryId, DeliveryKey, DeliveryRecord, EndpointId, Mode, Released, Resent,
};

/// How many are listed when nothing is said, and at most.
pub(super) const LIMIT: (u32, u32) = (50, 250);

/// A delivery on the wire.
#[derive(Serialize)]
pub(super) struct View {
    id: String,
    object: &'static str,
    endpoint: String,
    event: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    /// `webhook-sequence` on its requests.
    sequence: u64,
    state: &'static str,
    attempts: u32,
    due_at: Option<String>,
    created_at: String,
    finished_at: Option<String>,
}

/// A page on the wire.
#[derive(Serialize)]
pub(super) struct List<T> {
    pub(super) list: Vec<T>,
    /// The cursor of the next page, which there may be although this one is short.
    pub(super) next: Option<String>,
}

/// Which deliveries.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    endpoint: Option<String>,
    event: Option<String>,
    state: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    since: Option<String>,
    until: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// `GET /v1/deliveries`: those of an endpoint, the newest first, or those of an event.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<List<View>>, Problem> {
    let (list, next) = match (asked.endpoint.clone(), asked.event.clone()) {
        (Some(endpoint), None) => {
            let found = api.store.deliveries(caller.mode, filter(endpoint, asked)?).await?;
            (found.list, found.next)
        }
        (None, Some(event)) => (api.store.deliveries_of(caller.mode, event).await?, None),
        _ => return Err(Error::invalid("endpoint, event: one of them must be named").into()),
    };
    let list = list.into_iter().map(View::from).collect();
    Ok(Json(List { list, next: next.map(|sequence| sequence.to_string()) }))
}

fn filter(endpoint: String, asked: Asked) -> Result<DeliveryFilter> {
    let foreign = || Error::invalid("cursor: is not one of this list");
    let cursor = |text: String| DeliveryKey::sequence(&text).ok_or_else(foreign);
    Ok(DeliveryFilter {
        endpoint: EndpointId::new(endpoint),
        state: asked.state.map(|word| word.parse()).transpose()?,
        event_type: asked.event_type,
        since: time("since", asked.since)?,
        until: time("until", asked.until)?,
        before: asked.cursor.map(cursor).transpose()?,
        limit: within("limit", asked.limit, 1..=LIMIT.1)?.unwrap_or(LIMIT.0),
    })
}

/// A time as RFC 3339 has it.
pub(super) fn time(field: &str, text: Option<String>) -> Result<Option<Timestamp>> {
    let invalid = |_| Error::invalid(format!("{field}: must be a time such as 2026-01-01T00:00:00Z"));
    text.map(|text| text.parse().map_err(invalid)).transpose()
}

/// `GET /v1/deliveries/{id}`
pub(super) async fn retrieve(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<View>, Problem> {
    Ok(Json(find(&api, caller.mode, &id).await?.into()))
}

/// `POST /v1/deliveries/{id}/resend`: another attempt now, however it ended; the same `webhook-id` goes out.
pub(super) async fn resend(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<View>), Problem> {
    let conflict = |message: &'static str| Err(Error::new(ErrorKind::Conflict, message).into());
    match api.store.resend(caller.mode, id.parse::<DeliveryId>()?.0).await? {
        Resent::Due => {}
        Resent::Missing => return Err(missing().into()),
        Resent::InFlight => return conflict("a request of this delivery is under way"),
        Resent::Waiting => return conflict("it waits for an earlier delivery of its key"),
        Resent::Disabled => return conflict("the endpoint is disabled or deleted"),
        Resent::Forgotten => return conflict("the event's body is not kept any more: retention removed it"),
        Resent::Expired => {
            return conflict("the event's `expires_at` has passed: it is never sent after that");
        }
    }
    Ok((StatusCode::ACCEPTED, Json(find(&api, caller.mode, &id).await?.into())))
}

/// `POST /v1/deliveries/{id}/release`: a parked one is due now, after what kept the bridge from sending it was mended.
pub(super) async fn release(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<View>), Problem> {
    let conflict = |message: &'static str| Err(Error::new(ErrorKind::Conflict, message).into());
    match api.store.release(caller.mode, id.parse::<DeliveryId>()?.0).await? {
        Released::Due => {}
        Released::Missing => return Err(missing().into()),
        Released::NotParked => return conflict("it is not parked"),
        Released::Disabled => return conflict("the endpoint is disabled or deleted"),
    }
    Ok((StatusCode::ACCEPTED, Json(find(&api, caller.mode, &id).await?.into())))
}

/// The delivery of this id, if whoever asks may know of it.
pub(super) async fn find(api: &Api, mode: Mode, id: &str) -> Result<DeliveryRecord> {
    api.store.delivery(mode, id.parse::<DeliveryId>()?.0).await?.ok_or_else(missing)
}

fn missing() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such delivery")
}

impl From<DeliveryRecord> for View {
    fn from(delivery: DeliveryRecord) -> Self {
        Self {
            id: DeliveryId(delivery.key).to_string(),
            object: "delivery",
            endpoint: delivery.endpoint.as_str().to_owned(),
            event: delivery.event_id,
            source: delivery.source,
            event_type: delivery.event_type,
            sequence: delivery.key.sequence,
            state: delivery.state.as_str(),
            attempts: delivery.attempts,
            due_at: delivery.due_at.map(|at| at.to_string()),
            created_at: delivery.created_at.to_string(),
            finished_at: delivery.finished_at.map(|at| at.to_string()),
        }
    }
}
