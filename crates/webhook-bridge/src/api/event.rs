//! Publishing over HTTP: stored with its deliveries before the answer.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use eventbus::{AnyEvent, Timestamp};
use http::StatusCode;
use ring::digest;
use serde::Serialize;
use tracing::Span;

use super::Api;
use super::auth::Caller;
use super::body::Raw;
use super::problem::Problem;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::Intake;
use crate::model::{IdempotencyKey, Mode};
use crate::trace;

/// For how long a key of publishing is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);

/// What became of an event.
#[derive(Debug, Serialize)]
pub(super) struct Published {
    id: String,
    /// To how many endpoints it is owed.
    deliveries: u32,
    /// Whether it was there already.
    duplicate: bool,
}

/// `POST /v1/events`: the event's JSON form, and the trace it belongs to as `traceparent`. 202 when it is stored, 200 when it was before. The same answer is given again
/// to the same `Idempotency-Key`.
pub(super) async fn publish(
    State(api): State<Api>,
    caller: Caller,
    raw: Raw,
) -> Result<(StatusCode, Json<Published>), Problem> {
    let key = key(&raw.headers, &raw.bytes)?;
    let event = AnyEvent::from_json(raw.bytes).map_err(Error::from)?;
    Span::current().record("event", event.id().as_str());
    let event = match trace::read(&raw.headers) {
        Some(context) => event.with_envelope(|envelope| envelope.trace = Some(context)),
        None => event,
    };
    if Mode::from(event.livemode()) != caller.mode {
        let message = format!("livemode: this key is for {} events", caller.mode);
        return Err(Error::new(ErrorKind::Forbidden, message).into());
    }
    let id = event.id().to_string();
    let ingested = match key {
        Some(key) => api.store.ingest_once(event, key).await?,
        None => api.store.ingest(event).await?,
    };
    tracing::debug!(deliveries = ingested.deliveries, duplicate = ingested.duplicate, "published");
    api.metrics.took(Intake::Http, caller.mode, &ingested);
    let status = if ingested.duplicate { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(Published { id, deliveries: ingested.deliveries, duplicate: ingested.duplicate })))
}

fn key(headers: &HeaderMap, body: &[u8]) -> Result<Option<IdempotencyKey>> {
    const LONGEST: usize = 255;
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= LONGEST);
    let key = key.ok_or_else(|| Error::invalid("Idempotency-Key: must be 1 to 255 visible characters"))?;
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, body).as_ref());
    let expires_at = Timestamp::now().plus(REMEMBERED);
    Ok(Some(IdempotencyKey { key: key.to_owned(), hash, expires_at }))
}
