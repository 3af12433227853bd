//! Deliveries made due again: one, or what was given up of an endpoint.

use eventbus::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::line;
use super::schema::state;
use super::writer::Write;
use crate::model::{DeliveryKey, DeliveryState, EndpointKey, Mode, Recovery, Resent};

/// What was given up of an endpoint, by its index.
pub(super) const FAILED: &str = "SELECT d.sequence FROM delivery AS d INDEXED BY delivery_failed
     WHERE d.endpoint_no = ?1 AND d.state BETWEEN 3 AND 5 AND d.created_at >= ?2 AND d.created_at < ?3 AND d.finished_at <= ?4
     ORDER BY d.created_at, d.sequence LIMIT ?5";

/// Makes a delivery due now.
pub(super) fn resend(
    write: &mut Write<'_>,
    (mode, key): (Mode, DeliveryKey),
    now: Timestamp,
) -> Result<Resent> {
    let mut find = write.connection.prepare_cached(
        "SELECT d.state, e.status FROM delivery AS d JOIN endpoint AS e ON e.no = d.endpoint_no
         WHERE d.endpoint_no = ?1 AND d.sequence = ?2 AND e.livemode = ?3",
    )?;
    let found = find.query_row(params![key.endpoint.0, key.sequence, mode.is_live()], |row| {
        Ok((row.get::<_, u8>(0)?, row.get::<_, String>(1)?))
    });
    let Some((number, status)) = found.optional()? else { return Ok(Resent::Missing) };
    if status == "disabled" || status == "deleted" {
        return Ok(Resent::Disabled);
    }
    match state::find(number) {
        Some(DeliveryState::Leased) => Ok(Resent::InFlight),
        Some(DeliveryState::Waiting) => Ok(Resent::Waiting),
        Some(DeliveryState::Pending | DeliveryState::Parked) => {
            // It is the first of its key, if it has one.
            set(write, key, DeliveryState::Pending, now)?;
            Ok(Resent::Due)
        }
        _ => {
            again(write, key, now)?;
            Ok(Resent::Due)
        }
    }
}

/// Makes due what was given up; `None` when there is no such endpoint, or it is disabled.
pub(super) fn recover(
    write: &mut Write<'_>,
    (mode, recovery): (Mode, &Recovery),
    now: Timestamp,
) -> Result<Option<u32>> {
    let Some(endpoint) = endpoint(write.connection, (mode, recovery))? else { return Ok(None) };
    let found = failed(write.connection, endpoint, recovery)?;
    for &sequence in &found {
        again(write, DeliveryKey { endpoint, sequence }, now)?;
    }
    Ok(Some(u32::try_from(found.len()).unwrap_or(u32::MAX)))
}

/// How many would be made due.
pub(super) fn recoverable(connection: &Connection, (mode, recovery): (Mode, &Recovery)) -> Result<u32> {
    let Some(endpoint) = endpoint(connection, (mode, recovery))? else { return Ok(0) };
    Ok(u32::try_from(failed(connection, endpoint, recovery)?.len()).unwrap_or(u32::MAX))
}

fn endpoint(connection: &Connection, (mode, recovery): (Mode, &Recovery)) -> Result<Option<EndpointKey>> {
    let mut find = connection.prepare_cached(
        "SELECT no FROM endpoint WHERE id = ?1 AND livemode = ?2 AND status IN ('enabled', 'paused')",
    )?;
    let id = recovery.endpoint.as_str();
    find.query_row(params![id, mode.is_live()], |row| row.get(0).map(EndpointKey)).optional()
}

fn failed(connection: &Connection, endpoint: EndpointKey, recovery: &Recovery) -> Result<Vec<u64>> {
    let mut statement = connection.prepare_cached(FAILED)?;
    let (since, until) = (recovery.since.as_millis(), recovery.until.as_millis());
    let ended = recovery.ended.as_millis();
    let asked = params![endpoint.0, since, until, ended, recovery.most];
    let rows = statement.query_map(asked, |row| row.get(0))?;
    rows.collect()
}

/// Begins a delivery again that has ended: it stands in line with what is not over of its key.
fn again(write: &mut Write<'_>, delivery: DeliveryKey, now: Timestamp) -> Result<()> {
    let mut find = write
        .connection
        .prepare_cached("SELECT key FROM delivery WHERE endpoint_no = ?1 AND sequence = ?2")?;
    let key: Option<String> =
        find.query_row(params![delivery.endpoint.0, delivery.sequence], |row| row.get(0))?;
    let state = line::join(write, delivery.endpoint, key.as_deref())?;
    set(write, delivery, state, now)
}

fn set(write: &mut Write<'_>, key: DeliveryKey, to: DeliveryState, now: Timestamp) -> Result<()> {
    let mut update = write.connection.prepare_cached(
        "UPDATE delivery SET state = ?3, due_at = ?4, finished_at = NULL
         WHERE endpoint_no = ?1 AND sequence = ?2",
    )?;
    update.execute(params![key.endpoint.0, key.sequence, state::number(to), now.as_millis()])?;
    if to == DeliveryState::Pending {
        write.hint(key.endpoint, now);
    }
    Ok(())
}
