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
use crate::model::{DeliveryId, DeliveryKey, EndpointStatus, Mode, Recovery};

/// How many are looked at by one call at most, and how many in one transaction: others wait for no longer.
const MOST: u32 = 10_000;
const TOGETHER: u32 = 250;

/// What is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    since: Option<String>,
    until: Option<String>,
    limit: Option<u32>,
    /// The `next` of the call before.
    cursor: Option<String>,
    /// Only counts.
    #[serde(default)]
    dry_run: bool,
}

/// What came of it.
#[derive(Serialize)]
pub(super) struct Recovered {
    /// How many were made due, or would be.
    deliveries: u32,
    /// Where to go on, when there may be more.
    next: Option<String>,
}

/// `POST /v1/endpoints/{id}/recover`: what was given up since then is due now, with its schedule from the beginning.
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
    // What fails again meanwhile is not older than this.
    let now = Timestamp::now();
    let until = time("until", asked.until)?.unwrap_or(now);
    let after = asked.cursor.map(|text| cursor(&text)).transpose()?;
    let limit = within("limit", asked.limit, 1..=MOST)?.unwrap_or(MOST);
    let recovery = Recovery { endpoint: endpoint.id, since, until, after, most: limit, now };
    let step = if asked.dry_run { Step::Count } else { Step::Recover };
    Ok(Json(go(&api, caller.mode, recovery, step).await?))
}

/// Whether it is done, or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Count,
    Recover,
}

/// Looks at as many as asked, so many in a transaction.
async fn go(api: &Api, mode: Mode, recovery: Recovery, step: Step) -> Result<Recovered> {
    let (mut deliveries, mut after, mut left) = (0, recovery.after, recovery.most);
    while left > 0 {
        let most = TOGETHER.min(left);
        let part = Recovery { after, most, ..recovery.clone() };
        let part = match step {
            Step::Count => api.store.recoverable(mode, part).await?,
            Step::Recover => api.store.recover(mode, part).await?,
        };
        let part = part.ok_or_else(missing)?;
        deliveries += part.deliveries;
        left -= most;
        after = part.next;
        if after.is_none() {
            break;
        }
    }
    let next = after.map(|(at, sequence)| format!("{}_{sequence}", at.as_millis()));
    Ok(Recovered { deliveries, next })
}

fn cursor(text: &str) -> Result<(Timestamp, u64)> {
    let numbers = text.split_once('_').and_then(|(at, sequence)| {
        Some((Timestamp::from_millis(at.parse().ok()?), DeliveryKey::sequence(sequence)?))
    });
    numbers.ok_or_else(|| Error::invalid("cursor: is not one of this call"))
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
