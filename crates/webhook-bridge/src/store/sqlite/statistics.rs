//! How an endpoint did: its newest attempts, by the primary keys, and no more of them than were asked for.
//!
//! An index by time would be written at every attempt, for the few moments in which somebody looks.

use std::time::Duration;

use eventbus::Timestamp;
use rusqlite::{Connection, Result, Row, params};

use crate::model::{Mode, Period, Sample, Statistics};

/// An endpoint's attempts, backwards: the first ones, which are with their deliveries, merged with those after them.
pub(super) const NEWEST: &str = "SELECT d.first_at, d.first_ms, d.first_status, d.sequence, 1
     FROM endpoint AS p CROSS JOIN sequence AS s ON s.endpoint_no = p.no
     CROSS JOIN delivery AS d ON d.endpoint_no = p.no
     WHERE p.id = ?1 AND p.livemode = ?2 AND d.sequence <= s.sent_to AND d.sequence > s.forgotten_to
     UNION ALL SELECT a.started_at, a.duration_ms, a.status, a.sequence, a.number
     FROM endpoint AS p CROSS JOIN attempt AS a ON a.endpoint_no = p.no
     WHERE p.id = ?1 AND p.livemode = ?2 ORDER BY 4 DESC, 5 DESC LIMIT ?3";

/// Counts them. Where there are more, what is before the last one that was looked at is not known.
pub(super) fn count(connection: &Connection, mode: Mode, period: &Period) -> Result<Statistics> {
    let mut statement = connection.prepare_cached(NEWEST)?;
    let mut rows = statement.query(params![period.endpoint.as_str(), mode.is_live(), period.most])?;
    let (mut samples, mut seen) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        seen += 1;
        // Some were never sent.
        samples.extend(sample(row)?);
    }
    let oldest = samples.last().map_or(period.end(), |last| last.started_at.max(period.since));
    let complete_since = if seen < period.most { period.since } else { oldest };
    Ok(period.count(samples, complete_since))
}

fn sample(row: &Row<'_>) -> Result<Option<Sample>> {
    let Some(at) = row.get(0)? else { return Ok(None) };
    let succeeded = row.get::<_, Option<u16>>(2)?.is_some_and(|status| (200..300).contains(&status));
    let (started_at, duration) = (Timestamp::from_millis(at), Duration::from_millis(row.get(1)?));
    Ok(Some(Sample { started_at, duration, succeeded }))
}
