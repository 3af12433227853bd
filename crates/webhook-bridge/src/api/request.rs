//! What an attempt sent: made again of what is stored, by the code that made it then.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::body::{Id, Parameters};
use super::delivery::find;
use super::problem::Problem;
use super::wish::within;
use crate::error::{Error, ErrorKind};
use crate::model::AttemptFilter;

/// Which attempt.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeliveryRequestQuery")]
pub(super) struct Asked {
    /// Its number; the last one when it is not said.
    #[schemars(range(min = 1))]
    attempt: Option<u32>,
}

/// A request as it went out.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeliveryRequest")]
pub(super) struct View {
    method: &'static str,
    url: String,
    /// Those of the bridge, the signature among them.
    headers: Vec<Header>,
    body: String,
    /// Whether the endpoint was changed since: then its URL may have been another.
    changed: bool,
}

/// A header.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Header")]
struct Header {
    name: String,
    value: String,
}

/// `GET /v1/deliveries/{id}/request`: requests are not kept, but what they were made of is: the event's bytes, the time of the
/// attempt, and the secrets that signed then, until those ran out.
pub(super) async fn request(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<View>, Problem> {
    let gone = |message: &'static str| Error::new(ErrorKind::NotFound, message);
    let delivery = find(&api, caller.mode, &id).await?;
    let number = within("attempt", asked.attempt, 1..=u32::MAX)?.unwrap_or(delivery.attempts);
    let filter = AttemptFilter {
        endpoint: delivery.endpoint.clone(),
        sequence: Some(delivery.key.sequence),
        succeeded: None,
        before: Some((delivery.key.sequence, number.saturating_add(1))),
        limit: 1,
    };
    let attempt = api.store.attempts(caller.mode, filter).await?.list.pop();
    let attempt = attempt.filter(|attempt| attempt.number == number);
    let attempt = attempt.ok_or_else(|| gone("there is no such attempt, or it has not ended"))?;
    let sent = api.store.sent(caller.mode, delivery.key, (number, attempt.started_at)).await?;
    let sent = sent.ok_or_else(|| {
        gone("what was sent is not kept any more: the event's body, or the endpoint, is gone")
    })?;
    if sent.leased.target.secrets.is_empty() {
        return Err(gone("the secret that signed it has run out, and is not kept").into());
    }
    let (url, headers, body) = api.sender.preview(&sent.leased, attempt.started_at).await?;
    let headers = headers.into_iter().map(|(name, value)| Header { name, value }).collect();
    let body = String::from_utf8_lossy(&body).into_owned();
    Ok(Json(View { method: "POST", url, headers, body, changed: sent.changed_at > attempt.started_at }))
}
