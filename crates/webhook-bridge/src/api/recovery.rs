//! What an endpoint did not get: recovered, replayed, or both when it is enabled; and a test event for it.

use axum::Json;
use axum::extract::State;
use eventbus::{AnyEvent, EventId, Timestamp};
use futures::TryFutureExt as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Api;
use super::auth::Caller;
use super::body::{Body, Id};
use super::delivery::{cursor, instant, time};
use super::endpoint::{View, find, missing, store};
use super::problem::Problem;
use super::reply::{Accepted, Shown};
use super::tag::Seen;
use super::wish::within;
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    DeliveryId, EnabledEvents, Endpoint, EndpointChange, EndpointStatus, Mode, NOTICES, Pace, Recovery,
    Replay,
};

/// How many are looked at by one call at most, and how many in one transaction: others wait for no longer.
const MOST: u32 = 10_000;
const TOGETHER: u32 = 250;

/// What is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MissedRequest")]
pub(super) struct Asked {
    since: String,
    until: Option<String>,
    /// Only events of these types and patterns.
    types: Option<Vec<String>>,
    /// How many are due in each second, the oldest first; otherwise all at once.
    #[schemars(range(min = 1, max = 1000))]
    rate: Option<u32>,
    /// How many are looked at.
    #[schemars(range(min = 1, max = 10000))]
    limit: Option<u32>,
    /// The `next` of the call before.
    cursor: Option<String>,
    /// Only counts.
    #[serde(default)]
    dry_run: bool,
}

/// What came of it.
#[derive(Serialize, JsonSchema)]
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
    Id(id): Id,
    Body(asked): Body<Asked>,
) -> Result<Json<Recovered>, Problem> {
    let endpoint = open(&api, caller.mode, id).await?;
    let since = instant("since", &asked.since)?;
    // What fails again meanwhile is not older than this.
    let now = Timestamp::now();
    let until = time("until", asked.until)?.unwrap_or(now);
    let after = asked.cursor.map(|text| cursor(&text)).transpose()?;
    let after = after.map(|(at, sequence)| (Timestamp::from_millis(at), sequence));
    let limit = within("limit", asked.limit, 1..=MOST)?.unwrap_or(MOST);
    let types = asked.types.map(EnabledEvents::parse).transpose()?;
    let pace = pace(asked.rate)?;
    let recovery = Recovery { endpoint: endpoint.id, types, since, until, after, most: limit, pace, now };
    let step = if asked.dry_run { Step::Count } else { Step::Recover };
    Ok(Json(go(&api, caller.mode, recovery, step).await?))
}

/// How fast what is sent again is due.
fn pace(rate: Option<u32>) -> Result<Pace> {
    Ok(within("rate", rate, 1..=1000)?.map_or_else(Pace::default, Pace::per_second))
}

/// Whether it is done, or only counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Count,
    Recover,
}

async fn go(api: &Api, mode: Mode, recovery: Recovery, step: Step) -> Result<Recovered> {
    let next = |(at, sequence): (Timestamp, u64)| format!("{}_{sequence}", at.as_millis());
    let part = |after, most, before| {
        let part = Recovery { after, most, pace: recovery.pace.after(before), ..recovery.clone() };
        let done = match step {
            Step::Count => api.store.recoverable(mode, part),
            Step::Recover => api.store.recover(mode, part),
        };
        done.map_ok(|done| done.map(|done| (done.deliveries, done.next)))
    };
    in_parts((recovery.after, recovery.most), part, next).await
}

/// Looks at as many as asked, so many in a transaction: after where, how many at most, and how many were made due before.
async fn in_parts<C, F: Future<Output = Result<Option<(u32, Option<C>)>>>>(
    (mut after, mut left): (Option<C>, u32),
    part: impl Fn(Option<C>, u32, u32) -> F,
    text: impl Fn(C) -> String,
) -> Result<Recovered> {
    let mut deliveries = 0;
    while left > 0 {
        let most = TOGETHER.min(left);
        let (count, next) = part(after, most, deliveries).await?.ok_or_else(missing)?;
        (deliveries, left, after) = (deliveries + count, left - most, next);
        if after.is_none() {
            break;
        }
    }
    Ok(Recovered { deliveries, next: after.map(text) })
}

/// `POST /v1/endpoints/{id}/replay`: what it wants now and was not owed when it came is owed to it, each event once.
pub(super) async fn replay(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Body(asked): Body<Asked>,
) -> Result<Json<Recovered>, Problem> {
    let endpoint = open(&api, caller.mode, id).await?;
    let now = Timestamp::now();
    let after = |text: String| text.parse().map_err(|_| Error::invalid("cursor: is not one of this call"));
    let replay = Replay {
        endpoint: endpoint.id,
        types: asked.types.map(EnabledEvents::parse).transpose()?,
        since: instant("since", &asked.since)?,
        until: time("until", asked.until)?.unwrap_or(now),
        after: asked.cursor.map(after).transpose()?,
        most: within("limit", asked.limit, 1..=MOST)?.unwrap_or(MOST),
        pace: pace(asked.rate)?,
    };
    let step = if asked.dry_run { Step::Count } else { Step::Recover };
    Ok(Json(again(&api, caller.mode, replay, step).await?))
}

async fn again(api: &Api, mode: Mode, replay: Replay, step: Step) -> Result<Recovered> {
    let part = |after, most, before| {
        let part = Replay { after, most, pace: replay.pace.after(before), ..replay.clone() };
        let done = match step {
            Step::Count => api.store.replayable(mode, part),
            Step::Recover => api.store.replay(mode, part),
        };
        done.map_ok(|done| done.map(|done| (done.deliveries, done.next)))
    };
    in_parts((replay.after, replay.most), part, |no| no.to_string()).await
}

/// What is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "EnableRequest")]
pub(super) struct Enable {
    /// Since when it is given what it missed: what was given up, and what came while it was disabled.
    recover_since: Option<String>,
}

/// An endpoint that is enabled, and what it is given that it missed.
#[derive(Serialize, JsonSchema)]
pub(super) struct Enabled {
    endpoint: View,
    recovered: Option<Recovered>,
    replayed: Option<Recovered>,
}

/// `POST /v1/endpoints/{id}/enable`: whatever it was, it gets what it wants from now on.
pub(super) async fn enable(
    State(api): State<Api>,
    caller: Caller,
    Seen { id, expected }: Seen,
    Body(asked): Body<Enable>,
) -> Result<Shown<Enabled>, Problem> {
    let since = time("recover_since", asked.recover_since)?;
    let endpoint = find(&api, caller.mode, id).await?;
    let status = Some(EndpointStatus::Enabled);
    let change = EndpointChange { status, expected, ..EndpointChange::default() };
    let endpoint = store(&api, endpoint, change).await?;
    let (version, now, mode) = (endpoint.version, Timestamp::now(), caller.mode);
    let (mut recovered, mut replayed) = (None, None);
    if let Some(since) = since {
        let (id, types, most, after) = (endpoint.id.clone(), None, MOST, None);
        let pace = Pace::default();
        let recovery = Recovery { endpoint: id.clone(), types, since, until: now, after, most, pace, now };
        recovered = Some(go(&api, mode, recovery, Step::Recover).await?);
        let replay = Replay { endpoint: id, types: None, since, until: now, after: None, most, pace };
        replayed = Some(again(&api, mode, replay, Step::Recover).await?);
    }
    Ok(Shown::tagged(Enabled { endpoint: endpoint.into(), recovered, replayed }, version))
}

/// An endpoint that gets what it is owed, now or later.
async fn open(api: &Api, mode: Mode, id: String) -> Result<Endpoint> {
    let endpoint = find(api, mode, id).await?;
    if endpoint.status == EndpointStatus::Disabled {
        return Err(Error::new(ErrorKind::Conflict, "the endpoint is disabled: enable it"));
    }
    Ok(endpoint)
}

/// What is asked of a test.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TestRequest")]
pub(super) struct Test {
    #[serde(rename = "type")]
    event_type: Option<String>,
}

/// What a test made.
#[derive(Serialize, JsonSchema)]
pub(super) struct Tested {
    event: String,
    delivery: String,
}

/// `POST /v1/endpoints/{id}/test`: an event for this endpoint alone, delivered as every other.
pub(super) async fn test(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Body(asked): Body<Test>,
) -> Result<Accepted<Tested>, Problem> {
    let endpoint = open(&api, caller.mode, id).await?;
    let event_id = EventId::generate(Timestamp::now()).to_string();
    let event = json!({
        "id": event_id,
        "object": "event",
        "type": asked.event_type.as_deref().unwrap_or("webhook_endpoint.test"),
        "source": endpoint.source.as_deref().unwrap_or(NOTICES),
        "livemode": caller.mode.is_live(),
        "api_version": endpoint.api_version,
        "data": { "object": { "test": true } },
        "created_at": Timestamp::now().to_string(),
    });
    let event = AnyEvent::from_json(event.to_string()).map_err(Error::from)?;
    let delivery = api.store.ingest_for(event, endpoint.id).await?.ok_or_else(missing)?;
    Ok(Accepted::new(Tested { event: event_id, delivery: DeliveryId(delivery).to_string() }))
}
