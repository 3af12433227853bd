//! Publishing that is not the bus's: all or nothing, once for each key, or for one endpoint alone.

use eventbus::Timestamp;
use rusqlite::{OptionalExtension as _, Result, params};

use super::convert::{json, parsed, to_json};
use super::ingest::{Incoming, ingest, insert};
use super::owe::{Owed, owe};
use super::writer::Write;
use crate::error::{Error, ErrorKind};
use crate::model::{DeliveryKey, EndpointId, EndpointKey, IdempotencyKey, Ingested, Mode, PublishedEvents};

/// Events to be stored together, and what makes that repeatable.
pub(super) struct Prepared {
    pub(super) mode: Mode,
    pub(super) incoming: Vec<Incoming>,
    /// From when on they are of no use.
    pub(super) expires_at: Option<Timestamp>,
    pub(super) key: Option<IdempotencyKey>,
}

/// Stores events unless the key says that they were; then tells what came of each.
pub(super) fn publish(
    write: &mut Write<'_>,
    prepared: &Prepared,
    now: Timestamp,
) -> Result<crate::error::Result<PublishedEvents>> {
    let stored = |events| Ok(PublishedEvents { events, repeated: false });
    let Some(key) = &prepared.key else { return all(write, prepared).map(stored) };
    let mut known = write.connection.prepare_cached(
        "SELECT hash, answer FROM idempotency WHERE livemode = ?1 AND key = ?2 AND expires_at > ?3",
    )?;
    let livemode = prepared.mode.is_live();
    let known = known.query_row(params![livemode, key.key, now.as_millis()], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, String>(1)?))
    });
    match known.optional()? {
        Some((hash, answer)) if hash == key.hash => {
            return told(&answer).map(|events| Ok(PublishedEvents { events, repeated: true }));
        }
        Some(_) => {
            let message = "Idempotency-Key: was used for another body";
            return Ok(Err(Error::new(ErrorKind::Conflict, message)));
        }
        // A request that is sent again was answered by now, however late it comes.
        None if prepared.expires_at.is_some_and(|at| at <= now) => {
            return Ok(Err(Error::invalid("expires_at: must be later than now")));
        }
        None => {}
    }
    let ingested = all(write, prepared)?;
    let answer: Vec<_> = ingested.iter().map(|one| (one.deliveries, one.duplicate)).collect();
    let mut insert = write.connection.prepare_cached(
        "INSERT OR REPLACE INTO idempotency (livemode, key, hash, answer, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    let answer = parsed(3, || to_json(&answer))?;
    insert.execute(params![livemode, key.key, &key.hash[..], answer, key.expires_at.as_millis()])?;
    Ok(stored(ingested))
}

fn all(write: &mut Write<'_>, prepared: &Prepared) -> Result<Vec<Ingested>> {
    prepared.incoming.iter().map(|incoming| ingest(write, incoming)).collect()
}

/// The answer that was given then.
fn told(answer: &str) -> Result<Vec<Ingested>> {
    let answer: Vec<(u32, bool)> = parsed(1, || json(answer))?;
    Ok(answer.into_iter().map(|(deliveries, duplicate)| Ingested { deliveries, duplicate }).collect())
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
    write.connection.prepare_cached("UPDATE event SET is_test = 1 WHERE no = ?1")?.execute([event_no])?;
    let endpoint = EndpointKey(no);
    let (expires_at, incoming) = (incoming.expires_at, Some(incoming));
    let sequence = owe(write, &Owed { event_no, endpoint, key: None, expires_at, incoming }, now)?;
    Ok(Some(DeliveryKey { endpoint, sequence }))
}
