//! Events that an endpoint was not owed when they came, owed to it now.

use eventbus::Timestamp;
use eventbus::transport::Order;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::endpoints;
use super::events::first_since;
use super::owe::{Owed, expiry, owe};
use super::writer::Write;
use crate::model::{EnabledEvents, Endpoint, EndpointKey, EndpointStatus, Mode, Replay, Replayed};

/// A range of all events, each with whether it has its bytes still and is owed to the endpoint already.
pub(super) const RANGE: &str = "SELECT no, livemode, source, type, key, received_at, expires_at, is_test,
     length(body) > 0,
     EXISTS (SELECT 1 FROM delivery INDEXED BY delivery_event WHERE event_no = event.no AND endpoint_no = ?3)
     FROM event WHERE no > ?1 ORDER BY no LIMIT ?2";

/// Makes the deliveries that are missing; `None` when there is no such endpoint, or it is disabled.
pub(super) fn replay(write: &mut Write<'_>, (mode, replay): (Mode, &Replay)) -> Result<Option<Replayed>> {
    let Some((to, endpoint)) = endpoint(write.connection, (mode, replay))? else { return Ok(None) };
    // Read here, so that what is numbered later is not older.
    let now = Timestamp::now();
    let (missing, next) = missing(write.connection, (to, &endpoint), (replay, now))?;
    for (index, event) in missing.iter().enumerate() {
        let key = event.key.as_deref().filter(|_| endpoint.order == Order::PerKey);
        let (event_no, expires_at) = (event.no, event.expires_at);
        let owed = Owed { event_no, endpoint: to, key, expires_at, incoming: None };
        let sequence = owe(write, &owed, now)?;
        let due = replay.pace.due(now, index);
        if due > now {
            let later =
                "UPDATE delivery SET due_at = ?3, expires_at = ?4 WHERE endpoint_no = ?1 AND sequence = ?2";
            let expires_at = expiry(expires_at, due).as_millis();
            let row = params![to.0, sequence, due.as_millis(), expires_at];
            write.connection.prepare_cached(later)?.execute(row)?;
        }
    }
    Ok(Some(Replayed { deliveries: u32::try_from(missing.len()).unwrap_or(u32::MAX), next }))
}

/// What would be made.
pub(super) fn count(connection: &Connection, (mode, replay): (Mode, &Replay)) -> Result<Option<Replayed>> {
    let Some((key, endpoint)) = endpoint(connection, (mode, replay))? else { return Ok(None) };
    let (missing, next) = missing(connection, (key, &endpoint), (replay, Timestamp::now()))?;
    Ok(Some(Replayed { deliveries: u32::try_from(missing.len()).unwrap_or(u32::MAX), next }))
}

fn endpoint(
    connection: &Connection,
    (mode, replay): (Mode, &Replay),
) -> Result<Option<(EndpointKey, Endpoint)>> {
    let found = endpoints::find(connection, mode, &replay.endpoint)?;
    let Some(endpoint) = found.filter(|one| one.status != EndpointStatus::Disabled) else { return Ok(None) };
    let mut find = connection.prepare_cached("SELECT no FROM endpoint WHERE id = ?1")?;
    let no = find.query_row([endpoint.id.as_str()], |row| row.get(0)).optional()?;
    Ok(no.map(|no| (EndpointKey(no), endpoint)))
}

/// An event that is looked at.
struct Looked {
    no: i64,
    mode: Mode,
    source: String,
    event_type: String,
    key: Option<String>,
    received_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// Whether it was made for another endpoint alone.
    is_test: bool,
    /// Whether its bytes are there.
    whole: bool,
    owed: bool,
}

/// What the endpoint wants of a range of events and is not owed, and where the range ends, if not at the end.
fn missing(
    connection: &Connection,
    (key, endpoint): (EndpointKey, &Endpoint),
    (replay, now): (&Replay, Timestamp),
) -> Result<(Vec<Looked>, Option<u64>)> {
    let after = match replay.after {
        Some(after) => i64::try_from(after).unwrap_or(i64::MAX),
        None => first_since(connection, replay.since)? - 1,
    };
    let mut statement = connection.prepare_cached(RANGE)?;
    let rows = statement.query_map(params![after, replay.most, key.0], looked)?;
    let events: Vec<Looked> = rows.collect::<Result<_>>()?;
    let full = usize::try_from(replay.most).is_ok_and(|most| events.len() >= most);
    let ended = events.last().is_none_or(|last| last.received_at >= replay.until);
    let next = events.last().filter(|_| full && !ended).and_then(|last| u64::try_from(last.no).ok());
    let wanted = |event: &Looked| event.mode == endpoint.mode && wanted(event, endpoint, (replay, now));
    Ok((events.into_iter().filter(wanted).collect(), next))
}

fn wanted(event: &Looked, endpoint: &Endpoint, (replay, now): (&Replay, Timestamp)) -> bool {
    let matches = |events: &EnabledEvents| events.matches(&event.event_type);
    !event.owed
        && event.whole
        && (replay.since..replay.until).contains(&event.received_at)
        && event.expires_at.is_none_or(|at| at > now)
        && !event.is_test
        && endpoint.source.as_ref().is_none_or(|source| event.source == *source)
        && matches(&endpoint.enabled_events)
        && replay.types.as_ref().is_none_or(matches)
}

fn looked(row: &Row<'_>) -> Result<Looked> {
    Ok(Looked {
        no: row.get(0)?,
        mode: Mode::from(row.get::<_, bool>(1)?),
        source: row.get(2)?,
        event_type: row.get(3)?,
        key: row.get(4)?,
        received_at: Timestamp::from_millis(row.get(5)?),
        expires_at: row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis),
        is_test: row.get(7)?,
        whole: row.get(8)?,
        owed: row.get(9)?,
    })
}
