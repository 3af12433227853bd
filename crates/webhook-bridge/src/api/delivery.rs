//! Deliveries: list, retrieve, resend.

use axum::Json;
use axum::extract::State;
use eventbus::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::body::{Id, Parameters};
use super::problem::Problem;
use super::reply::Accepted;
use super::wish::within;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    DeliveryFilter, DeliveryId, DeliveryRecord, DeliveryState, EndpointId, Mode, Released, Resent,
};

/// How many are listed when nothing is said, and at most.
pub(super) const LIMIT: (u32, u32) = (50, 250);
/// Why nothing makes a delivery due whose event is of no use any more.
const EXPIRED: &str = "the event's `expires_at` has passed: it is never sent after that";

/// A delivery on the wire.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Delivery")]
pub(super) struct View {
    id: String,
    object: &'static str,
    endpoint: String,
    event: String,
    source: String,
    #[serde(rename = "type")]
    event_type: String,
    /// The event's key: the id of its object unless another was set.
    key: Option<String>,
    /// `webhook-sequence` on its requests.
    sequence: u64,
    state: &'static str,
    attempts: u32,
    due_at: Option<String>,
    created_at: String,
    finished_at: Option<String>,
}

/// A page on the wire.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "{T}List")]
pub(super) struct List<T> {
    pub(super) list: Vec<T>,
    /// The cursor of the next page, which there may be although this one is short.
    pub(super) next: Option<String>,
}

/// Which deliveries.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeliveryQuery")]
pub(super) struct Asked {
    endpoint: Option<String>,
    /// The id of an event.
    event: Option<String>,
    #[schemars(extend("enum" = DeliveryState::ALL.map(DeliveryState::as_str)))]
    state: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    /// The key of their event: the id of its object unless another was set.
    key: Option<String>,
    /// The id of a delivery or an event, or else a key.
    q: Option<String>,
    /// Stored at this time or later: the deliveries where an endpoint is named and neither event nor key, else their events.
    since: Option<String>,
    /// Stored before this time, by the same clock.
    until: Option<String>,
    /// The `next` of the page before, for the same query.
    cursor: Option<String>,
    #[schemars(range(min = 1, max = 250))]
    limit: Option<u32>,
}

/// `GET /v1/deliveries`: those of the mode or of an endpoint, the newest first; or those of an event.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<List<View>>, Problem> {
    let mut filter = filter(&asked)?;
    match (asked.q, &filter.event) {
        (Some(_), Some(_)) => return Err(Error::invalid("q, event: only one of them may be named").into()),
        (Some(q), None) => match q.parse() {
            Ok(DeliveryId(key)) => {
                let asked = |one: &DeliveryRecord| {
                    filter.matches(one)
                        && filter.since.is_none_or(|since| one.created_at >= since)
                        && filter.until.is_none_or(|until| one.created_at < until)
                };
                let found = api.store.delivery(caller.mode, key).await?.filter(asked);
                return Ok(Json(List { list: found.into_iter().map(View::from).collect(), next: None }));
            }
            Err(_) if !api.store.event(caller.mode, q.clone()).await?.is_empty() => filter.event = Some(q),
            Err(_) if filter.event_key.is_some() => {
                let message = "q, key: q is no id, so only one of them may be named";
                return Err(Error::invalid(message).into());
            }
            Err(_) => filter.event_key = Some(q),
        },
        (None, _) => {}
    }
    page(&api, caller.mode, filter).await
}

/// A page of deliveries.
pub(super) async fn page(api: &Api, mode: Mode, filter: DeliveryFilter) -> Result<Json<List<View>>, Problem> {
    let found = api.store.deliveries(mode, filter).await?;
    let next = found.next.map(|(first, second)| format!("{first}_{second}"));
    Ok(Json(List { list: found.list.into_iter().map(View::from).collect(), next }))
}

fn filter(asked: &Asked) -> Result<DeliveryFilter> {
    Ok(DeliveryFilter {
        endpoint: asked.endpoint.clone().map(EndpointId::new),
        event: asked.event.clone(),
        source: None,
        state: asked.state.as_ref().map(|word| word.parse()).transpose()?,
        event_type: asked.event_type.clone(),
        event_key: asked.key.clone(),
        since: time("since", asked.since.clone())?,
        until: time("until", asked.until.clone())?,
        before: asked.cursor.as_ref().map(|text| cursor(text)).transpose()?,
        limit: within("limit", asked.limit, 1..=LIMIT.1)?.unwrap_or(LIMIT.0),
    })
}

/// Two numbers, as cursors have them. None is larger than what a store holds, which would fail on it.
pub(super) fn cursor<A: TryFrom<i64>, B: TryFrom<i64>>(text: &str) -> Result<(A, B)> {
    let numbers = text.split_once('_').and_then(|(first, second)| {
        let (first, second): (i64, i64) = (first.parse().ok()?, second.parse().ok()?);
        Some((A::try_from(first).ok()?, B::try_from(second).ok()?))
    });
    numbers.ok_or_else(|| Error::invalid("cursor: is not one of this list"))
}

/// A time as RFC 3339 has it.
pub(super) fn time(field: &str, text: Option<String>) -> Result<Option<Timestamp>> {
    text.map(|text| instant(field, &text)).transpose()
}

/// A time that must be there.
pub(super) fn instant(field: &str, text: &str) -> Result<Timestamp> {
    let invalid = |_| Error::invalid(format!("{field}: must be a time such as 2026-01-01T00:00:00Z"));
    text.parse().map_err(invalid)
}

/// `GET /v1/deliveries/{id}`
pub(super) async fn retrieve(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
) -> Result<Json<View>, Problem> {
    Ok(Json(find(&api, caller.mode, &id).await?.into()))
}

/// `POST /v1/deliveries/{id}/resend`: another attempt now, however it ended; the same `webhook-id` goes out.
pub(super) async fn resend(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
) -> Result<Accepted<View>, Problem> {
    let conflict = |message: &'static str| Err(Error::new(ErrorKind::Conflict, message).into());
    match api.store.resend(caller.mode, id.parse::<DeliveryId>()?.0).await? {
        Resent::Due => {}
        Resent::Missing => return Err(missing().into()),
        Resent::InFlight => return conflict("a request of this delivery is under way"),
        Resent::Waiting => return conflict("it waits for an earlier delivery of its key"),
        Resent::Disabled => return conflict("the endpoint is disabled or deleted"),
        Resent::Forgotten => return conflict("the event's body is not kept any more: retention removed it"),
        Resent::Expired => return conflict(EXPIRED),
    }
    Ok(Accepted::new(find(&api, caller.mode, &id).await?.into()))
}

/// `POST /v1/deliveries/{id}/release`: a parked one is due now, after what kept the bridge from sending it was mended.
pub(super) async fn release(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
) -> Result<Accepted<View>, Problem> {
    let conflict = |message: &'static str| Err(Error::new(ErrorKind::Conflict, message).into());
    match api.store.release(caller.mode, id.parse::<DeliveryId>()?.0).await? {
        Released::Due => {}
        Released::Missing => return Err(missing().into()),
        Released::NotParked => return conflict("it is not parked"),
        Released::Expired => return conflict(EXPIRED),
        Released::Disabled => return conflict("the endpoint is disabled or deleted"),
    }
    Ok(Accepted::new(find(&api, caller.mode, &id).await?.into()))
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
            key: delivery.event_key,
            sequence: delivery.key.sequence,
            state: delivery.state.as_str(),
            attempts: delivery.attempts,
            due_at: delivery.due_at.map(|at| at.to_string()),
            created_at: delivery.created_at.to_string(),
            finished_at: delivery.finished_at.map(|at| at.to_string()),
        }
    }
}
