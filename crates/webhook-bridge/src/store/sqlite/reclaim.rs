//! Taking back what was lost: leases whose requests are no more.

use std::collections::HashSet;

use eventbus::Timestamp;
use rusqlite::{Result, Row, params};

use super::schema::state;
use super::writer::Write;
use crate::model::{DeliveryId, DeliveryKey, DeliveryState, EndpointKey, Reclaimed, Trouble, interrupted};

/// Leases that ran out.
pub(super) const LOST: &str =
    "SELECT endpoint_no, sequence, attempts, interrupted, expires_at FROM delivery INDEXED BY delivery_lease
     WHERE state = 1 AND lease_until <= ?1";

/// A delivery whose lease ran out.
struct Lost {
    key: DeliveryKey,
    /// The attempt that was interrupted, and how many before it were, one after the other.
    attempt: u32,
    interrupted: u32,
    expires_at: Timestamp,
}

/// Takes back what is leased until this time or earlier and not under way, and stores those attempts as interrupted. The
/// first is due again at once, and later where it was interrupted again and again: what ends the process must not do so
/// for ever.
pub(super) fn reclaim(
    write: &mut Write<'_>,
    (until, now): (Timestamp, Timestamp),
    under_way: &HashSet<DeliveryKey>,
) -> Result<Reclaimed> {
    let mut lost = write.connection.prepare_cached(LOST)?;
    let rows: Vec<_> = lost.query_map([until.as_millis()], Lost::read)?.collect::<Result<_>>()?;
    let mut reclaimed = Reclaimed::default();
    for one in rows.iter().filter(|one| !under_way.contains(&one.key)) {
        if one.attempt > 1 {
            note(write, one, now)?;
        }
        match interrupted(one.interrupted, rand::random()) {
            Some(wait) => {
                set(write, one, (DeliveryState::Pending, now.plus(wait)), now)?;
                write.hint(one.key.endpoint, now.plus(wait));
                reclaimed.due += 1;
            }
            None => {
                set(write, one, (DeliveryState::Parked, one.expires_at), now)?;
                let delivery = DeliveryId(one.key);
                tracing::error!(%delivery, "each of its attempts was interrupted: it is put aside");
                reclaimed.parked += 1;
            }
        }
    }
    Ok(reclaimed)
}

impl Lost {
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            key: DeliveryKey { endpoint: EndpointKey(row.get(0)?), sequence: row.get(1)? },
            attempt: row.get(2)?,
            interrupted: row.get(3)?,
            expires_at: Timestamp::from_millis(row.get(4)?),
        })
    }
}

/// Its next state, with its first attempt where it was that.
fn set(write: &Write<'_>, lost: &Lost, (to, due): (DeliveryState, Timestamp), now: Timestamp) -> Result<()> {
    let mut update = write.connection.prepare_cached(
        "UPDATE delivery SET state = ?3, due_at = ?4, earlier = earlier + 1, interrupted = interrupted + 1,
         lease = NULL, lease_until = NULL, first_at = coalesce(?5, first_at),
         first_ms = iif(?5 IS NULL, first_ms, 0), first_trouble = iif(?5 IS NULL, first_trouble, ?6)
         WHERE endpoint_no = ?1 AND sequence = ?2",
    )?;
    let first = (lost.attempt == 1).then_some(now.as_millis());
    let (key, trouble) = (lost.key, Trouble::Interrupted.as_str());
    update
        .execute(params![key.endpoint.0, key.sequence, state::number(to), due.as_millis(), first, trouble])
        .map(drop)
}

/// An attempt after the first.
fn note(write: &Write<'_>, lost: &Lost, now: Timestamp) -> Result<()> {
    let mut insert = write.connection.prepare_cached(
        "INSERT INTO attempt (endpoint_no, sequence, number, started_at, duration_ms, trouble)
         VALUES (?1, ?2, ?3, ?4, 0, ?5)",
    )?;
    let DeliveryKey { endpoint, sequence } = lost.key;
    let trouble = Trouble::Interrupted.as_str();
    insert.execute(params![endpoint.0, sequence, lost.attempt, now.as_millis(), trouble]).map(drop)
}
