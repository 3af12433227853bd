//! Webhooks that came in, so that each is published once.

use eventbus::Timestamp;
use rusqlite::{Connection, Result, params};

use super::writer::Write;
use crate::model::Inbound;

pub(super) fn came(connection: &Connection, inbound: &Inbound, now: Timestamp) -> Result<bool> {
    let mut find = connection.prepare_cached(
        "SELECT 1 FROM inbound WHERE source = ?1 AND livemode = ?2 AND event = ?3 AND expires_at > ?4",
    )?;
    find.exists(params![inbound.source, inbound.mode.is_live(), inbound.event, now.as_millis()])
}

pub(super) fn remember(write: &Write<'_>, inbound: &[Inbound]) -> Result<()> {
    let mut insert = write.connection.prepare_cached(
        "INSERT OR REPLACE INTO inbound (source, livemode, event, expires_at) VALUES (?1, ?2, ?3, ?4)",
    )?;
    for one in inbound {
        insert.execute(params![one.source, one.mode.is_live(), one.event, one.expires_at.as_millis()])?;
    }
    Ok(())
}

/// What ran out: as many as are forgotten at once, so that nobody waits long for the writer.
pub(super) const EXPIRED: &str = "SELECT source, livemode, event FROM inbound INDEXED BY inbound_expiry
     WHERE expires_at <= ?1 LIMIT 256";

/// Forgets what ran out, some of it.
pub(super) fn expire(write: &Write<'_>, now: Timestamp) -> Result<u32> {
    let mut expired = write.connection.prepare_cached(EXPIRED)?;
    let rows = expired.query_map([now.as_millis()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let rows: Vec<(String, bool, String)> = rows.collect::<Result<_>>()?;
    let mut delete = write
        .connection
        .prepare_cached("DELETE FROM inbound WHERE source = ?1 AND livemode = ?2 AND event = ?3")?;
    for (source, livemode, event) in &rows {
        delete.execute(params![source, livemode, event])?;
    }
    Ok(u32::try_from(rows.len()).unwrap_or(u32::MAX))
}
