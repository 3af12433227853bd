//! What should have been sent by now: a look at the index of each endpoint that is owed something, never a count.

use std::collections::HashSet;

use eventbus::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::convert::is_damage;
use super::health;
use crate::model::{DeliveryKey, Due, EndpointKey};

/// What is the longest due of the next endpoint that is owed something.
pub(super) const FIRST: &str = "SELECT endpoint_no, due_at, sequence FROM delivery INDEXED BY delivery_due
     WHERE state = 0 AND endpoint_no > ?1 ORDER BY endpoint_no, due_at, sequence LIMIT 1";

/// What is being sent: no more than the dispatcher has under way.
pub(super) const SENT: &str = "SELECT endpoint_no FROM delivery INDEXED BY delivery_lease
     WHERE state = 1 AND lease_until > ?1";

/// The enabled endpoints that are owed something, each with when its first is due.
pub(super) fn agenda(connection: &Connection) -> Result<Vec<(EndpointKey, Timestamp)>> {
    let mut all = Vec::new();
    each(connection, |endpoint, (due, _)| {
        if enabled(connection, endpoint)? {
            all.push((endpoint, due));
        }
        Ok(())
    })?;
    Ok(all)
}

/// What is the longest due of each endpoint that is enabled and not left alone.
pub(super) fn due(connection: &Connection, now: Timestamp) -> Result<Vec<Due>> {
    let mut sent = connection.prepare_cached(SENT)?;
    let sent: HashSet<i64> = sent.query_map([now.as_millis()], |row| row.get(0))?.collect::<Result<_>>()?;
    let mut all = Vec::new();
    each(connection, |endpoint, (since, sequence)| {
        if since <= now && open(connection, endpoint, now)? {
            let delivery = DeliveryKey { endpoint, sequence };
            all.push(Due { delivery, since, behind: sent.contains(&endpoint.0) });
        }
        Ok(())
    })?;
    Ok(all)
}

/// Looks at each endpoint that is owed something: when what is the longest due of it is, and its number.
fn each(
    connection: &Connection,
    mut look: impl FnMut(EndpointKey, (Timestamp, u64)) -> Result<()>,
) -> Result<()> {
    let mut first = connection.prepare_cached(FIRST)?;
    let mut after = i64::MIN;
    while let Some((no, due, sequence)) =
        first.query_row([after], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?
    {
        after = no;
        look(EndpointKey(no), (Timestamp::from_millis(due), sequence))?;
    }
    Ok(())
}

fn enabled(connection: &Connection, endpoint: EndpointKey) -> Result<bool> {
    let mut enabled =
        connection.prepare_cached("SELECT 1 FROM endpoint WHERE no = ?1 AND status = 'enabled'")?;
    enabled.exists(params![endpoint.0])
}

/// Tells whether an endpoint may be sent to. One that cannot be read is not: the claim says so, each time.
fn open(connection: &Connection, endpoint: EndpointKey, now: Timestamp) -> Result<bool> {
    if !enabled(connection, endpoint)? {
        return Ok(false);
    }
    match health::look(connection, endpoint) {
        Err(cause) if is_damage(&cause) => Ok(false),
        health => Ok(health?.rest(now).is_none()),
    }
}
