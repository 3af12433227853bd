//! An event and what is owed of it, in one transaction.

use bytes::Bytes;
use eventbus::transport::Order;
use eventbus::{AnyEvent, Key, Timestamp};
use rusqlite::{Result, params};

use super::line;
use super::routes::Routes;
use super::schema::state;
use super::writer::Write;
use crate::model::{DeliveryState, EndpointKey, Ingested, Mode};

/// An event to be stored: its envelope as it travelled and its bytes as they came; no part of the body is parsed.
pub(super) struct Incoming {
    pub(super) event: AnyEvent,
    pub(super) body: Bytes,
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
        owe(write, (endpoint, event_no), key, now)?;
    }
    Ok(Ingested { deliveries: u32::try_from(endpoints.len()).unwrap_or(u32::MAX), duplicate: false })
}

/// Stores an event, unless it is there already; gives its number.
pub(super) fn insert(write: &Write<'_>, incoming: &Incoming, now: Timestamp) -> Result<Option<i64>> {
    let event = &incoming.event;
    let mut statement = write.connection.prepare_cached(
        "INSERT INTO event (livemode, source, id, type, key, trace, occurred_at, received_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (livemode, source, id) DO NOTHING",
    )?;
    let inserted = statement.execute(params![
        event.livemode(),
        event.source().as_str(),
        event.id().as_str(),
        event.event_type().as_str(),
        event.key().map(Key::as_str),
        event.trace().map(eventbus::TraceContext::parent),
        event.time().as_millis(),
        now.as_millis(),
        &incoming.body[..],
    ])?;
    Ok((inserted == 1).then(|| write.connection.last_insert_rowid()))
}

/// One delivery, due now unless it waits for its key, with the endpoint's next number.
pub(super) fn owe(
    write: &mut Write<'_>,
    (endpoint, event_no): (EndpointKey, i64),
    key: Option<&str>,
    now: Timestamp,
) -> Result<u64> {
    let state = line::join(write, endpoint, key)?;
    let mut count = write
        .connection
        .prepare_cached("UPDATE sequence SET next = next + 1 WHERE endpoint_no = ?1 RETURNING next - 1")?;
    let sequence: u64 = count.query_row([endpoint.0], |row| row.get(0))?;
    let mut insert = write.connection.prepare_cached(
        "INSERT INTO delivery (endpoint_no, sequence, event_no, state, attempts, faults, due_at, created_at, key)
         VALUES (?1, ?2, ?3, ?4, 0, 0, ?5, ?5, ?6)",
    )?;
    insert.execute(params![endpoint.0, sequence, event_no, state::number(state), now.as_millis(), key])?;
    if state == DeliveryState::Pending {
        write.hint(endpoint, now);
    }
    Ok(sequence)
}
