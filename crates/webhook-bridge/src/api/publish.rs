//! Publishing over HTTP: stored with its deliveries before the answer.

use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::Bytes;
use eventbus::{AnyEvent, Timestamp};
use ring::digest;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tracing::Span;

use super::Api;
use super::auth::Caller;
use super::body::{Parameters, Raw, Several, parse};
use super::delivery::time;
use super::problem::Problem;
use super::reply::{Accepted, Stored};
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::Intake;
use crate::model::{IdempotencyKey, Ingested, Mode, Publication};
use crate::trace;

/// For how long a key of publishing is remembered.
const REMEMBERED: Duration = Duration::from_secs(24 * 3600);
/// The most events of one batch: so long others wait for the store at most.
pub(super) const MOST: usize = 256;

/// What became of an event.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Published {
    id: String,
    /// To how many endpoints it is owed.
    deliveries: u32,
    /// Whether it was there already.
    duplicate: bool,
}

/// What became of each event, in their order.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Batch {
    list: Vec<Published>,
}

/// What is said beside the events.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PublishQuery")]
pub(super) struct Asked {
    /// From when on it is of no use: what was not delivered by then is never sent, and ends as `expired`.
    expires_at: Option<String>,
}

/// `POST /v1/events`: the event's JSON form, and the trace it belongs to as `traceparent`. 202 when it is stored, 200 when
/// it was before. The same answer is given again to the same `Idempotency-Key`.
pub(super) async fn publish(
    State(api): State<Api>,
    caller: Caller,
    Parameters(asked): Parameters<Asked>,
    raw: Raw,
) -> Result<Stored<Published>, Problem> {
    let event = AnyEvent::from_json(raw.bytes.clone()).map_err(Error::from)?;
    Span::current().record("event", event.id().as_str());
    let published = store(&api, caller.mode, (&raw, asked), vec![event]).await?;
    let one = published.into_iter().next();
    let one = one.ok_or_else(|| Error::new(ErrorKind::Internal, "the store answered nothing"))?;
    Ok(if one.duplicate { Stored::Known(one) } else { Stored::New(one) })
}

/// `POST /v1/events/batch`: an array of events, or lines of them with `application/x-ndjson`; all are stored, or none.
pub(super) async fn batch(
    State(api): State<Api>,
    caller: Caller,
    Parameters(asked): Parameters<Asked>,
    Several(raw): Several,
) -> Result<Accepted<Batch>, Problem> {
    let events = events(&raw)?;
    if events.is_empty() || events.len() > MOST {
        return Err(Error::invalid(format!("a batch has 1 to {MOST} events")).into());
    }
    Ok(Accepted::new(Batch { list: store(&api, caller.mode, (&raw, asked), events).await? }))
}

/// Each event with its own bytes; an error says which one it is of, from 0.
fn events(raw: &Raw) -> Result<Vec<AnyEvent>> {
    let parsed = |(index, bytes): (usize, Bytes)| {
        let wrong = |error: eventbus::Error| Error::invalid(format!("event {index}: {error}"));
        AnyEvent::from_json(bytes).map_err(wrong)
    };
    let kind = raw.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/x-ndjson") {
        let lines = raw.bytes.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
        return lines.map(|line| raw.bytes.slice_ref(line)).enumerate().take(MOST + 1).map(parsed).collect();
    }
    let list: Vec<&RawValue> = parse(&raw.bytes)?;
    let bytes = list.into_iter().map(|one| raw.bytes.slice_ref(one.get().as_bytes()));
    bytes.enumerate().take(MOST + 1).map(parsed).collect()
}

async fn store(
    api: &Api,
    mode: Mode,
    (raw, asked): (&Raw, Asked),
    events: Vec<AnyEvent>,
) -> Result<Vec<Published>> {
    if events.iter().any(|event| Mode::from(event.livemode()) != mode) {
        return Err(Error::new(ErrorKind::Forbidden, format!("livemode: this key is for {mode} events")));
    }
    let key = key(&raw.headers, (&raw.bytes, asked.expires_at.as_deref()))?;
    let expires_at = time("expires_at", asked.expires_at)?;
    // With a key the store looks, because what it knows already is answered as it was, however late.
    if key.is_none() && expires_at.is_some_and(|at| at <= Timestamp::now()) {
        return Err(Error::invalid("expires_at: must be later than now"));
    }
    let traced = |event: AnyEvent| match trace::read(&raw.headers) {
        Some(context) => event.with_envelope(|envelope| envelope.trace = Some(context)),
        None => event,
    };
    let events: Vec<_> = events.into_iter().map(traced).collect();
    let ids: Vec<_> = events.iter().map(|event| event.id().to_string()).collect();
    let stored = api.store.publish(Publication { mode, events, expires_at, key }).await?;
    if !stored.repeated {
        stored.events.iter().for_each(|one| api.metrics.took(Intake::Http, mode, one));
    }
    tracing::debug!(events = stored.events.len(), repeated = stored.repeated, "published");
    let published = |(id, Ingested { deliveries, duplicate })| Published { id, deliveries, duplicate };
    Ok(ids.into_iter().zip(stored.events).map(published).collect())
}

fn key(headers: &HeaderMap, (body, expires_at): (&[u8], Option<&str>)) -> Result<Option<IdempotencyKey>> {
    const LONGEST: usize = 255;
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= LONGEST);
    let key = key.ok_or_else(|| Error::invalid("Idempotency-Key: must be 1 to 255 visible characters"))?;
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(body);
    context.update(expires_at.unwrap_or_default().as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    let remembered = Timestamp::now().plus(REMEMBERED);
    Ok(Some(IdempotencyKey { key: key.to_owned(), hash, expires_at: remembered }))
}
