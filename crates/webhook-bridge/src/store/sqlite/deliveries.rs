//! The log of deliveries, read along the index that narrows it the most.

use eventbus::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, Rows, params};

use super::events;
use super::schema::state;
use crate::model::{
    DeliveryCursor, DeliveryFilter, DeliveryKey, DeliveryRecord, DeliveryState, EndpointId, EndpointKey,
    EventRecord, LogPage, Mode,
};

/// How many rows a page looks through: bounds what a filter that matches little costs, beside a look into each part of the log
/// where a key or an id is asked for.
pub(super) const WINDOW: u32 = 5000;

/// A query of deliveries, each with what is told of its event and endpoint.
macro_rules! select {
    ($from:literal) => {
        concat!(
            "SELECT d.endpoint_no, d.sequence, p.id, e.id, e.source, e.type, d.state, d.attempts, d.due_at,
             d.created_at, d.finished_at, p.status, e.key, e.livemode, e.received_at, e.no ",
            $from
        )
    };
}

/// A window of an endpoint's deliveries: a range of the primary key, backwards, with the event of each.
pub(super) const WINDOWED: &str =
    select!("FROM endpoint AS p CROSS JOIN delivery AS d ON d.endpoint_no = p.no CROSS JOIN event AS e ON e.no = d.event_no
     WHERE p.id = ?1 AND p.livemode = ?2 AND d.sequence < ?3 ORDER BY d.sequence DESC LIMIT ?4");

/// The same of those that failed or are parked, of which an endpoint has few.
pub(super) const TROUBLED: &str = select!(
    "FROM endpoint AS p CROSS JOIN delivery AS d INDEXED BY delivery_failed ON d.endpoint_no = p.no
     CROSS JOIN event AS e ON e.no = d.event_no
     WHERE p.id = ?1 AND p.livemode = ?2 AND (d.state = 3 OR d.state = 4 OR d.state = 5 OR d.state = 8) AND (d.created_at, d.sequence) < (?3, ?4)
     ORDER BY d.created_at DESC, d.sequence DESC LIMIT ?5"
);

/// Those of both modes that are in such a state, the newest event's first.
pub(super) const IN_TROUBLE: &str = select!(
    "FROM delivery AS d INDEXED BY delivery_trouble CROSS JOIN event AS e ON e.no = d.event_no
     CROSS JOIN endpoint AS p ON p.no = d.endpoint_no
     WHERE d.state = ?1 AND (d.state = 3 OR d.state = 4 OR d.state = 5 OR d.state = 8) AND (d.event_no, d.endpoint_no) < (?2, ?3)
     ORDER BY d.event_no DESC, d.endpoint_no DESC LIMIT ?4"
);

/// What an event is owed, of a range of endpoints.
pub(super) const OWED: &str = select!(
    "FROM event AS e CROSS JOIN delivery AS d INDEXED BY delivery_event ON d.event_no = e.no
     CROSS JOIN endpoint AS p ON p.no = d.endpoint_no
     WHERE e.no = ?1 AND d.endpoint_no > ?2 AND d.endpoint_no <= ?3 ORDER BY d.endpoint_no LIMIT ?4"
);

type Page = LogPage<DeliveryRecord, DeliveryCursor>;

/// A page of deliveries, the newest first.
pub(super) fn list(connection: &Connection, mode: Mode, filter: &DeliveryFilter) -> Result<Page> {
    if filter.event.is_some() || filter.event_key.is_some() {
        return by_event(connection, mode, filter);
    }
    let trouble = filter.state.filter(|state| {
        let parked = *state == DeliveryState::Parked;
        parked || matches!(state, DeliveryState::Failed(_))
    });
    match (&filter.endpoint, trouble) {
        (Some(endpoint), None) => of_endpoint(connection, (mode, endpoint), filter),
        (Some(endpoint), Some(_)) => troubled(connection, (mode, endpoint), filter),
        (None, Some(state)) => in_trouble(connection, (mode, state), filter),
        (None, None) => by_event(connection, mode, filter),
    }
}

/// A number as the store has it.
fn last(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Those of an endpoint, by their numbers.
fn of_endpoint(
    connection: &Connection,
    (mode, endpoint): (Mode, &EndpointId),
    filter: &DeliveryFilter,
) -> Result<Page> {
    let before = filter.before.map_or(i64::MAX, |(before, _)| last(before));
    let mut statement = connection.prepare_cached(WINDOWED)?;
    let rows = statement.query(params![endpoint.as_str(), mode.is_live(), before, WINDOW])?;
    gather(rows, (mode, filter), |delivery, _| Ok(((delivery.key.sequence, 0), delivery.created_at)))
}

/// Those of an endpoint that failed or are parked, by when they were stored.
fn troubled(
    connection: &Connection,
    (mode, endpoint): (Mode, &EndpointId),
    filter: &DeliveryFilter,
) -> Result<Page> {
    let newest = filter.until.map_or((i64::MAX, i64::MAX), |until| (until.as_millis(), 0));
    let (at, sequence) = filter.before.map_or(newest, |(at, sequence)| (last(at), last(sequence)));
    let mut statement = connection.prepare_cached(TROUBLED)?;
    let rows = statement.query(params![endpoint.as_str(), mode.is_live(), at, sequence, WINDOW])?;
    gather(rows, (mode, filter), |delivery, _| {
        let at = u64::try_from(delivery.created_at.as_millis()).unwrap_or(0);
        Ok(((at, delivery.key.sequence), delivery.created_at))
    })
}

/// Those of a mode in a state that few are in, by their events.
fn in_trouble(
    connection: &Connection,
    (mode, state): (Mode, DeliveryState),
    filter: &DeliveryFilter,
) -> Result<Page> {
    let (event, endpoint) = match (filter.before, filter.until) {
        (Some((event, endpoint)), _) => (last(event), last(endpoint)),
        (None, Some(until)) => (events::first_since(connection, until)?, 0),
        (None, None) => (i64::MAX, 0),
    };
    let mut statement = connection.prepare_cached(IN_TROUBLE)?;
    let rows = statement.query(params![state::number(state), event, endpoint, WINDOW])?;
    gather(rows, (mode, filter), |delivery, row| {
        let endpoint = u64::try_from(delivery.key.endpoint.0).unwrap_or(0);
        Ok(((row.get(15)?, endpoint), Timestamp::from_millis(row.get(14)?)))
    })
}

/// What is wanted of a window of rows; `place` says where each is, and the time that the list goes by.
fn gather(
    mut rows: Rows<'_>,
    (mode, filter): (Mode, &DeliveryFilter),
    place: impl Fn(&DeliveryRecord, &Row<'_>) -> Result<(DeliveryCursor, Timestamp)>,
) -> Result<Page> {
    let (mut list, mut seen, mut next) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        let delivery = record(row)?;
        let (cursor, at) = place(&delivery, row)?;
        if filter.since.is_some_and(|since| at < since) {
            return Ok(LogPage { list, next: None });
        }
        (seen, next) = (seen + 1, Some(cursor));
        let mine = Mode::from(row.get::<_, bool>(13)?) == mode;
        if mine && filter.until.is_none_or(|until| at < until) && filter.matches(&delivery) {
            list.push(delivery);
        }
        if list.len() as u64 == u64::from(filter.limit) {
            return Ok(LogPage { list, next });
        }
    }
    Ok(LogPage { list, next: next.filter(|_| seen == WINDOW) })
}

/// The newest event's first, then by the age of their endpoints: of all events of a mode, or of those with an id or a key.
/// It looks through so many events and deliveries and no more.
fn by_event(connection: &Connection, mode: Mode, filter: &DeliveryFilter) -> Result<Page> {
    let Some((above, most)) = endpoints(connection, mode, filter)? else {
        return Ok(LogPage { list: Vec::new(), next: None });
    };
    let mut owed = connection.prepare_cached(OWED)?;
    let (mut list, mut seen) = (Vec::new(), 0);
    for (no, at) in events::numbers(connection, mode, filter)? {
        if filter.since.is_some_and(|since| at < since) {
            return Ok(LogPage { list, next: None });
        }
        seen += 1;
        let after =
            filter.before.filter(|(event, _)| *event == no).map_or(above, |(_, last_one)| last(last_one));
        let mut rows = owed.query(params![no, after.max(above), most, WINDOW])?;
        while let Some(row) = rows.next()? {
            let delivery = record(row)?;
            seen += 1;
            let cursor = (no, u64::try_from(delivery.key.endpoint.0).unwrap_or(0));
            if filter.until.is_none_or(|until| at < until) && filter.matches(&delivery) {
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

/// The range of endpoints whose deliveries are listed, without its beginning; `None` where there is no such endpoint.
fn endpoints(connection: &Connection, mode: Mode, filter: &DeliveryFilter) -> Result<Option<(i64, i64)>> {
    let Some(id) = &filter.endpoint else { return Ok(Some((0, i64::MAX))) };
    let mut find = connection.prepare_cached("SELECT no FROM endpoint WHERE id = ?1 AND livemode = ?2")?;
    find.query_row(params![id.as_str(), mode.is_live()], |row| row.get(0).map(|no: i64| (no - 1, no)))
        .optional()
}

/// One delivery.
pub(super) fn find(connection: &Connection, mode: Mode, key: DeliveryKey) -> Result<Option<DeliveryRecord>> {
    let mut statement = connection.prepare_cached(select!(
        "FROM delivery AS d JOIN endpoint AS p ON p.no = d.endpoint_no JOIN event AS e ON e.no = d.event_no
         WHERE d.endpoint_no = ?1 AND d.sequence = ?2 AND p.livemode = ?3"
    ))?;
    statement.query_row(params![key.endpoint.0, key.sequence, mode.is_live()], record).optional()
}

/// The events of an id, each with what it is owed to an endpoint.
pub(super) fn events(
    connection: &Connection,
    mode: Mode,
    (event, endpoint): (&str, &EndpointId),
) -> Result<Vec<EventRecord>> {
    let mut to = connection.prepare_cached("SELECT no FROM endpoint WHERE id = ?1 AND livemode = ?2")?;
    let to: Option<i64> =
        to.query_row(params![endpoint.as_str(), mode.is_live()], |row| row.get(0)).optional()?;
    let mut owed = connection.prepare_cached(OWED)?;
    let found = events::find(connection, mode, event)?.into_iter().map(|one| one.event);
    let told = found.map(|event| {
        let delivery = to.map(|to| owed.query_row(params![event.no, to - 1, to, 1], record).optional());
        Ok(EventRecord { delivery: delivery.transpose()?.flatten(), event })
    });
    told.collect()
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
