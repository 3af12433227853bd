//! What an endpoint did not get: recovered since a time; and a test event for it.

use axum::Json;
use axum::extract::{Path, State};
use eventbus::{AnyEvent, EventId, Timestamp};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Api;
use super::auth::Caller;
use super::body::Body;
use super::delivery::time;
use super::endpoint::{find, missing};
use super::problem::Problem;
use super::wish::within;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{DeliveryId, EndpointStatus, Recovery};

/// How many are made due by one call at most, and how many in one transaction: others wait for no longer.
const MOST: u32 = 10_000;
const TOGETHER: u32 = 250;

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    since: Option<String>,
    until: Option<String>,
    limit: Option<u32>,
    /// Only counts.
    #[serde(default)]
    dry_run: bool,
}

/// What came of it.
#[derive(Serialize)]
pub(super) struct Recovered {
    /// How many were made due, or would be.
    deliveries: u32,
    /// Whether there may be more: then call again.
    more: bool,
}

/// `POST /v1/endpoints/{id}/recover`: what was given up since then is due now.
pub(super) async fn recover(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<Json<Recovered>, Problem> {
    let endpoint = find(&api, caller.mode, id).await?;
    if endpoint.status == EndpointStatus::Disabled {
        return Err(Error::new(ErrorKind::Conflict, "the endpoint is disabled").into());
    }
    let since = time("since", asked.since)?.ok_or_else(|| Error::invalid("since: is required"))?;
    let ended = Timestamp::now();
    let until = time("until", asked.until)?.unwrap_or(ended);
    let limit = within("limit", asked.limit, 1..=MOST)?.unwrap_or(MOST);
    let of = |most| Recovery { endpoint: endpoint.id.clone(), since, until, ended, most };
    if asked.dry_run {
        let deliveries = api.store.recoverable(caller.mode, of(limit)).await?;
        return Ok(Json(Recovered { deliveries, more: deliveries == limit }));
    }
    let (mut deliveries, mut more) = (0, true);
    while more && deliveries < limit {
        let most = TOGETHER.min(limit - deliveries);
        let count = api.store.recover(caller.mode, of(most)).await?.ok_or_else(missing)?;
        deliveries += count;
        more = count == most;
    }
    Ok(Json(Recovered { deliveries, more }))
}

/// What is asked of a test.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    #[serde(rename = "type")]
    event_type: Option<String>,
}

/// What a test made.
#[derive(Serialize)]
pub(super) struct Tested {
    event: String,
    delivery: String,
}

/// `POST /v1/endpoints/{id}/test`: an event for this endpoint alone, delivered as every other.
pub(super) async fn test(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(asked): Body<Test>,
) -> Result<(StatusCode, Json<Tested>), Problem> {
    let endpoint = find(&api, caller.mode, id).await?;
    if endpoint.status == EndpointStatus::Disabled {
        return Err(Error::new(ErrorKind::Conflict, "the endpoint is disabled").into());
    }
    let event_id = EventId::generate(Timestamp::now()).to_string();
    let event = json!({
        "id": event_id,
        "object": "event",
        "type": asked.event_type.as_deref().unwrap_or("webhook_endpoint.test"),
        "source": "webhook-bridge",
        "livemode": caller.mode.is_live(),
        "api_version": endpoint.api_version,
        "data": { "object": { "test": true } },
        "created_at": Timestamp::now().to_string(),
    });
    let event = AnyEvent::from_json(event.to_string()).map_err(Error::from)?;
    let delivery = api.store.ingest_for(event, endpoint.id).await?.ok_or_else(missing)?;
    Ok((StatusCode::ACCEPTED, Json(Tested { event: event_id, delivery: DeliveryId(delivery).to_string() })))
}
