//! Attempts: those at an endpoint, or of one delivery.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::body::{Id, Parameters};
use super::delivery::{LIMIT, List, cursor, find};
use super::problem::Problem;
use super::wish::within;
use crate::error::{Error, Result};
use crate::model::{AttemptFilter, AttemptRecord, DeliveryId, EndpointId, Mode};

/// An attempt on the wire.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Attempt")]
pub(super) struct View {
    object: &'static str,
    delivery: String,
    endpoint: String,
    event: String,
    /// `webhook-attempt` on its request.
    number: u32,
    started_at: String,
    duration_ms: u64,
    status: &'static str,
    response_status: Option<u16>,
    /// What went wrong instead of an answer.
    error: Option<String>,
    /// The beginning of the answer; what is no UTF-8 in it is replaced.
    response_body: String,
    note: Option<String>,
}

/// Which attempts.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AttemptQuery")]
pub(super) struct Asked {
    endpoint: String,
    #[schemars(extend("enum" = STATUSES))]
    status: Option<String>,
    cursor: Option<String>,
    #[schemars(range(min = 1, max = 250))]
    limit: Option<u32>,
}

/// Which attempts of a delivery.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeliveryAttemptQuery")]
pub(super) struct Page {
    #[schemars(extend("enum" = STATUSES))]
    status: Option<String>,
    cursor: Option<String>,
    #[schemars(range(min = 1, max = 250))]
    limit: Option<u32>,
}

/// What an attempt is.
const STATUSES: [&str; 2] = ["succeeded", "failed"];

/// `GET /v1/attempts`: those at an endpoint, of its newest delivery first.
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<List<View>>, Problem> {
    let Asked { endpoint, status, cursor, limit } = asked;
    answer(&api, caller.mode, filter(EndpointId::new(endpoint), None, Page { status, cursor, limit })?).await
}

/// `GET /v1/deliveries/{id}/attempts`
pub(super) async fn of_delivery(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Parameters(asked): Parameters<Page>,
) -> Result<Json<List<View>>, Problem> {
    let delivery = find(&api, caller.mode, &id).await?;
    let filter = filter(delivery.endpoint, Some(delivery.key.sequence), asked)?;
    answer(&api, caller.mode, filter).await
}

async fn answer(api: &Api, mode: Mode, filter: AttemptFilter) -> Result<Json<List<View>>, Problem> {
    let found = api.store.attempts(mode, filter).await?;
    let list = found.list.into_iter().map(View::from).collect();
    Ok(Json(List { list, next: found.next.map(|(sequence, number)| format!("{sequence}_{number}")) }))
}

fn filter(endpoint: EndpointId, sequence: Option<u64>, asked: Page) -> Result<AttemptFilter> {
    let succeeded = asked.status.map(|word| match word.as_str() {
        "succeeded" => Ok(true),
        "failed" => Ok(false),
        _ => Err(Error::invalid("status: must be succeeded or failed")),
    });
    let before = asked.cursor.map(|text| cursor(&text));
    Ok(AttemptFilter {
        endpoint,
        sequence,
        succeeded: succeeded.transpose()?,
        before: before.transpose()?,
        limit: within("limit", asked.limit, 1..=LIMIT.1)?.unwrap_or(LIMIT.0),
    })
}

impl From<AttemptRecord> for View {
    fn from(attempt: AttemptRecord) -> Self {
        let succeeded = attempt.status.is_some_and(|status| (200..300).contains(&status));
        Self {
            object: "attempt",
            delivery: DeliveryId(attempt.delivery).to_string(),
            endpoint: attempt.endpoint.as_str().to_owned(),
            event: attempt.event_id,
            number: attempt.number,
            started_at: attempt.started_at.to_string(),
            duration_ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
            status: if succeeded { "succeeded" } else { "failed" },
            response_status: attempt.status,
            error: attempt.trouble,
            response_body: String::from_utf8_lossy(&attempt.body).into_owned(),
            note: attempt.note,
        }
    }
}
