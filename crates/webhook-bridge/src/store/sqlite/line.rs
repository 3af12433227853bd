//! Order by key: of one key, an endpoint's deliveries stand in line, and only the first is ever due.
//!
//! Who comes while another of its key is not over waits, and is in no index that a claim reads; whoever ends lets the
//! next one go. So a line costs nothing while it stands, however long it is.

use eventbus::Timestamp;
use rusqlite::{OptionalExtension as _, Result, params};

use super::schema::state;
use super::writer::Write;
use crate::model::{DeliveryKey, DeliveryState, EndpointKey};

/// The first one of a key that is not over.
pub(super) const FIRST: &str = "SELECT sequence, state FROM delivery INDEXED BY delivery_line
     WHERE endpoint_no = ?1 AND key = ?2 AND finished_at IS NULL ORDER BY sequence LIMIT 1";

/// How a new delivery begins: waiting where another of its key is not over.
pub(super) fn join(write: &mut Write<'_>, endpoint: EndpointKey, key: Option<&str>) -> Result<DeliveryState> {
    let Some(key) = key else { return Ok(DeliveryState::Pending) };
    let before = first(write, endpoint, key)?;
    Ok(if before.is_some() { DeliveryState::Waiting } else { DeliveryState::Pending })
}

/// Lets the next one of a key go, after the one of it that was not waiting has ended.
pub(super) fn leave(write: &mut Write<'_>, endpoint: EndpointKey, key: &str, now: Timestamp) -> Result<()> {
    let next = first(write, endpoint, key)?;
    let waiting = state::number(DeliveryState::Waiting);
    let Some((sequence, _)) = next.filter(|(_, state)| *state == waiting) else { return Ok(()) };
    let mut update = write
        .connection
        .prepare_cached("UPDATE delivery SET state = 0 WHERE endpoint_no = ?1 AND sequence = ?2")?;
    update.execute(params![endpoint.0, sequence])?;
    write.hint(endpoint, now);
    Ok(())
}

/// The key of a delivery, where the next one of it may go when this one ends: one that waits held up nobody.
pub(super) const LEADS: &str =
    "SELECT key FROM delivery WHERE endpoint_no = ?1 AND sequence = ?2 AND state != 7";

/// Ends a delivery that is not leased, and lets the next one of its key go.
pub(super) fn end(
    write: &mut Write<'_>,
    delivery: DeliveryKey,
    as_state: DeliveryState,
    now: Timestamp,
) -> Result<()> {
    let (endpoint, number) = (delivery.endpoint, state::number(as_state));
    let key: Option<Option<String>> = {
        let mut leads = write.connection.prepare_cached(LEADS)?;
        leads.query_row(params![endpoint.0, delivery.sequence], |row| row.get(0)).optional()?
    };
    let mut update = write.connection.prepare_cached(
        "UPDATE delivery SET state = ?3, finished_at = ?4 WHERE endpoint_no = ?1 AND sequence = ?2",
    )?;
    update.execute(params![endpoint.0, delivery.sequence, number, now.as_millis()])?;
    key.flatten().map_or(Ok(()), |key| leave(write, endpoint, &key, now))
}

fn first(write: &mut Write<'_>, endpoint: EndpointKey, key: &str) -> Result<Option<(u64, u8)>> {
    write
        .statements
        .find(FIRST)?
        .query_row(params![endpoint.0, key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()
}
