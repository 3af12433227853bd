//! An attempt and the delivery's next state, in one transaction.

use eventbus::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::schema::state;
use super::writer::Write;
use super::{health, line};
use crate::model::{Attempt, DeliveryKey, DeliveryState, Finished, Next};

/// The next state of what is leased, with its first attempt where it was that.
macro_rules! settle {
    ($which:literal) => {
        concat!(
            "UPDATE delivery SET state = ?4, due_at = iif(?4 = 8, expires_at, coalesce(?5, due_at)),
             finished_at = ?6, faults = faults + ?7, interrupted = 0, lease = NULL, lease_until = NULL,
             first_at = coalesce(?8, first_at), first_ms = iif(?8 IS NULL, first_ms, ?9),
             first_status = iif(?8 IS NULL, first_status, ?10), first_trouble = iif(?8 IS NULL, first_trouble, ?11)
             WHERE endpoint_no = ?1 AND sequence = ?2 AND state = 1 AND lease = ?3 ",
            $which
        )
    };
}

/// What stands in no line. One that is parked is due no more but for its end.
pub(super) const SETTLE: &str = settle!("AND key IS NULL");

/// The same of what stands in one.
pub(super) const SETTLE_KEYED: &str = settle!("RETURNING key");

/// An attempt after the first.
pub(super) const ATTEMPT: &str =
    "INSERT INTO attempt (endpoint_no, sequence, number, started_at, duration_ms, status, trouble)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Stores what became of an attempt with what follows for its key and its endpoint, if its lease still holds.
pub(super) fn finish(write: &mut Write<'_>, attempt: &Attempt, now: Timestamp) -> Result<Finished> {
    let Some(key) = settle(write, attempt, now)? else { return Ok(Finished::Lost) };
    further(write, attempt)?;
    answer(write, attempt)?;
    let endpoint = attempt.delivery.endpoint;
    match attempt.next {
        Next::Retry(at) => write.hint(endpoint, at),
        // Its key waits for it until it is mended or too old.
        Next::Parked => {}
        Next::Succeeded | Next::Failed(_) => {
            key.map_or(Ok(()), |key| line::leave(write, endpoint, &key, now))?;
        }
    }
    health::observe(write, attempt, now)
}

/// The delivery's next state, and its key where it stands in line; `None` when somebody else has the lease.
fn settle(write: &mut Write<'_>, attempt: &Attempt, now: Timestamp) -> Result<Option<Option<String>>> {
    let (state, due_at, finished_at) = match attempt.next {
        Next::Succeeded => (DeliveryState::Succeeded, None, Some(now)),
        Next::Retry(at) => (DeliveryState::Pending, Some(at), None),
        Next::Failed(ending) => (DeliveryState::Failed(ending), None, Some(now)),
        Next::Parked => (DeliveryState::Parked, None, None),
    };
    let (key, lease, fault) = (attempt.delivery, attempt.lease.0, attempt.outcome.is_fault());
    let (due, finished) = (due_at.map(Timestamp::as_millis), finished_at.map(Timestamp::as_millis));
    let (state, first, told) = (state::number(state), attempt.number == 1, Told::new(attempt));
    let row = params![
        key.endpoint.0,
        key.sequence,
        lease,
        state,
        due,
        finished,
        fault,
        first.then_some(told.at),
        told.ms,
        told.status,
        told.trouble
    ];
    // Most have no key, and an answer of its own would cost as much again as the change.
    if write.statements.find(SETTLE)?.execute(row)? == 1 {
        return Ok(Some(None));
    }
    write.statements.find(SETTLE_KEYED)?.query_row(row, |row| row.get(0)).optional()
}

/// What is stored of an attempt.
struct Told {
    at: i64,
    ms: u64,
    status: Option<u16>,
    trouble: Option<&'static str>,
}

impl Told {
    fn new(attempt: &Attempt) -> Self {
        Self {
            at: attempt.started_at.as_millis(),
            ms: u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
            status: attempt.outcome.status(),
            trouble: attempt.outcome.trouble().map(crate::model::Trouble::as_str),
        }
    }
}

fn further(write: &mut Write<'_>, attempt: &Attempt) -> Result<()> {
    if attempt.number == 1 {
        return Ok(());
    }
    let (key, told) = (attempt.delivery, Told::new(attempt));
    let row =
        params![key.endpoint.0, key.sequence, attempt.number, told.at, told.ms, told.status, told.trouble];
    write.statements.find(ATTEMPT)?.execute(row).map(drop)
}

/// What was answered, where that is worth keeping.
fn answer(write: &Write<'_>, attempt: &Attempt) -> Result<()> {
    if attempt.answer.body.is_empty() && attempt.answer.note.is_none() {
        return Ok(());
    }
    let mut statement = write.connection.prepare_cached(
        "INSERT INTO answer (endpoint_no, sequence, number, body, note) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    statement.execute(params![
        attempt.delivery.endpoint.0,
        attempt.delivery.sequence,
        attempt.number,
        &attempt.answer.body[..],
        attempt.answer.note,
    ])?;
    Ok(())
}

/// Where a delivery stands.
pub(super) fn state(connection: &Connection, delivery: DeliveryKey) -> Result<Option<DeliveryState>> {
    let mut statement =
        connection.prepare_cached("SELECT state FROM delivery WHERE endpoint_no = ?1 AND sequence = ?2")?;
    let key = params![delivery.endpoint.0, delivery.sequence];
    let number: Option<u8> = statement.query_row(key, |row| row.get(0)).optional()?;
    Ok(number.and_then(state::find))
}
