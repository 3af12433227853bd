//! Webhooks that came in, so that each is published once.

use eventbus::Timestamp;
use rusqlite::{Connection, Result, params};

use super::writer::Write;
use crate::model::{Inbound, InboundDigest};

pub(super) fn came(connection: &Connection, digest: InboundDigest, now: Timestamp) -> Result<bool> {
    let mut find =
        connection.prepare_cached("SELECT 1 FROM inbound WHERE digest = ?1 AND expires_at > ?2")?;
    find.exists(params![digest.0, now.as_millis()])
}

/// A page of all: a range of the primary key.
pub(super) const PAGE: &str = "SELECT digest FROM inbound WHERE digest > ?1 ORDER BY digest LIMIT ?2";

pub(super) fn list(
    connection: &Connection,
    after: Option<InboundDigest>,
    most: u32,
) -> Result<Vec<InboundDigest>> {
    let after = after.as_ref().map_or(&[][..], |digest| &digest.0);
    let mut page = connection.prepare_cached(PAGE)?;
    page.query_map(params![after, most], |row| row.get(0).map(InboundDigest))?.collect()
}

pub(super) fn remember(write: &Write<'_>, inbound: &[Inbound]) -> Result<()> {
    let mut insert = write
        .connection
        .prepare_cached("INSERT OR REPLACE INTO inbound (digest, expires_at) VALUES (?1, ?2)")?;
    for one in inbound {
        insert.execute(params![one.digest.0, one.expires_at.as_millis()])?;
    }
    Ok(())
}

/// What ran out: as many as are forgotten at once, so that nobody waits long for the writer.
pub(super) const EXPIRED: &str =
    "SELECT digest FROM inbound INDEXED BY inbound_expiry WHERE expires_at <= ?1 LIMIT 256";

/// Forgets what ran out, some of it.
pub(super) fn expire(write: &Write<'_>, now: Timestamp) -> Result<u32> {
    let mut expired = write.connection.prepare_cached(EXPIRED)?;
    let digests = expired.query_map([now.as_millis()], |row| row.get::<_, [u8; 16]>(0))?;
    let digests: Vec<_> = digests.collect::<Result<_>>()?;
    let mut delete = write.connection.prepare_cached("DELETE FROM inbound WHERE digest = ?1")?;
    for digest in &digests {
        delete.execute([digest])?;
    }
    Ok(u32::try_from(digests.len()).unwrap_or(u32::MAX))
}
