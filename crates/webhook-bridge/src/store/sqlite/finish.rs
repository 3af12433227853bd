//! An attempt and the delivery's next state, in one transaction.

use eventbus::Timestamp;
use rusqlite::{Result, params};

use super::schema::state;
use super::writer::Write;
use crate::model::{Attempt, Ending, Finished, Next};

/// Stores what became of an attempt, if its lease still holds.
pub(super) fn finish(write: &mut Write<'_>, attempt: &Attempt, now: Timestamp) -> Result<Finished> {
    let (state, due_at, finished_at) = match attempt.next {
        Next::Succeeded => (state::SUCCEEDED, None, Some(now)),
        Next::Retry(at) => (state::PENDING, Some(at), None),
        Next::Failed(Ending::Exhausted) => (state::EXHAUSTED, None, Some(now)),
        Next::Failed(Ending::Expired) => (state::EXPIRED, None, Some(now)),
    };
    let mut update = write.connection.prepare_cached(
        "UPDATE delivery SET state = ?4, due_at = coalesce(?5, due_at), finished_at = ?6, lease = NULL, lease_until = NULL
         WHERE endpoint_no = ?1 AND sequence = ?2 AND state = 1 AND lease = ?3",
    )?;
    let (key, lease) = (attempt.delivery, attempt.lease.0);
    let (due, finished) = (due_at.map(Timestamp::as_millis), finished_at.map(Timestamp::as_millis));
    if update.execute(params![key.endpoint.0, key.sequence, lease, state, due, finished])? == 0 {
        return Ok(Finished::Lost);
    }
    insert(write, attempt)?;
    if let Some(due) = due_at {
        write.hint(key.endpoint, due);
    }
    if let Some(until) = attempt.hold {
        hold(write, attempt, until)?;
    }
    Ok(Finished::Stored)
}

fn insert(write: &Write<'_>, attempt: &Attempt) -> Result<()> {
    let mut statement = write.connection.prepare_cached(
        "INSERT INTO attempt (endpoint_no, sequence, number, started_at, duration_ms, status, trouble)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    statement.execute(params![
        attempt.delivery.endpoint.0,
        attempt.delivery.sequence,
        attempt.number,
        attempt.started_at.as_millis(),
        u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX),
        attempt.outcome.status(),
        attempt.outcome.trouble().map(crate::model::Trouble::as_str),
    ])?;
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

/// Leaves the whole endpoint alone until then: it asked for it.
fn hold(write: &Write<'_>, attempt: &Attempt, until: Timestamp) -> Result<()> {
    let mut statement = write
        .connection
        .prepare_cached("UPDATE endpoint SET hold_until = max(coalesce(hold_until, 0), ?2) WHERE no = ?1")?;
    statement.execute(params![attempt.delivery.endpoint.0, until.as_millis()])?;
    Ok(())
}
