//! The log of events, by number: a range of the primary key.

use bytes::Bytes;
use eventbus::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::deliveries::WINDOW;
use crate::model::{EventBody, EventFilter, LogPage, Mode, StoredEvent};

/// A window of all events, backwards. The body is the last column, so it is not read.
pub(super) const WINDOWED: &str =
    "SELECT no, id, source, type, key, occurred_at, received_at, expires_at, livemode FROM event
     WHERE no < ?1 ORDER BY no DESC LIMIT ?2";

/// The next event from a number on.
pub(super) const FROM: &str = "SELECT no, received_at FROM event WHERE no >= ?1 ORDER BY no LIMIT 1";

/// Those of an id, one of each source.
pub(super) const OF_ID: &str =
    "SELECT no, id, source, type, key, occurred_at, received_at, expires_at, livemode, body FROM event
     WHERE livemode = ?1 AND id = ?2 ORDER BY source";

/// A page of the events of a mode, the newest first.
pub(super) fn list(
    connection: &Connection,
    mode: Mode,
    filter: &EventFilter,
) -> Result<LogPage<StoredEvent, u64>> {
    let before = match (filter.before, filter.until) {
        (Some(before), _) => i64::try_from(before).unwrap_or(i64::MAX),
        (None, Some(until)) => first_since(connection, until)?,
        (None, None) => i64::MAX,
    };
    let mut statement = connection.prepare_cached(WINDOWED)?;
    let mut rows = statement.query(params![before, WINDOW])?;
    let (mut list, mut seen, mut next) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        let (event, of) = (event(row)?, Mode::from(row.get::<_, bool>(8)?));
        seen += 1;
        next = Some(event.no);
        if filter.since.is_some_and(|since| event.received_at < since) {
            return Ok(LogPage { list, next: None });
        }
        if of == mode && wanted(filter, &event) {
            list.push(event);
        }
        if list.len() as u64 == u64::from(filter.limit) {
            return Ok(LogPage { list, next });
        }
    }
    Ok(LogPage { list, next: next.filter(|_| seen == WINDOW) })
}

fn wanted(filter: &EventFilter, event: &StoredEvent) -> bool {
    filter.event_type.as_ref().is_none_or(|event_type| event.event_type == *event_type)
        && filter.source.as_ref().is_none_or(|source| event.source == *source)
        && filter.key.as_ref().is_none_or(|key| event.key.as_ref() == Some(key))
        && filter.until.is_none_or(|until| event.received_at < until)
}

/// The number of the first event that was stored at this time or later, or one past the last.
///
/// Halves the range of numbers, which are in the order they were stored: some dozen looks at the primary key, however many
/// events there are. Where the clock was set back in between, it is off by as much.
pub(super) fn first_since(connection: &Connection, time: Timestamp) -> Result<i64> {
    let mut from = connection.prepare_cached(FROM)?;
    let mut look =
        |no: i64| from.query_row([no], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))).optional();
    let last = "SELECT coalesce(max(no), 0) FROM event";
    let (mut low, mut high) =
        (0, connection.prepare_cached(last)?.query_row([], |row| row.get::<_, i64>(0))? + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match look(middle)? {
            Some((no, at)) if at < time.as_millis() => low = no + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The events of an id, one of each source.
pub(super) fn find(connection: &Connection, mode: Mode, id: &str) -> Result<Vec<EventBody>> {
    let mut statement = connection.prepare_cached(OF_ID)?;
    let rows = statement.query_map(params![mode.is_live(), id], |row| {
        let body = Bytes::from(row.get::<_, Vec<u8>>(9)?);
        Ok(EventBody { event: event(row)?, body: Some(body).filter(|body| !body.is_empty()) })
    })?;
    rows.collect()
}

fn event(row: &Row<'_>) -> Result<StoredEvent> {
    Ok(StoredEvent {
        no: row.get(0)?,
        id: row.get(1)?,
        source: row.get(2)?,
        event_type: row.get(3)?,
        key: row.get(4)?,
        occurred_at: Timestamp::from_millis(row.get(5)?),
        received_at: Timestamp::from_millis(row.get(6)?),
        expires_at: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
    })
}
