//! What an endpoint is owed of an event: one delivery, which may be on its way as soon as it is stored.

use std::sync::Arc;

use eventbus::Timestamp;
use rusqlite::{Result, params};

use super::claim::{MARGIN, card};
use super::convert::is_damage;
use super::health::trouble;
use super::ingest::Incoming;
use super::line;
use super::schema::state;
use super::writer::Write;
use crate::model::{DeliveryKey, DeliveryState, EndpointKey, Lease, Leased, Schedule, Target};
use crate::store::Ticket;

/// A delivery.
pub(super) const OWE: &str =
    "INSERT INTO delivery (endpoint_no, sequence, event_no, state, attempts, faults, due_at, lease, lease_until,
     created_at, key, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?7, ?8, ?6, ?9, ?10)";

/// An event that is stored, and to whom it is owed.
pub(super) struct Owed<'a> {
    pub(super) event_no: i64,
    pub(super) endpoint: EndpointKey,
    /// The key, where the endpoint wants order.
    pub(super) key: Option<&'a str>,
    /// From when on the event is of no use to anybody.
    pub(super) expires_at: Option<Timestamp>,
    /// The event itself, where it may be sent at once; without it, it is claimed in its turn.
    pub(super) incoming: Option<&'a Incoming>,
}

/// Room for a request, and where it goes.
type Room = (Arc<Target>, Box<dyn Ticket>);

/// One delivery with the endpoint's next number: waiting for its key, leased where it can be sent at once, or due now.
pub(super) fn owe(write: &mut Write<'_>, owed: &Owed<'_>, now: Timestamp) -> Result<u64> {
    let endpoint = owed.endpoint;
    let mut begins = line::join(write, endpoint, owed.key)?;
    let sequence = write.known.number(write.connection, endpoint)?;
    let expires_at = expiry(owed.expires_at, now);
    let (mut lease, mut until) = (None, None);
    if begins == DeliveryState::Pending
        && now < expires_at
        && let Some(incoming) = owed.incoming
        && let Some((target, ticket)) = room(write, endpoint, now)?
    {
        begins = DeliveryState::Leased;
        until = Some(now.plus(target.timeout + MARGIN).as_millis());
        let leased = leased(incoming, DeliveryKey { endpoint, sequence }, target, (now, expires_at));
        lease = Some(leased.lease.0);
        write.known.sent(write.connection, leased.key)?;
        write.sent.push((leased, ticket));
    }
    let (at, attempts) = (now.as_millis(), u32::from(lease.is_some()));
    let row = params![
        endpoint.0,
        sequence,
        owed.event_no,
        state::number(begins),
        attempts,
        at,
        lease,
        until,
        owed.key,
        expires_at.as_millis()
    ];
    write.statements.find(OWE)?.execute(row)?;
    if begins == DeliveryState::Pending {
        write.hint(endpoint, now);
    }
    Ok(sequence)
}

/// From when on a delivery is not sent whose schedule begins now.
pub(super) fn expiry(event: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let age = now.plus(Schedule::AGE);
    event.map_or(age, |event| event.min(age))
}

/// Room for a request to an endpoint that is enabled and well.
fn room(write: &mut Write<'_>, endpoint: EndpointKey, now: Timestamp) -> Result<Option<Room>> {
    let Some(front) = write.front else { return Ok(None) };
    let known = card(write, endpoint, now).and_then(|card| Ok((card, trouble(write, endpoint)?)));
    match known {
        Ok((Some(card), None)) => Ok(front.admit(endpoint, card.most).map(|ticket| (card.target, ticket))),
        Ok(_) => Ok(None),
        // It is told where it is claimed.
        Err(cause) if is_damage(&cause) => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// The first attempt of a delivery.
fn leased(
    incoming: &Incoming,
    key: DeliveryKey,
    target: Arc<Target>,
    (received_at, expires_at): (Timestamp, Timestamp),
) -> Leased {
    Leased {
        key,
        lease: Lease(rand::random()),
        attempt: 1,
        faults: 0,
        earlier: 0,
        expires_at,
        payload: incoming.payload(),
        received_at,
        trace: incoming.event.trace().cloned(),
        target,
    }
}
