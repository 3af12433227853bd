//! Deliveries made due again: one, or what was given up of an endpoint.

use eventbus::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::line;
use super::owe::expiry;
use super::schema::state;
use super::writer::Write;
use crate::model::{DeliveryKey, DeliveryState, EndpointKey, Mode, Recovered, Recovery, Released, Resent};

/// What was given up of an endpoint, by its index, when the event of each is of no use any more, and whether its bytes
/// are there.
pub(super) const FAILED: &str = "SELECT d.created_at, d.sequence, e.expires_at, length(e.body) > 0, e.type
     FROM delivery AS d INDEXED BY delivery_failed CROSS JOIN event AS e ON e.no = d.event_no
     WHERE d.endpoint_no = ?1 AND (d.state = 3 OR d.state = 4 OR d.state = 5 OR d.state = 8) AND d.state < 8 AND (d.created_at, d.sequence) > (?2, ?3)
     AND d.created_at < ?4 ORDER BY d.created_at, d.sequence LIMIT ?5";

/// Makes a delivery due now.
pub(super) fn resend(
    write: &mut Write<'_>,
    (mode, key): (Mode, DeliveryKey),
    now: Timestamp,
) -> Result<Resent> {
    let Some(found) = find(write, (mode, key))? else { return Ok(Resent::Missing) };
    if !found.open {
        return Ok(Resent::Disabled);
    }
    if found.expires_at.is_some_and(|at| at <= now) {
        return Ok(Resent::Expired);
    }
    if !found.whole {
        return Ok(Resent::Forgotten);
    }
    match found.state {
        Some(DeliveryState::Leased) => return Ok(Resent::InFlight),
        Some(DeliveryState::Waiting) => return Ok(Resent::Waiting),
        // It is the first of its key, if it has one.
        Some(DeliveryState::Pending | DeliveryState::Parked) => {
            set(write, key, (DeliveryState::Pending, Attempts::Further), (now, found.expires_at))?;
        }
        _ => again(write, key, Attempts::Further, (now, found.expires_at))?,
    }
    Ok(Resent::Due)
}

/// Makes a delivery due that was parked, as if the bridge had never failed to send it.
pub(super) fn release(
    write: &mut Write<'_>,
    (mode, key): (Mode, DeliveryKey),
    now: Timestamp,
) -> Result<Released> {
    match find(write, (mode, key))? {
        Some(found) if found.state == Some(DeliveryState::Parked) && found.open => {
            if found.expires_at.is_some_and(|at| at <= now) {
                return Ok(Released::Expired);
            }
            set(write, key, (DeliveryState::Pending, Attempts::Further), (now, found.expires_at))?;
            Ok(Released::Due)
        }
        Some(found) if found.open => Ok(Released::NotParked),
        Some(_) => Ok(Released::Disabled),
        None => Ok(Released::Missing),
    }
}

/// A delivery that somebody wants to be due.
struct Found {
    state: Option<DeliveryState>,
    /// Whether its endpoint gets what it is owed, now or later.
    open: bool,
    /// From when on its event is of no use.
    expires_at: Option<Timestamp>,
    /// Whether the bytes of its event are there: retention empties them.
    whole: bool,
}

fn find(write: &Write<'_>, (mode, key): (Mode, DeliveryKey)) -> Result<Option<Found>> {
    let mut find = write.connection.prepare_cached(
        "SELECT d.state, p.status, e.expires_at, length(e.body) > 0 FROM delivery AS d JOIN endpoint AS p ON p.no = d.endpoint_no
         JOIN event AS e ON e.no = d.event_no
         WHERE d.endpoint_no = ?1 AND d.sequence = ?2 AND p.livemode = ?3",
    )?;
    let found = find.query_row(params![key.endpoint.0, key.sequence, mode.is_live()], |row| {
        let status: String = row.get(1)?;
        Ok(Found {
            state: state::find(row.get(0)?),
            open: status == "enabled" || status == "paused",
            expires_at: row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis),
            whole: row.get(3)?,
        })
    });
    found.optional()
}

/// Makes due what was given up, with its schedule from the beginning; `None` when there is no such endpoint, or it is disabled.
pub(super) fn recover(
    write: &mut Write<'_>,
    (mode, recovery): (Mode, &Recovery),
) -> Result<Option<Recovered>> {
    let Some(endpoint) = endpoint(write.connection, (mode, recovery))? else { return Ok(None) };
    let (useful, recovered) = failed(write.connection, endpoint, recovery)?;
    for (index, (sequence, expires_at)) in useful.into_iter().enumerate() {
        let due = recovery.pace.due(recovery.now, index);
        again(write, DeliveryKey { endpoint, sequence }, Attempts::Anew, (due, expires_at))?;
    }
    Ok(Some(recovered))
}

/// What would be made due.
pub(super) fn recoverable(
    connection: &Connection,
    (mode, recovery): (Mode, &Recovery),
) -> Result<Option<Recovered>> {
    let Some(endpoint) = endpoint(connection, (mode, recovery))? else { return Ok(None) };
    Ok(Some(failed(connection, endpoint, recovery)?.1))
}

fn endpoint(connection: &Connection, (mode, recovery): (Mode, &Recovery)) -> Result<Option<EndpointKey>> {
    let mut find = connection.prepare_cached(
        "SELECT no FROM endpoint WHERE id = ?1 AND livemode = ?2 AND status IN ('enabled', 'paused')",
    )?;
    let id = recovery.endpoint.as_str();
    find.query_row(params![id, mode.is_live()], |row| row.get(0).map(EndpointKey)).optional()
}

/// The number of a delivery, and when its event is of no use any more.
type Failed = (u64, Option<Timestamp>);

/// A part of what was given up: what is of use still.
fn failed(
    connection: &Connection,
    endpoint: EndpointKey,
    recovery: &Recovery,
) -> Result<(Vec<Failed>, Recovered)> {
    let before = (
        Timestamp::from_millis(recovery.since.as_millis().saturating_sub(1)),
        u64::try_from(i64::MAX).unwrap_or(u64::MAX),
    );
    let (at, sequence) = recovery.after.unwrap_or(before);
    let mut statement = connection.prepare_cached(FAILED)?;
    let asked = params![endpoint.0, at.as_millis(), sequence, recovery.until.as_millis(), recovery.most];
    let wanted = |row: &Row<'_>, expires_at: Option<Timestamp>| -> Result<bool> {
        let (whole, event_type): (bool, String) = (row.get(3)?, row.get(4)?);
        let matches = recovery.types.as_ref().is_none_or(|types| types.matches(&event_type));
        Ok(whole && matches && expires_at.is_none_or(|at| at > recovery.now))
    };
    let rows = statement.query_map(asked, |row| {
        let expires_at = row.get::<_, Option<i64>>(2)?.map(Timestamp::from_millis);
        let place = (Timestamp::from_millis(row.get(0)?), row.get(1)?);
        Ok((place, wanted(row, expires_at)?.then_some((place.1, expires_at))))
    })?;
    let seen: Vec<((Timestamp, u64), Option<Failed>)> = rows.collect::<Result<_>>()?;
    let full = usize::try_from(recovery.most).is_ok_and(|most| seen.len() >= most);
    let next = seen.last().filter(|_| full).map(|(place, _)| *place);
    let useful: Vec<_> = seen.into_iter().filter_map(|(_, one)| one).collect();
    let deliveries = u32::try_from(useful.len()).unwrap_or(u32::MAX);
    Ok((useful, Recovered { deliveries, next }))
}

/// Begins a delivery again that has ended: it stands in line with what is not over of its key.
fn again(
    write: &mut Write<'_>,
    delivery: DeliveryKey,
    attempts: Attempts,
    times: (Timestamp, Option<Timestamp>),
) -> Result<()> {
    let mut find = write
        .connection
        .prepare_cached("SELECT key FROM delivery WHERE endpoint_no = ?1 AND sequence = ?2")?;
    let key: Option<String> =
        find.query_row(params![delivery.endpoint.0, delivery.sequence], |row| row.get(0))?;
    let state = line::join(write, delivery.endpoint, key.as_deref())?;
    set(write, delivery, (state, attempts), times)
}

/// Whether the attempts of a delivery that is due again are counted from the beginning of its schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempts {
    Anew,
    Further,
}

/// Faults of the bridge are forgiven: whoever asks has mended them.
fn set(
    write: &mut Write<'_>,
    key: DeliveryKey,
    (to, attempts): (DeliveryState, Attempts),
    (now, event): (Timestamp, Option<Timestamp>),
) -> Result<()> {
    let mut update = write.connection.prepare_cached(
        "UPDATE delivery SET state = ?3, due_at = ?4, finished_at = NULL, expires_at = ?5,
         earlier = iif(?6, attempts, earlier + faults), faults = 0, interrupted = 0
         WHERE endpoint_no = ?1 AND sequence = ?2",
    )?;
    let (expires_at, anew) = (expiry(event, now).as_millis(), attempts == Attempts::Anew);
    let row = params![key.endpoint.0, key.sequence, state::number(to), now.as_millis(), expires_at, anew];
    update.execute(row)?;
    // Its first attempt may be still to come.
    let mut forget = write.connection.prepare_cached(
        "UPDATE sequence SET forgotten_to = ?2 WHERE endpoint_no = ?1 AND forgotten_to > ?2",
    )?;
    forget.execute(params![key.endpoint.0, key.sequence.saturating_sub(1)])?;
    if to == DeliveryState::Pending {
        write.hint(key.endpoint, now);
    }
    Ok(())
}
