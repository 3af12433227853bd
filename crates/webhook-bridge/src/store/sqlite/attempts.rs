//! The log of attempts.

use std::time::Duration;

use bytes::Bytes;
use eventbus::Timestamp;
use rusqlite::{Connection, Result, Row, params};

use super::deliveries::WINDOW;
use crate::model::{AttemptFilter, AttemptRecord, DeliveryKey, EndpointId, EndpointKey, LogPage, Mode};

/// A window of an endpoint's attempts: a range of the primary key, backwards.
pub(super) const WINDOWED: &str = "SELECT a.endpoint_no, a.sequence, a.number, p.id, e.id, a.started_at,
     a.duration_ms, a.status, a.trouble, r.body, r.note
     FROM endpoint AS p CROSS JOIN attempt AS a ON a.endpoint_no = p.no
     CROSS JOIN delivery AS d ON d.endpoint_no = a.endpoint_no AND d.sequence = a.sequence
     CROSS JOIN event AS e ON e.no = d.event_no
     LEFT JOIN answer AS r ON r.endpoint_no = a.endpoint_no AND r.sequence = a.sequence AND r.number = a.number
     WHERE p.id = ?1 AND p.livemode = ?2 AND (a.sequence, a.number) < (?3, ?4) AND a.sequence >= ?5
     ORDER BY a.sequence DESC, a.number DESC LIMIT ?6";

/// A page of an endpoint's attempts, those of the newest delivery first.
pub(super) fn list(
    connection: &Connection,
    mode: Mode,
    filter: &AttemptFilter,
) -> Result<LogPage<AttemptRecord, (u64, u32)>> {
    let (least, most) = filter.sequence.map_or((0, u64::MAX), |sequence| (sequence, sequence));
    let (sequence, number) = filter.before.unwrap_or((most, u32::MAX));
    let last = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(WINDOWED)?;
    let mut rows = statement.query(params![
        filter.endpoint.as_str(),
        mode.is_live(),
        last(sequence),
        number,
        last(least),
        WINDOW
    ])?;
    let (mut list, mut seen, mut next) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        let attempt = record(row)?;
        seen += 1;
        next = Some((attempt.delivery.sequence, attempt.number));
        let succeeded = attempt.status.is_some_and(|status| (200..300).contains(&status));
        if filter.succeeded.is_none_or(|wanted| wanted == succeeded) {
            list.push(attempt);
        }
        if list.len() as u64 == u64::from(filter.limit) {
            return Ok(LogPage { list, next });
        }
    }
    Ok(LogPage { list, next: next.filter(|_| seen == WINDOW) })
}

fn record(row: &Row<'_>) -> Result<AttemptRecord> {
    Ok(AttemptRecord {
        delivery: DeliveryKey { endpoint: EndpointKey(row.get(0)?), sequence: row.get(1)? },
        number: row.get(2)?,
        endpoint: EndpointId::new(row.get::<_, String>(3)?),
        event_id: row.get(4)?,
        started_at: Timestamp::from_millis(row.get(5)?),
        duration: Duration::from_millis(row.get(6)?),
        status: row.get(7)?,
        trouble: row.get(8)?,
        body: Bytes::from(row.get::<_, Option<Vec<u8>>>(9)?.unwrap_or_default()),
        note: row.get(10)?,
    })
}
