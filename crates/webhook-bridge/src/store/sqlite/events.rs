//! The log of events of a mode, by number: a range of an index, and of a key or an id one in each part of the log.

use bytes::Bytes;
use eventbus::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, Rows, params};

use super::deliveries::WINDOW;
use super::identities::parts;
use crate::model::{DeliveryFilter, EventBody, EventFilter, LogPage, Mode, News, StoredEvent};

/// A window of the events of a mode, backwards. The body is the last column, so it is not read.
pub(super) const WINDOWED: &str =
    "SELECT no, id, source, type, key, occurred_at, received_at, expires_at FROM event INDEXED BY event_mode
     WHERE livemode = ?1 AND no < ?2 ORDER BY no DESC LIMIT ?3";

/// The same of those with a key, in one part of the log.
pub(super) const OF_KEY: &str =
    "SELECT no, id, source, type, key, occurred_at, received_at, expires_at FROM event INDEXED BY event_key
     WHERE no >> 12 = ?5 AND livemode = ?1 AND no < ?2 AND key = ?4 ORDER BY no DESC LIMIT ?3";

/// The newest after a number.
pub(super) const NEWS: &str =
    "SELECT no, id, source, type, key, occurred_at, received_at, expires_at FROM event INDEXED BY event_mode
     WHERE livemode = ?1 AND no > ?2 ORDER BY no DESC LIMIT ?3";

/// Those between two numbers, as far as they are counted.
pub(super) const BETWEEN: &str = "SELECT no FROM event INDEXED BY event_mode
     WHERE livemode = ?1 AND no > ?2 AND no < ?3 ORDER BY no LIMIT ?4";

/// How many that were missed are counted at most.
const COUNTED: u32 = 10_000;

/// The next event from a number on.
pub(super) const FROM: &str = "SELECT no, received_at FROM event WHERE no >= ?1 ORDER BY no LIMIT 1";

/// Those of an id, of each source, in one part of the log.
pub(super) const OF_ID: &str =
    "SELECT no, id, source, type, key, occurred_at, received_at, expires_at, body FROM event INDEXED BY event_identity
     WHERE no >> 12 = ?3 AND livemode = ?1 AND id = ?2";

/// A page of the events of a mode, the newest first.
pub(super) fn list(
    connection: &Connection,
    mode: Mode,
    filter: &EventFilter,
) -> Result<LogPage<StoredEvent, u64>> {
    let before = newest(connection, (filter.before, filter.until))?;
    let (mut list, mut next) = (Vec::new(), None);
    // Where a key is not in the newest parts, the others are not looked into.
    let since = match filter.since.filter(|_| filter.key.is_some()) {
        Some(since) => first_since(connection, since)?,
        None => i64::MIN,
    };
    let more = walk(connection, (mode, since, before), filter.key.as_deref(), |row| {
        let event = event(row)?;
        let is_over = filter.since.is_some_and(|since| event.received_at < since);
        next = Some(event.no).filter(|_| !is_over);
        if !is_over && filter.matches(&event) {
            list.push(event);
        }
        Ok(!is_over && (list.len() as u64) < u64::from(filter.limit))
    })?;
    Ok(LogPage { list, next: next.filter(|_| more) })
}

/// The newest events after a number, and how many that leaves out; after none, only the number of the newest.
pub(super) fn news(connection: &Connection, mode: Mode, (after, most): (Option<u64>, u32)) -> Result<News> {
    let mut newest = connection.prepare_cached(NEWS)?;
    let mut newest = |after: i64, most: u32| -> Result<Vec<StoredEvent>> {
        newest.query_map(params![mode.is_live(), after, most], event)?.collect()
    };
    let Some(after) = after else {
        let last = newest(-1, 1)?.first().map_or(0, |event| event.no);
        return Ok(News { last, ..News::default() });
    };
    let from = i64::try_from(after).unwrap_or(i64::MAX);
    let mut events = newest(from, most)?;
    events.reverse();
    let mut news = News { last: events.last().map_or(after, |event| event.no), ..News::default() };
    if let Some(first) = events.first().filter(|_| events.len() as u64 == u64::from(most)) {
        let mut between = connection.prepare_cached(BETWEEN)?;
        let rows = between.query(params![mode.is_live(), from, first.no, COUNTED])?;
        news.missed = rows.mapped(|_| Ok(())).count() as u64;
        news.more = news.missed == u64::from(COUNTED);
    }
    Ok(News { events, ..news })
}

/// The number that a page begins before: that of its cursor, or of its time.
fn newest(connection: &Connection, (before, until): (Option<u64>, Option<Timestamp>)) -> Result<i64> {
    match (before, until) {
        (Some(before), _) => Ok(i64::try_from(before).unwrap_or(i64::MAX)),
        (None, Some(until)) => first_since(connection, until),
        (None, None) => Ok(i64::MAX),
    }
}

/// Shows the events of a mode, or those of a key in it, the newest first, as long as `visit` goes on and no more than a
/// window; tells whether there may be others.
///
/// Keys are found part by part: each has its own range of the index, so that new ones are written where the last ones were.
fn walk(
    connection: &Connection,
    (mode, since, before): (Mode, i64, i64),
    key: Option<&str>,
    mut visit: impl FnMut(&Row<'_>) -> Result<bool>,
) -> Result<bool> {
    // How many more may be shown, after these rows.
    let mut show = |mut rows: Rows<'_>, mut left: u32| -> Result<u32> {
        while left > 0
            && let Some(row) = rows.next()?
        {
            left = if visit(row)? { left - 1 } else { 0 };
        }
        Ok(left)
    };
    let Some(key) = key else {
        let mut all = connection.prepare_cached(WINDOWED)?;
        return Ok(show(all.query(params![mode.is_live(), before, WINDOW])?, WINDOW)? == 0);
    };
    let (mut of_key, mut left) = (connection.prepare_cached(OF_KEY)?, WINDOW);
    let snapshot = connection.unchecked_transaction()?;
    for part in parts(&snapshot, (since, before))?.rev() {
        left = show(of_key.query(params![mode.is_live(), before, left, key, part])?, left)?;
        if left == 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The numbers of the events whose deliveries a page may have, the newest first, and when each was stored: of an id, of a
/// key, or of a mode.
pub(super) fn numbers(
    connection: &Connection,
    mode: Mode,
    filter: &DeliveryFilter,
) -> Result<Vec<(u64, Timestamp)>> {
    // The rest of the cursor's own event comes first.
    let before = newest(connection, (filter.before.map(|(event, _)| event.saturating_add(1)), filter.until))?;
    let number = |row: &Row<'_>| Ok((row.get(0)?, Timestamp::from_millis(row.get(6)?)));
    let Some(id) = &filter.event else {
        let mut numbers = Vec::new();
        walk(connection, (mode, i64::MIN, before), filter.event_key.as_deref(), |row| {
            numbers.push(number(row)?);
            Ok(true)
        })?;
        return Ok(numbers);
    };
    let mut numbers: Vec<(u64, Timestamp)> = of_id(connection, (mode, id), number)?;
    numbers.retain(|(no, _)| i64::try_from(*no).is_ok_and(|no| no < before));
    numbers.sort_unstable_by(|one, other| other.cmp(one));
    Ok(numbers)
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
    let mut found = of_id(connection, (mode, id), |row| {
        let body = Bytes::from(row.get::<_, Vec<u8>>(8)?);
        Ok(EventBody { event: event(row)?, body: Some(body).filter(|body| !body.is_empty()) })
    })?;
    found.sort_unstable_by(|one, other| one.event.source.cmp(&other.event.source));
    Ok(found)
}

/// The rows of an id, as many as there are sources: a look into each part of the log.
fn of_id<T>(
    connection: &Connection,
    (mode, id): (Mode, &str),
    read: impl Fn(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let (mut of_id, mut found) = (connection.prepare_cached(OF_ID)?, Vec::new());
    let snapshot = connection.unchecked_transaction()?;
    for part in parts(&snapshot, (i64::MIN, i64::MAX))? {
        for row in of_id.query_map(params![mode.is_live(), id, part], &read)? {
            found.push(row?);
        }
    }
    Ok(found)
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
