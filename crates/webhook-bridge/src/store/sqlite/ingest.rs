//! An event and what is owed of it, in one transaction.

use bytes::Bytes;
use eventbus::transport::Order;
use eventbus::{AnyEvent, Key, Timestamp};
use rusqlite::{Result, params};

use super::line;
use super::routes::Routes;
use super::schema::state;
use super::writer::Write;
use crate::model::{DeliveryState, EndpointKey, Ingested, Mode, Schedule};
use crate::trace;

/// An event to be stored: its envelope as it travelled and its bytes as they came; no part of the body is parsed.
pub(super) struct Incoming {
    pub(super) event: AnyEvent,
    pub(super) body: Bytes,
    /// From when on it is of no use to anybody.
    pub(super) expires_at: Option<Timestamp>,
}

/// Stores an event and its deliveries, unless it is there already.
///
/// The time is read here, in the writer's order, so that what is numbered later is not due earlier.
pub(super) fn ingest(write: &mut Write<'_>, incoming: &Incoming) -> Result<Ingested> {
    let now = Timestamp::now();
    let Some(event_no) = insert(write, incoming, now)? else {
        return Ok(Ingested { deliveries: 0, duplicate: true });
    };
    let routes = match write.routes.take() {
        Some(routes) => routes,
        None => Routes::read(write.connection)?,
    };
    let endpoints = routes.of(Mode::from(incoming.event.livemode()), incoming.event.event_type().as_str());
    *write.routes = Some(routes);
    for &(endpoint, order) in &endpoints {
        let key = incoming.event.key().map(Key::as_str).filter(|_| order == Order::PerKey);
        let stored = Stored { no: event_no, key, expires_at: incoming.expires_at };
        owe(write, endpoint, &stored, now)?;
    }
    Ok(Ingested { deliveries: u32::try_from(endpoints.len()).unwrap_or(u32::MAX), duplicate: false })
}

/// Stores an event, unless it is there already; gives its number.
pub(super) fn insert(write: &Write<'_>, incoming: &Incoming, now: Timestamp) -> Result<Option<i64>> {
    let event = &incoming.event;
    let mut statement = write.connection.prepare_cached(
        "INSERT INTO event (livemode, source, id, type, key, trace, occurred_at, received_at, body, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT (livemode, source, id) DO NOTHING",
    )?;
    let inserted = statement.execute(params![
        event.livemode(),
        event.source().as_str(),
        event.id().as_str(),
        event.event_type().as_str(),
        event.key().map(Key::as_str),
        event.trace().map(trace::write),
        event.time().as_millis(),
        now.as_millis(),
        &incoming.body[..],
        incoming.expires_at.map(Timestamp::as_millis),
    ])?;
    Ok((inserted == 1).then(|| write.connection.last_insert_rowid()))
}

/// An event that is stored, as far as what is owed of it needs it.
pub(super) struct Stored<'a> {
    pub(super) no: i64,
    /// The key, where the endpoint wants order.
    pub(super) key: Option<&'a str>,
    pub(super) expires_at: Option<Timestamp>,
}

/// From when on a delivery is not sent whose schedule begins now.
pub(super) fn expiry(event: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let age = now.plus(Schedule::AGE);
    event.map_or(age, |event| event.min(age))
}

/// One delivery, due now unless it waits for its key, with the endpoint's next number.
pub(super) fn owe(
    write: &mut Write<'_>,
    endpoint: EndpointKey,
    event: &Stored<'_>,
    now: Timestamp,
) -> Result<u64> {
    let state = line::join(write, endpoint, event.key)?;
    let mut count = write
        .connection
        .prepare_cached("UPDATE sequence SET next = next + 1 WHERE endpoint_no = ?1 RETURNING next - 1")?;
    let sequence: u64 = count.query_row([endpoint.0], |row| row.get(0))?;
    let mut insert = write.connection.prepare_cached(
        "INSERT INTO delivery (endpoint_no, sequence, event_no, state, attempts, faults, due_at, created_at, key,
         expires_at)
         VALUES (?1, ?2, ?3, ?4, 0, 0, ?5, ?5, ?6, ?7)",
    )?;
    let (state_no, expires_at) = (state::number(state), expiry(event.expires_at, now).as_millis());
    let at = now.as_millis();
    insert.execute(params![endpoint.0, sequence, event.no, state_no, at, event.key, expires_at])?;
    if state == DeliveryState::Pending {
        write.hint(endpoint, now);
    }
    Ok(sequence)
}
