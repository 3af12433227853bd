//! Groups of the bus: how far each is behind, and what it gave up.
//!
//! A bus has both modes on it. Numbers are of the group; a dead letter is shown to the mode of its event only, and what is no
//! event, and so might be anything, to the live mode.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Json;
use axum::extract::State;
use eventbus::transport::{Backlog, DeadLetter};
use eventbus::{EventBus, Pattern, Select, SubscriptionState};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::body::{Body, Id, Parameters};
use super::delivery::List;
use super::problem::Problem;
use super::wish::within;
use crate::error::{Error, ErrorKind, Result};
use crate::model::Mode;

/// How many dead letters are listed when nothing is said, and at most; and how many one call hands out again.
const LIMIT: (u32, u32) = (50, 250);
const MOST: u64 = 1000;
/// How much of a body is shown.
const SHOWN: usize = 4096;

/// A group on the wire.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Group")]
pub(super) struct View {
    id: String,
    object: &'static str,
    /// What this bridge's own member does; `null` where the group is others'.
    state: Option<&'static str>,
    /// How many messages it has not settled: its lag.
    lag: u64,
    queued: u64,
    in_flight: u64,
    /// Those that wait for a retry.
    waiting: u64,
    /// Those behind a key that is held.
    parked: u64,
    dead_letters: u64,
    members: u64,
}

/// A dead letter on the wire.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "DeadLetter")]
pub(super) struct Letter {
    /// Its number, as text because it may be larger than numbers of JSON are everywhere.
    id: String,
    object: &'static str,
    /// The event's id; `null` where the bytes are no event.
    event: Option<String>,
    source: Option<String>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    key: Option<String>,
    reason: &'static str,
    attempts: u32,
    /// What the last attempt said.
    failure: Option<String>,
    dead_at: String,
    holds_key: bool,
    /// The beginning of its bytes; what is no UTF-8 in it is replaced.
    body: String,
}

/// `GET /v1/groups`: those that this bridge is a member of. Others are asked for by name.
pub(super) async fn list(State(api): State<Api>, _: Caller) -> Result<Json<List<View>>, Problem> {
    let mut list = Vec::new();
    for subscription in api.bus.health().subscriptions {
        list.extend(find(&api.bus, subscription.group.as_str()).await?);
    }
    Ok(Json(List { list, next: None }))
}

/// `GET /v1/groups/{id}`
pub(super) async fn retrieve(State(api): State<Api>, _: Caller, Id(id): Id) -> Result<Json<View>, Problem> {
    Ok(Json(find(&api.bus, &id).await?.ok_or_else(missing)?))
}

async fn find(bus: &EventBus, group: &str) -> Result<Option<View>> {
    let own = bus.health().subscriptions.into_iter().find(|one| one.group.as_str() == group);
    let backlog = bus.backlog(group).await?;
    Ok(backlog.map(|backlog| view(group, own.map(|own| word(&own.state)), backlog)))
}

fn view(group: &str, state: Option<&'static str>, backlog: Backlog) -> View {
    View {
        id: group.to_owned(),
        object: "group",
        state,
        lag: backlog.unsettled(),
        queued: backlog.queued,
        in_flight: backlog.in_flight,
        waiting: backlog.waiting,
        parked: backlog.parked,
        dead_letters: backlog.dead,
        members: backlog.members,
    }
}

fn word(state: &SubscriptionState) -> &'static str {
    match state {
        SubscriptionState::Running => "running",
        SubscriptionState::Paused => "paused",
        SubscriptionState::Stopped => "stopped",
        SubscriptionState::Stalled => "stalled",
        _ => "degraded",
    }
}

fn missing() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such group on the bus")
}

/// How many.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeadLetterQuery")]
pub(super) struct Page {
    /// The `next` of the page before.
    cursor: Option<String>,
    #[schemars(range(min = 1, max = 250))]
    limit: Option<u32>,
}

/// `GET /v1/groups/{id}/dead_letters`: the oldest first.
pub(super) async fn dead_letters(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Parameters(page): Parameters<Page>,
) -> Result<Json<List<Letter>>, Problem> {
    let limit = within("limit", page.limit, 1..=LIMIT.1)?.unwrap_or(LIMIT.0);
    let select = Select::all().matching(move |letter| is_of(caller.mode, letter));
    let unknown = |_| Error::invalid("cursor: is not one of this list");
    let after = page.cursor.map(|text| text.parse::<u64>().map_err(unknown)).transpose()?;
    let select = after.into_iter().fold(select, Select::after);
    let letters = api.bus.dead_letters(&id).map_err(Error::from)?;
    let found = letters.list(select, limit as usize).await.map_err(Error::from)?;
    let full = found.len() == limit as usize;
    let next = found.last().filter(|_| full).map(|letter| letter.id.to_string());
    Ok(Json(List { list: found.iter().map(Letter::from).collect(), next }))
}

/// Which are handed out again.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RedriveRequest")]
pub(super) struct Asked {
    /// One of them; otherwise all.
    dead_letter: Option<String>,
    /// Only events of these types, as a pattern.
    types: Option<String>,
    /// Only counts.
    #[serde(default)]
    dry_run: bool,
}

/// What came of it.
#[derive(Serialize, JsonSchema)]
pub(super) struct Redriven {
    /// How many were handed out again, or would be.
    dead_letters: u64,
    /// Whether there are more: then it is to be asked again.
    more: bool,
}

/// `POST /v1/groups/{id}/redrive`: dead letters are handed out to the group again, the oldest first, as first attempts.
pub(super) async fn redrive(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Body(asked): Body<Asked>,
) -> Result<Json<Redriven>, Problem> {
    let one = asked.dead_letter.is_some();
    let select = select(caller.mode, (asked.dead_letter, asked.types))?;
    let redrive = api.bus.dead_letters(&id).map_err(Error::from)?.redrive(select);
    let done =
        if asked.dry_run { redrive.dry_run().await } else { redrive.run().await }.map_err(Error::from)?;
    if one && done.matched == 0 {
        return Err(missing_letter().into());
    }
    let dead_letters = if asked.dry_run { done.matched } else { done.redriven };
    Ok(Json(Redriven { dead_letters, more: done.matched == MOST }))
}

/// Which are removed: at least one of these is to be said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PurgeRequest")]
pub(super) struct Unwanted {
    /// One of them.
    dead_letter: Option<String>,
    /// Only events of these types, as a pattern.
    types: Option<String>,
    /// Whatever there is.
    #[serde(default)]
    all: bool,
    /// Only counts.
    #[serde(default)]
    dry_run: bool,
}

/// What came of it.
#[derive(Serialize, JsonSchema)]
pub(super) struct Purged {
    /// How many were removed, or would be.
    dead_letters: u64,
    /// Whether there are more: then it is to be asked again.
    more: bool,
}

/// `POST /v1/groups/{id}/purge`: dead letters are removed for good, the oldest first; none where it is not said which.
pub(super) async fn purge(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Body(asked): Body<Unwanted>,
) -> Result<Json<Purged>, Problem> {
    if asked.dead_letter.is_none() && asked.types.is_none() && !asked.all {
        return Err(Error::invalid("dead_letter, types, all: say which ones").into());
    }
    let one = asked.dead_letter.is_some();
    let select = select(caller.mode, (asked.dead_letter, asked.types))?;
    let letters = api.bus.dead_letters(&id).map_err(Error::from)?;
    let dead_letters = match asked.dry_run {
        true => letters.redrive(select).dry_run().await.map(|counted| counted.matched),
        false => letters.purge(select).await,
    };
    let dead_letters = dead_letters.map_err(Error::from)?;
    if one && dead_letters == 0 {
        return Err(missing_letter().into());
    }
    tracing::info!(group = id, count = dead_letters, dry_run = asked.dry_run, "dead letters were purged");
    Ok(Json(Purged { dead_letters, more: dead_letters == MOST }))
}

/// One of them or all, of some types or all, and only so many.
fn select(mode: Mode, (letter, types): (Option<String>, Option<String>)) -> Result<Select> {
    let number = letter.map(|text| text.parse().map_err(|_| missing_letter())).transpose()?;
    let select = number.map_or_else(Select::all, Select::id);
    let pattern = types.map(|text| text.parse::<Pattern>().map_err(Error::from)).transpose()?;
    let select = pattern.into_iter().fold(select, Select::pattern);
    let seen = AtomicU64::new(0);
    Ok(select.matching(move |letter| is_of(mode, letter) && seen.fetch_add(1, Ordering::Relaxed) < MOST))
}

fn missing_letter() -> Error {
    Error::new(ErrorKind::NotFound, "there is no such dead letter")
}

/// Whether a dead letter may be known to a mode.
fn is_of(mode: Mode, letter: &DeadLetter) -> bool {
    letter.event().map_or(Mode::Live, |event| Mode::from(event.livemode())) == mode
}

impl From<&DeadLetter> for Letter {
    fn from(letter: &DeadLetter) -> Self {
        let event = letter.event();
        let raw = letter.raw().unwrap_or_default();
        Self {
            id: letter.id.to_string(),
            object: "dead_letter",
            event: event.map(|event| event.id().to_string()),
            source: event.map(|event| event.source().to_string()),
            event_type: event.map(|event| event.event_type().to_string()),
            key: event.and_then(|event| event.key()).map(ToString::to_string),
            reason: letter.reason.as_str(),
            attempts: letter.attempts,
            failure: letter.last_failure().map(|failure| failure.message.clone()),
            dead_at: letter.time.to_string(),
            holds_key: letter.holds_key,
            body: String::from_utf8_lossy(&raw[..raw.len().min(SHOWN)]).into_owned(),
        }
    }
}
