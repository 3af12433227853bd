//! Forgetting what is old, a little at a time and always from the old end of an index, so that its cost does not grow
//! with what is kept.

use std::time::Duration;

use eventbus::Timestamp;
use rusqlite::{Params, Result, params};

use super::contents::Contents;
use super::line;
use super::schema::state;
use super::writer::Write;
use crate::model::{DeliveryKey, DeliveryState, Ending, EndpointKey, Pruned, Retention};

/// The most rows of one kind in one step: a step is one of the writer's jobs, and others wait for it.
const STEP: u32 = 256;

/// Parked deliveries that nobody mended in time.
pub(super) const PARKED: &str = "SELECT endpoint_no, sequence FROM delivery INDEXED BY delivery_parked
     WHERE state = 8 AND due_at <= ?1 LIMIT ?2";

/// The oldest deliveries of an endpoint whose first attempt is not forgotten yet, and whether it was made.
pub(super) const FIRSTS: &str =
    "SELECT d.endpoint_no, d.sequence, d.state, d.expires_at, d.created_at, d.first_at, d.attempts > (d.state = 1)
     FROM sequence AS s CROSS JOIN delivery AS d ON d.endpoint_no = s.endpoint_no
     WHERE s.endpoint_no = ?1 AND d.sequence > s.forgotten_to ORDER BY d.sequence LIMIT ?2";

/// What was answered to the first attempt of a delivery.
const FIRST_ANSWER: &str = "DELETE FROM answer WHERE endpoint_no = ?1 AND sequence = ?2 AND number = 1";

/// The oldest attempts of an endpoint after the first ones: their order is that of their deliveries.
pub(super) const ATTEMPTS: &str = "SELECT sequence, number, started_at FROM attempt
     WHERE endpoint_no = ?1 ORDER BY sequence, number LIMIT ?2";

/// The oldest deliveries of an endpoint.
pub(super) const DELIVERIES: &str = "SELECT sequence, created_at, state, expires_at FROM delivery
     WHERE endpoint_no = ?1 ORDER BY sequence LIMIT ?2";

/// What is not over of an event.
pub(super) const OPEN: &str = "SELECT endpoint_no, sequence, state, expires_at
     FROM delivery INDEXED BY delivery_event WHERE event_no = ?1 AND finished_at IS NULL LIMIT ?2";

/// The oldest events whose body is still there.
pub(super) const BODIES: &str = "SELECT no, received_at FROM event WHERE no > ?1 ORDER BY no LIMIT ?2";

/// The oldest events, and whether a delivery of one is left.
pub(super) const EVENTS: &str = "SELECT no, received_at,
     EXISTS (SELECT 1 FROM delivery INDEXED BY delivery_event WHERE event_no = event.no)
     FROM event ORDER BY no LIMIT ?1";

/// What a deleted endpoint is still owed.
pub(super) const OWED: &str = "SELECT sequence FROM delivery INDEXED BY delivery_due
     WHERE endpoint_no = ?1 AND state = 0 LIMIT ?2";

/// For how long a deleted endpoint's row is kept, so that what it was sent can still be looked at.
const TOMBSTONE: Duration = Duration::from_secs(30 * 24 * 3600);

/// The next endpoints, and when each was deleted, if it was.
pub(super) const ENDPOINTS: &str = "SELECT sequence.endpoint_no,
     CASE WHEN endpoint.no IS NULL THEN 0 WHEN endpoint.status = 'deleted' THEN endpoint.updated_at END
     FROM sequence LEFT JOIN endpoint ON endpoint.no = sequence.endpoint_no
     WHERE sequence.endpoint_no > ?1 ORDER BY sequence.endpoint_no LIMIT ?2";
/// How many endpoints are looked at in one step.
const ROUND: usize = 64;

/// One step of forgetting.
pub(super) fn prune(write: &mut Write<'_>, keep: &Retention, now: Timestamp) -> Result<Pruned> {
    let parked = parked(write, now)?;
    let (owed, cancelled, further) = endpoints(write, keep, now)?;
    let (bodies, expired) = bodies(write, before(now, keep.bodies()), now)?;
    let events = events(write, before(now, keep.deliveries()))?;
    // An event's number is given out again when the newest ones are gone.
    write.known.contents = Contents::default();
    let steps = [parked, owed, bodies, expired, events];
    let more = further || steps.iter().any(|&rows| rows >= STEP);
    Ok(Pruned { rows: steps.iter().sum(), expired: parked + expired, cancelled, more })
}

/// Goes on where the last step ended; says how many rows were forgotten, how many deliveries cancelled among them, and
/// whether there are more endpoints to look at.
fn endpoints(write: &mut Write<'_>, keep: &Retention, now: Timestamp) -> Result<(u32, u32, bool)> {
    let from: i64 = write.connection.query_row("SELECT endpoint FROM forgotten", [], |row| row.get(0))?;
    let found: Vec<(i64, Option<i64>)> =
        rows(write, ENDPOINTS, params![from, ROUND], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut reached = found.last().map(|(no, _)| *no).filter(|_| found.len() == ROUND);
    let (mut forgotten, mut cancelled, mut looked) = (0, 0, 0);
    for (no, deleted) in found {
        let endpoint = EndpointKey(no);
        if deleted.is_some() {
            let ended = cancel(write, endpoint, now)?;
            (forgotten, cancelled) = (forgotten + ended, cancelled + ended);
        }
        let bury = deleted.is_some_and(|at| at <= before(now, TOMBSTONE));
        let (of_attempts, of_deliveries) = if bury {
            (i64::MAX, i64::MAX)
        } else {
            (before(now, keep.attempts()), before(now, keep.deliveries()))
        };
        let (of_first, passed) = firsts(write, endpoint, of_attempts, now)?;
        looked += passed;
        forgotten += of_first + attempts(write, endpoint, of_attempts)?;
        forgotten += deliveries(write, endpoint, of_deliveries, now)?;
        if bury {
            forgotten += self::bury(write, endpoint)?;
        }
        if forgotten >= STEP || looked >= STEP {
            // Again with this one: it may have more.
            reached = Some(no - 1);
            break;
        }
    }
    if reached.unwrap_or(0) != from {
        write.connection.execute("UPDATE forgotten SET endpoint = ?1", [reached.unwrap_or(0)])?;
    }
    Ok((forgotten, cancelled, reached.is_some()))
}

/// Forgets an endpoint of which neither a delivery nor an attempt is left.
fn bury(write: &Write<'_>, endpoint: EndpointKey) -> Result<u32> {
    for what in [DELIVERIES, ATTEMPTS] {
        if !rows(write, what, params![endpoint.0, 1], |_| Ok(()))?.is_empty() {
            return Ok(0);
        }
    }
    for table in ["endpoint_secret", "health", "sequence"] {
        let delete = format!("DELETE FROM {table} WHERE endpoint_no = ?1");
        write.connection.prepare_cached(&delete)?.execute([endpoint.0])?;
    }
    write.connection.prepare_cached("DELETE FROM endpoint WHERE no = ?1")?.execute([endpoint.0])?;
    Ok(1)
}

fn before(now: Timestamp, keep: Duration) -> i64 {
    now.as_millis().saturating_sub(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX))
}

fn rows<T>(
    write: &Write<'_>,
    query: &str,
    values: impl Params,
    read: impl FnMut(&rusqlite::Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    write.connection.prepare_cached(query)?.query_map(values, read)?.collect()
}

/// The old ones of what comes oldest first: where the first is not old, nothing else is looked at.
fn oldest<T>(mut read: impl FnMut(u32) -> Result<Vec<T>>, old: impl Fn(&T) -> bool) -> Result<Vec<T>> {
    if !read(1)?.first().is_some_and(&old) {
        return Ok(Vec::new());
    }
    Ok(read(STEP)?.into_iter().take_while(old).collect())
}

fn count<T>(rows: &[T]) -> u32 {
    u32::try_from(rows.len()).unwrap_or(u32::MAX)
}

/// Ends what was parked and became too old, so that its key goes on.
fn parked(write: &mut Write<'_>, now: Timestamp) -> Result<u32> {
    let old: Vec<(i64, u64)> =
        rows(write, PARKED, params![now.as_millis(), STEP], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for &(endpoint, sequence) in &old {
        let delivery = DeliveryKey { endpoint: EndpointKey(endpoint), sequence };
        line::end(write, delivery, DeliveryState::Failed(Ending::Expired), now)?;
    }
    Ok(count(&old))
}

/// Ends what is owed to an endpoint that was deleted. Who ends lets the next one of its key go, which ends too.
fn cancel(write: &mut Write<'_>, endpoint: EndpointKey, now: Timestamp) -> Result<u32> {
    let mut ended = 0;
    while ended < STEP {
        let owed: Vec<u64> = rows(write, OWED, params![endpoint.0, STEP - ended], |row| row.get(0))?;
        if owed.is_empty() {
            break;
        }
        for &sequence in &owed {
            line::end(write, DeliveryKey { endpoint, sequence }, DeliveryState::Cancelled, now)?;
        }
        ended += count(&owed);
    }
    Ok(ended)
}

/// First attempts are with their deliveries, which stay: up to the first that is still to be made. What is over without one
/// is passed by, and looked at again when it is due again. Says how many there were, and how many deliveries were looked at.
fn firsts(write: &Write<'_>, endpoint: EndpointKey, before: i64, now: Timestamp) -> Result<(u32, u32)> {
    let read = |most| {
        rows(write, FIRSTS, params![endpoint.0, most], |row| {
            let first: Option<i64> = row.get(5)?;
            let (at, was_made): (i64, bool) = (row.get(4)?, row.get(6)?);
            let one = Open::read(row)?;
            let is_old = first.map_or(at < before && (was_made || one.is_over(now)), |first| first < before);
            Ok((one.delivery.sequence, first, is_old))
        })
    };
    let old = oldest(read, |(.., is_old): &(u64, Option<i64>, bool)| *is_old)?;
    let Some((last, ..)) = old.last() else { return Ok((0, 0)) };
    let mut forget = write.connection.prepare_cached(
        "UPDATE delivery SET first_at = NULL, first_ms = NULL, first_status = NULL, first_trouble = NULL
         WHERE endpoint_no = ?1 AND sequence = ?2",
    )?;
    let mut answer = write.connection.prepare_cached(FIRST_ANSWER)?;
    let made: Vec<_> = old.iter().filter(|(_, first, _)| first.is_some()).collect();
    for (sequence, ..) in &made {
        forget.execute(params![endpoint.0, sequence])?;
        answer.execute(params![endpoint.0, sequence])?;
    }
    let reached = "UPDATE sequence SET forgotten_to = ?2 WHERE endpoint_no = ?1";
    write.connection.prepare_cached(reached)?.execute(params![endpoint.0, last])?;
    Ok((count(&made), count(&old)))
}

fn attempts(write: &Write<'_>, endpoint: EndpointKey, before: i64) -> Result<u32> {
    let read = |most| {
        rows(write, ATTEMPTS, params![endpoint.0, most], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
    };
    let old = oldest(read, |(_, _, at): &(u64, u32, i64)| *at < before)?;
    for table in ["answer", "attempt"] {
        let delete = format!("DELETE FROM {table} WHERE endpoint_no = ?1 AND sequence = ?2 AND number = ?3");
        let mut delete = write.connection.prepare_cached(&delete)?;
        for (sequence, number, _) in &old {
            delete.execute(params![endpoint.0, sequence, number])?;
        }
    }
    Ok(count(&old))
}

/// Up to the first that is not over yet: it may have been sent again.
fn deliveries(write: &mut Write<'_>, endpoint: EndpointKey, before: i64, now: Timestamp) -> Result<u32> {
    let read = |most| {
        rows(write, DELIVERIES, params![endpoint.0, most], |row| {
            let delivery = DeliveryKey { endpoint, sequence: row.get(0)? };
            Ok((row.get(1)?, Open { delivery, state: row.get(2)?, expires_at: row.get(3)? }))
        })
    };
    let old = oldest(read, |(at, one): &(i64, Open)| *at < before && one.is_over(now))?;
    let mut delete =
        write.connection.prepare_cached("DELETE FROM delivery WHERE endpoint_no = ?1 AND sequence = ?2")?;
    let mut answer = write.connection.prepare_cached(FIRST_ANSWER)?;
    for (_, one) in &old {
        one.end(write, now)?;
        delete.execute(params![endpoint.0, one.delivery.sequence])?;
        answer.execute(params![endpoint.0, one.delivery.sequence])?;
    }
    Ok(count(&old))
}

/// A delivery that may have to end before it, or what it needs, is forgotten.
struct Open {
    delivery: DeliveryKey,
    state: u8,
    expires_at: i64,
}

impl Open {
    fn read(row: &rusqlite::Row<'_>) -> Result<Self> {
        let delivery = DeliveryKey { endpoint: EndpointKey(row.get(0)?), sequence: row.get(1)? };
        Ok(Self { delivery, state: row.get(2)?, expires_at: row.get(3)? })
    }

    /// Whether it is never sent again by itself.
    fn is_over(&self, now: Timestamp) -> bool {
        match state::find(self.state) {
            Some(DeliveryState::Leased) => false,
            Some(DeliveryState::Pending | DeliveryState::Waiting | DeliveryState::Parked) => {
                self.expires_at <= now.as_millis()
            }
            _ => true,
        }
    }

    /// Ends it, if it has not: nobody claimed it in time, whose endpoint is disabled or paused.
    fn end(&self, write: &mut Write<'_>, now: Timestamp) -> Result<()> {
        let open = [DeliveryState::Pending, DeliveryState::Waiting, DeliveryState::Parked];
        if open.map(state::number).contains(&self.state) {
            line::end(write, self.delivery, DeliveryState::Failed(Ending::Expired), now)?;
        }
        Ok(())
    }
}

/// Up to the first event that is still owed to somebody; what became too old unsent ends. Tells how many bodies were
/// forgotten and how many deliveries ended.
fn bodies(write: &mut Write<'_>, before: i64, now: Timestamp) -> Result<(u32, u32)> {
    let done: i64 = write.connection.query_row("SELECT bodies FROM forgotten", [], |row| row.get(0))?;
    let read = |most| rows(write, BODIES, params![done, most], |row| Ok((row.get(0)?, row.get(1)?)));
    let old = oldest(read, |(_, at): &(i64, i64)| *at < before)?;
    let (mut last, mut bodies, mut ended) = (done, 0, 0);
    for &(no, _) in &old {
        let open = rows(write, OPEN, params![no, STEP], Open::read)?;
        let over: Vec<_> = open.iter().filter(|one| one.is_over(now)).collect();
        for one in &over {
            one.end(write, now)?;
        }
        ended += count(&over);
        // All of an event that has more of them than are looked at is for a later step.
        if over.len() < open.len() || count(&open) == STEP {
            break;
        }
        (last, bodies) = (no, bodies + 1);
        if ended >= STEP {
            break;
        }
    }
    if last > done {
        let empty = "UPDATE event SET body = x'' WHERE no > ?1 AND no <= ?2";
        write.connection.prepare_cached(empty)?.execute([done, last])?;
        write.connection.execute("UPDATE forgotten SET bodies = ?1", [last])?;
    }
    Ok((bodies, ended))
}

fn events(write: &Write<'_>, before: i64) -> Result<u32> {
    let read = |most| rows(write, EVENTS, [most], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    let old = oldest(read, |(_, at, owed): &(i64, i64, bool)| *at < before && !owed)?;
    let mut delete = write.connection.prepare_cached("DELETE FROM event WHERE no = ?1")?;
    for (no, ..) in &old {
        delete.execute([no])?;
    }
    // SQLite numbers from the beginning again where none is left.
    let begin = "UPDATE forgotten SET bodies = 0 WHERE ?1 AND NOT EXISTS (SELECT 1 FROM event)";
    write.connection.prepare_cached(begin)?.execute([!old.is_empty()])?;
    Ok(count(&old))
}
