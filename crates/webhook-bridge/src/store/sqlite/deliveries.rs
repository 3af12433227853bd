//! The log of deliveries, by endpoint or by event.

use eventbus::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::events;
use super::schema::state;
use crate::model::{
    DeliveryCursor, DeliveryFilter, DeliveryKey, DeliveryRecord, DeliveryState, EndpointId, EndpointKey,
    EventRecord, LogPage, Mode,
};

/// How many rows a page looks through: bounds what a filter that matches little costs.
pub(super) const WINDOW: u32 = 5000;

const COLUMNS: &str = "d.endpoint_no, d.sequence, p.id, e.id, e.source, e.type, d.state, d.attempts, d.due_at, \
     d.created_at, d.finished_at, p.status, e.key";

/// A window of an endpoint's deliveries: a range of the primary key, backwards, with the event of each.
pub(super) const WINDOWED: &str = "SELECT d.endpoint_no, d.sequence, p.id, e.id, e.source, e.type, d.state,
     d.attempts, d.due_at, d.created_at, d.finished_at, p.status, e.key
     FROM endpoint AS p CROSS JOIN delivery AS d ON d.endpoint_no = p.no CROSS JOIN event AS e ON e.no = d.event_no
     WHERE p.id = ?1 AND p.livemode = ?2 AND d.sequence < ?3 ORDER BY d.sequence DESC LIMIT ?4";

/// What is owed of the events of an id.
pub(super) const OF_EVENT: &str = "SELECT d.endpoint_no, d.sequence, p.id, e.id, e.source, e.type, d.state,
     d.attempts, d.due_at, d.created_at, d.finished_at, p.status, e.key
     FROM event AS e CROSS JOIN delivery AS d ON d.event_no = e.no CROSS JOIN endpoint AS p ON p.no = d.endpoint_no
     WHERE e.livemode = ?1 AND e.id = ?2 LIMIT ?3";

/// What an event is owed.
pub(super) const OWED: &str =
    "SELECT d.endpoint_no, d.sequence, p.id, e.id, e.source, e.type, d.state, d.attempts,
     d.due_at, d.created_at, d.finished_at, p.status, e.key
     FROM event AS e CROSS JOIN delivery AS d INDEXED BY delivery_event ON d.event_no = e.no
     CROSS JOIN endpoint AS p ON p.no = d.endpoint_no
     WHERE e.no = ?1 AND d.endpoint_no > ?2 ORDER BY d.endpoint_no LIMIT ?3";

/// A page of deliveries, the newest first.
pub(super) fn list(
    connection: &Connection,
    mode: Mode,
    filter: &DeliveryFilter,
) -> Result<LogPage<DeliveryRecord, DeliveryCursor>> {
    match &filter.endpoint {
        Some(endpoint) => of_endpoint(connection, (mode, endpoint), filter),
        None => of_mode(connection, mode, filter),
    }
}

/// Those of a mode: its newest event's first, then by the age of their endpoints. It looks through so many events and
/// deliveries and no more.
fn of_mode(
    connection: &Connection,
    mode: Mode,
    filter: &DeliveryFilter,
) -> Result<LogPage<DeliveryRecord, DeliveryCursor>> {
    let first = match (filter.before, filter.until) {
        // The rest of that event's, then those of the events before it.
        (Some((event, _)), _) => i64::try_from(event).unwrap_or(i64::MAX).saturating_add(1),
        (None, Some(until)) => events::first_since(connection, until)?,
        (None, None) => i64::MAX,
    };
    let mut owed = connection.prepare_cached(OWED)?;
    let mut window = connection.prepare_cached(events::WINDOWED)?;
    let mut events = window.query(params![first, WINDOW])?;
    let (mut list, mut seen) = (Vec::new(), 0);
    while let Some(event) = events.next()? {
        let (no, at, of): (u64, i64, bool) = (event.get(0)?, event.get(6)?, event.get(8)?);
        if filter.since.is_some_and(|since| at < since.as_millis()) {
            return Ok(LogPage { list, next: None });
        }
        seen += 1;
        let after = filter.before.filter(|(event, _)| *event == no).map_or(0, |(_, endpoint)| endpoint);
        let mut rows = owed.query(params![no, after, WINDOW])?;
        while let Some(row) = rows.next()?.filter(|_| Mode::from(of) == mode) {
            let delivery = record(row)?;
            seen += 1;
            let cursor = (no, u64::try_from(delivery.key.endpoint.0).unwrap_or(0));
            if wanted(filter, &delivery) {
                list.push(delivery);
            }
            if seen >= WINDOW || list.len() as u64 == u64::from(filter.limit) {
                return Ok(LogPage { list, next: Some(cursor) });
            }
        }
        if seen >= WINDOW {
            let all = u64::try_from(i64::MAX).unwrap_or(u64::MAX);
            return Ok(LogPage { list, next: Some((no, all)) });
        }
    }
    Ok(LogPage { list, next: None })
}

fn of_endpoint(
    connection: &Connection,
    (mode, endpoint): (Mode, &EndpointId),
    filter: &DeliveryFilter,
) -> Result<LogPage<DeliveryRecord, DeliveryCursor>> {
    let before = filter.before.and_then(|(before, _)| i64::try_from(before).ok()).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(WINDOWED)?;
    let mut rows = statement.query(params![endpoint.as_str(), mode.is_live(), before, WINDOW])?;
    let (mut list, mut seen, mut next) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        let delivery = record(row)?;
        seen += 1;
        next = Some((delivery.key.sequence, 0));
        // They are numbered in the order they were stored.
        if filter.since.is_some_and(|since| delivery.created_at < since) {
            return Ok(LogPage { list, next: None });
        }
        if wanted(filter, &delivery) {
            list.push(delivery);
        }
        if list.len() as u64 == u64::from(filter.limit) {
            return Ok(LogPage { list, next });
        }
    }
    Ok(LogPage { list, next: next.filter(|_| seen == WINDOW) })
}

fn wanted(filter: &DeliveryFilter, delivery: &DeliveryRecord) -> bool {
    filter.state.is_none_or(|state| delivery.state == state)
        && filter.event_type.as_ref().is_none_or(|event_type| delivery.event_type == *event_type)
        && filter.event_key.as_ref().is_none_or(|key| delivery.event_key.as_ref() == Some(key))
        && filter.until.is_none_or(|until| delivery.created_at < until)
}

/// One delivery.
pub(super) fn find(connection: &Connection, mode: Mode, key: DeliveryKey) -> Result<Option<DeliveryRecord>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM delivery AS d JOIN endpoint AS p ON p.no = d.endpoint_no
         JOIN event AS e ON e.no = d.event_no
         WHERE d.endpoint_no = ?1 AND d.sequence = ?2 AND p.livemode = ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row(params![key.endpoint.0, key.sequence, mode.is_live()], record).optional()
}

/// What is owed of an event.
pub(super) fn of_event(connection: &Connection, mode: Mode, event: &str) -> Result<Vec<DeliveryRecord>> {
    let mut statement = connection.prepare_cached(OF_EVENT)?;
    statement.query_map(params![mode.is_live(), event, WINDOW], record)?.collect()
}

/// The events of an id, each with what it is owed to an endpoint.
pub(super) fn events(
    connection: &Connection,
    mode: Mode,
    (event, endpoint): (&str, &EndpointId),
) -> Result<Vec<EventRecord>> {
    let owed = of_event(connection, mode, event)?;
    let mut statement = connection.prepare_cached(
        "SELECT id, source, type, received_at FROM event WHERE livemode = ?1 AND id = ?2 ORDER BY source",
    )?;
    let rows = statement.query_map(params![mode.is_live(), event], |row| {
        let source: String = row.get(1)?;
        let to = |one: &&DeliveryRecord| one.endpoint == *endpoint && one.source == source;
        let delivery = owed.iter().find(to).cloned();
        Ok(EventRecord {
            id: row.get(0)?,
            source,
            event_type: row.get(2)?,
            received_at: Timestamp::from_millis(row.get(3)?),
            delivery,
        })
    })?;
    rows.collect()
}

fn record(row: &Row<'_>) -> Result<DeliveryRecord> {
    let deleted = row.get::<_, String>(11)? == "deleted";
    let state = match state::find(row.get(6)?).ok_or(rusqlite::Error::IntegralValueOutOfRange(6, 0))? {
        // Those of a deleted endpoint end little by little.
        DeliveryState::Pending | DeliveryState::Waiting | DeliveryState::Parked if deleted => {
            DeliveryState::Cancelled
        }
        state => state,
    };
    let due_at = Timestamp::from_millis(row.get(8)?);
    Ok(DeliveryRecord {
        key: DeliveryKey { endpoint: EndpointKey(row.get(0)?), sequence: row.get(1)? },
        endpoint: EndpointId::new(row.get::<_, String>(2)?),
        event_id: row.get(3)?,
        source: row.get(4)?,
        event_type: row.get(5)?,
        event_key: row.get(12)?,
        state,
        attempts: row.get(7)?,
        due_at: (state == DeliveryState::Pending).then_some(due_at),
        created_at: Timestamp::from_millis(row.get(9)?),
        finished_at: row.get::<_, Option<i64>>(10)?.map(Timestamp::from_millis),
    })
}

#[cfg(test)]
mod tests {
    use super::super::{again, attempts, replay, schema};
    use super::*;

    /// Every page of a log is a range of an index, so its cost does not grow with what is older.
    #[test]
    fn logs_are_read_by_index_and_never_sorted() {
        let mut connection = Connection::open_in_memory().unwrap();
        schema::migrate(&mut connection).unwrap();
        for query in [
            WINDOWED,
            OWED,
            attempts::WINDOWED,
            again::FAILED,
            events::WINDOWED,
            events::FROM,
            events::OF_ID,
            replay::RANGE,
        ] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
            let count = statement.parameter_count();
            let rows = statement
                .query_map(rusqlite::params_from_iter(vec![1; count]), |row| row.get::<_, String>(3));
            let plan = rows.unwrap().collect::<Result<Vec<_>>>().unwrap();
            let search = |step: &String| step.starts_with("SEARCH ") || step.starts_with("CORRELATED ");
            assert!(plan.iter().all(search), "{query}: {plan:?}");
        }
    }
}
