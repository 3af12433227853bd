//! How an endpoint did: its newest attempts, by the primary key, and no more of them than were asked for.
//!
//! An index by time would be written at every attempt, for the few moments in which somebody looks.

use std::time::Duration;

use eventbus::Timestamp;
use rusqlite::{Connection, Result, params};

use crate::model::{Mode, Period, Sample, Statistics};

/// An endpoint's attempts, backwards.
pub(super) const NEWEST: &str = "SELECT a.started_at, a.duration_ms, a.status
     FROM endpoint AS p CROSS JOIN attempt AS a ON a.endpoint_no = p.no
     WHERE p.id = ?1 AND p.livemode = ?2 ORDER BY a.sequence DESC, a.number DESC LIMIT ?3";

/// Counts them. Where there are more, what is before the last one that was looked at is not known.
pub(super) fn count(connection: &Connection, mode: Mode, period: &Period) -> Result<Statistics> {
    let mut statement = connection.prepare_cached(NEWEST)?;
    let rows =
        statement.query_map(params![period.endpoint.as_str(), mode.is_live(), period.most], |row| {
            let succeeded = row.get::<_, Option<u16>>(2)?.is_some_and(|status| (200..300).contains(&status));
            let (started_at, duration) =
                (Timestamp::from_millis(row.get(0)?), Duration::from_millis(row.get(1)?));
            Ok(Sample { started_at, duration, succeeded })
        })?;
    let samples: Vec<Sample> = rows.collect::<Result<_>>()?;
    let cut = samples.last().filter(|_| samples.len() as u64 >= u64::from(period.most));
    let complete_since = cut.map_or(period.since, |last| last.started_at.max(period.since));
    Ok(period.count(samples, complete_since))
}
