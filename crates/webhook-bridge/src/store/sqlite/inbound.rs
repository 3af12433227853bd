//! Webhooks that came in, so that each is published once.

use eventbus::Timestamp;
use rusqlite::{Connection, Result, params};

use super::writer::Write;
use crate::model::{Inbound, Mode};

pub(super) fn came(connection: &Connection, inbound: &Inbound, now: Timestamp) -> Result<bool> {
    let mut find = connection.prepare_cached(
        "SELECT 1 FROM inbound WHERE source = ?1 AND livemode = ?2 AND event = ?3 AND expires_at > ?4",
    )?;
    find.exists(params![inbound.source, inbound.mode.is_live(), inbound.event, now.as_millis()])
}

/// A page of all: a range of the primary key.
pub(super) const PAGE: &str = "SELECT source, livemode, event, expires_at FROM inbound
     WHERE (source, livemode, event) > (?1, ?2, ?3) ORDER BY source, livemode, event LIMIT ?4";

pub(super) fn list(connection: &Connection, after: Option<&Inbound>, most: u32) -> Result<Vec<Inbound>> {
    let after = after.map_or(("", false, ""), |one| (&*one.source, one.mode.is_live(), &*one.event));
    let mut page = connection.prepare_cached(PAGE)?;
    let rows = page.query_map(params![after.0, after.1, after.2, most], |row| {
        Ok(Inbound {
            source: row.get(0)?,
            mode: Mode::from(row.get::<_, bool>(1)?),
            event: row.get(2)?,
            expires_at: Timestamp::from_millis(row.get(3)?),
        })
    })?;
    rows.collect()
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
