//! Publishing over HTTP: stored with its deliveries before the answer.

use axum::Json;
use axum::extract::State;
use bytes::Bytes;
use eventbus::AnyEvent;
use http::StatusCode;
use serde::Serialize;

use super::Api;
use super::auth::Caller;
use super::problem::Problem;
use crate::error::{Error, ErrorKind};
use crate::model::Mode;

/// What became of an event.
#[derive(Debug, Serialize)]
pub(super) struct Published {
    id: String,
    /// To how many endpoints it is owed.
    deliveries: u32,
    /// Whether it was there already.
    duplicate: bool,
}

/// `POST /v1/events`: the event's JSON form. 202 when it is stored, 200 when it was before.
pub(super) async fn publish(
    State(api): State<Api>,
    caller: Caller,
    body: Bytes,
) -> Result<(StatusCode, Json<Published>), Problem> {
    let event = AnyEvent::from_json(body).map_err(Error::from)?;
    if Mode::from(event.livemode()) != caller.mode {
        let message = format!("livemode: this key is for {} events", caller.mode);
        return Err(Error::new(ErrorKind::Forbidden, message).into());
    }
    let id = event.id().to_string();
    let ingested = api.store.ingest(event).await?;
    let status = if ingested.duplicate { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(Published { id, deliveries: ingested.deliveries, duplicate: ingested.duplicate })))
}
