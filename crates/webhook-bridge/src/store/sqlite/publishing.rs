//! Publishing that is not the bus's: once for each key, or for one endpoint alone.

use eventbus::Timestamp;
use rusqlite::{OptionalExtension as _, Result, params};

use super::ingest::{Incoming, ingest, insert};
use super::owe::{Owed, owe};
use super::writer::Write;
use crate::error::{Error, ErrorKind};
use crate::model::{DeliveryKey, EndpointId, EndpointKey, IdempotencyKey, Ingested};

/// Stores an event unless the key says that it was; then tells what came of it.
pub(super) fn once(
    write: &mut Write<'_>,
    incoming: &Incoming,
    (key, now): (&IdempotencyKey, Timestamp),
) -> Result<crate::error::Result<Ingested>> {
    let mut known = write.connection.prepare_cached(
        "SELECT hash, deliveries, duplicate FROM idempotency
         WHERE livemode = ?1 AND key = ?2 AND expires_at > ?3",
    )?;
    let livemode = incoming.event.livemode();
    let known = known.query_row(params![livemode, key.key, now.as_millis()], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, Ingested { deliveries: row.get(1)?, duplicate: row.get(2)? }))
    });
    match known.optional()? {
        Some((hash, ingested)) if hash == key.hash => return Ok(Ok(ingested)),
        Some(_) => {
            let message = "Idempotency-Key: was used for another body";
            return Ok(Err(Error::new(ErrorKind::Conflict, message)));
        }
        None => {}
    }
    let ingested = ingest(write, incoming)?;
    let mut insert = write.connection.prepare_cached(
        "INSERT OR REPLACE INTO idempotency (livemode, key, hash, deliveries, duplicate, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    let Ingested { deliveries, duplicate } = ingested;
    insert.execute(params![
        livemode,
        key.key,
        &key.hash[..],
        deliveries,
        duplicate,
        key.expires_at.as_millis()
    ])?;
    Ok(Ok(ingested))
}

/// Keys that ran out: as many as are forgotten at once, so that nobody waits long for the writer.
pub(super) const EXPIRED: &str = "SELECT livemode, key FROM idempotency INDEXED BY idempotency_expiry
     WHERE expires_at <= ?1 LIMIT 256";

/// Forgets keys that ran out, some of them.
pub(super) fn expire(write: &Write<'_>, now: Timestamp) -> Result<u32> {
    let mut expired = write.connection.prepare_cached(EXPIRED)?;
    let rows = expired.query_map([now.as_millis()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows: Vec<(bool, String)> = rows.collect::<Result<_>>()?;
    let mut delete =
        write.connection.prepare_cached("DELETE FROM idempotency WHERE livemode = ?1 AND key = ?2")?;
    for (livemode, key) in &rows {
        delete.execute(params![livemode, key])?;
    }
    Ok(u32::try_from(rows.len()).unwrap_or(u32::MAX))
}

/// Stores an event and one delivery of it, to an endpoint of its mode.
pub(super) fn only_for(
    write: &mut Write<'_>,
    incoming: &Incoming,
    id: &EndpointId,
) -> Result<Option<DeliveryKey>> {
    let now = Timestamp::now();
    let event = &incoming.event;
    let mut find = write
        .connection
        .prepare_cached("SELECT no FROM endpoint WHERE id = ?1 AND livemode = ?2 AND status <> 'deleted'")?;
    let no = find.query_row(params![id.as_str(), event.livemode()], |row| row.get::<_, i64>(0)).optional()?;
    let Some(no) = no else { return Ok(None) };
    let Some(event_no) = insert(write, incoming, now)? else { return Ok(None) };
    let endpoint = EndpointKey(no);
    let sequence = owe(write, &Owed { incoming, event_no, endpoint, key: None }, now)?;
    Ok(Some(DeliveryKey { endpoint, sequence }))
}
