//! Leasing what is due.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use eventbus::Timestamp;
use rusqlite::{OptionalExtension as _, Result, Row, params};

use super::contents::Content;
use super::convert::{is_damage, json, parsed};
use super::routes::Card;
use super::writer::Write;
use super::{health, line, secrets};
use crate::model::{
    Attempt, Claimed, DeliveryKey, DeliveryState, Ending, EndpointId, EndpointKey, EndpointUrl, Lease,
    Leased, Next, Schedule, Target, Wanted,
};

/// How long a lease outlives the request's deadline: the time to store what became of it.
pub(super) const MARGIN: Duration = Duration::from_secs(15);

/// What is due of an endpoint, the longest due first: a range of the index of what waits.
pub(super) const DUE: &str =
    "SELECT sequence, attempts, faults, earlier, expires_at, event_no FROM delivery INDEXED BY delivery_due
     WHERE endpoint_no = ?1 AND state = 0 AND due_at <= ?2 ORDER BY due_at, sequence LIMIT ?3";

/// A lease.
pub(super) const HOLD: &str =
    "UPDATE delivery SET state = 1, attempts = attempts + 1, lease = ?3, lease_until = ?4
     WHERE endpoint_no = ?1 AND sequence = ?2";

/// When an endpoint's first pending delivery is due: the first entry of a range.
pub(super) const NEXT: &str = "SELECT due_at FROM delivery INDEXED BY delivery_due
     WHERE endpoint_no = ?1 AND state = 0 ORDER BY due_at LIMIT 1";

/// When an endpoint that cannot be read is looked at again.
const UNREADABLE: Duration = Duration::from_secs(60);

/// Leases deliveries of one endpoint, as many as it may have under way. One whose row is damaged has none, and the others
/// asked about with it do not suffer.
pub(super) fn claim(write: &mut Write<'_>, wanted: Wanted, now: Timestamp) -> Result<Claimed> {
    match claim_of(write, wanted, now) {
        Err(cause) if is_damage(&cause) => {
            tracing::error!(endpoint = wanted.endpoint.0, %cause, "an endpoint cannot be read");
            let (endpoint, next_due) = (wanted.endpoint, Some(now.plus(UNREADABLE)));
            Ok(Claimed { endpoint, deliveries: vec![], next_due, max_in_flight: 1, expired: 0 })
        }
        claimed => claimed,
    }
}

fn claim_of(write: &mut Write<'_>, wanted: Wanted, now: Timestamp) -> Result<Claimed> {
    let endpoint = wanted.endpoint;
    let Some(Card { target, most, .. }) = card(write, endpoint, now)? else {
        return Ok(Claimed { endpoint, deliveries: vec![], next_due: None, max_in_flight: 1, expired: 0 });
    };
    let health = health::read(write, endpoint)?;
    let (rest, max_in_flight) = (health.rest(now), health.room(most));
    let most = wanted.most.min(max_in_flight.saturating_sub(wanted.in_flight));
    let (deliveries, expired) = match rest {
        None if most > 0 => lease(write, Wanted { most, ..wanted }, now, &target)?,
        _ => (Vec::new(), 0),
    };
    let next_due = next(write, endpoint)?.map(|due| rest.map_or(due, |until| due.max(until)));
    Ok(Claimed { endpoint, deliveries, next_due, max_in_flight, expired })
}

/// An enabled endpoint as it is now.
pub(super) fn card(write: &mut Write<'_>, endpoint: EndpointKey, now: Timestamp) -> Result<Option<Card>> {
    let known = write.routes()?.cards.get(&endpoint);
    if let Some(card) = known.filter(|card| card.until.is_none_or(|until| now < until)) {
        return Ok(Some(card.clone()));
    }
    let Some(card) = enabled(write, endpoint, now)? else { return Ok(None) };
    write.routes()?.cards.insert(endpoint, card.clone());
    Ok(Some(card))
}

fn enabled(write: &Write<'_>, endpoint: EndpointKey, now: Timestamp) -> Result<Option<Card>> {
    let mut statement = write.connection.prepare_cached(
        "SELECT url, format, schedule, timeout_ms, max_in_flight, id FROM endpoint
         WHERE no = ?1 AND status = 'enabled'",
    )?;
    let found = statement.query_row([endpoint.0], |row| Ok((target(row)?, row.get(4)?))).optional()?;
    let Some((mut target, most)) = found else { return Ok(None) };
    let (signing, until) = secrets::signing(write.connection, endpoint, now)?;
    target.secrets = signing;
    Ok(Some(Card { target: Arc::new(target), most, until }))
}

fn target(row: &Row<'_>) -> Result<Target> {
    let (url, schedule): (String, String) = (row.get(0)?, row.get(2)?);
    Ok(Target {
        endpoint: EndpointId::new(row.get::<_, String>(5)?),
        url: parsed(0, || EndpointUrl::parse(&url))?,
        format: row.get(1)?,
        secrets: Vec::new(),
        schedule: parsed(2, || Schedule::from_seconds(&json::<Vec<u64>>(&schedule)?))?,
        timeout: Duration::from_millis(row.get(3)?),
        prepared: OnceLock::new(),
    })
}

/// Leases what is due; what became too old meanwhile ends instead: tells how many.
fn lease(
    write: &mut Write<'_>,
    wanted: Wanted,
    now: Timestamp,
    target: &Arc<Target>,
) -> Result<(Vec<Leased>, u32)> {
    let old = |one: &Leased| now >= one.expires_at;
    let (expired, leased): (Vec<_>, Vec<_>) = due(write, wanted, now, target)?.into_iter().partition(old);
    for one in &expired {
        line::end(write, one.key, DeliveryState::Failed(Ending::Expired), now)?;
    }
    hold(write, &leased, now)?;
    Ok((leased, u32::try_from(expired.len()).unwrap_or(u32::MAX)))
}

/// What is due of an endpoint, with a lease that is not stored yet.
fn due(write: &mut Write<'_>, wanted: Wanted, now: Timestamp, target: &Arc<Target>) -> Result<Vec<Leased>> {
    let values = params![wanted.endpoint.0, now.as_millis(), wanted.most];
    let rows: Result<Vec<_>> = write.statements.find(DUE)?.query_map(values, Owed::read)?.collect();
    let leased = |one: Owed| {
        let content = write.known.contents.of(&mut write.statements, one.event_no)?;
        Ok(one.leased(wanted.endpoint, content, target))
    };
    rows?.into_iter().map(leased).collect()
}

/// Stores leases.
fn hold(write: &mut Write<'_>, leased: &[Leased], now: Timestamp) -> Result<()> {
    for one in leased {
        write.known.sent(write.connection, one.key)?;
    }
    let update = write.statements.find(HOLD)?;
    for one in leased {
        let until = now.plus(one.target.timeout + MARGIN).as_millis();
        update.execute(params![one.key.endpoint.0, one.key.sequence, one.lease.0, until])?;
    }
    Ok(())
}

/// Leases what is due next of an endpoint that is enabled and well, to be sent in the room of an attempt that succeeded. What
/// is too old, or cannot be read, is left to a claim, which says so: the attempt's outcome is stored whatever follows.
pub(super) fn follow(write: &mut Write<'_>, ended: &Attempt, now: Timestamp) -> Result<Option<Leased>> {
    match next_of(write, ended, now) {
        Err(cause) if is_damage(&cause) => Ok(None),
        next => next,
    }
}

fn next_of(write: &mut Write<'_>, ended: &Attempt, now: Timestamp) -> Result<Option<Leased>> {
    let endpoint = ended.delivery.endpoint;
    let Some(front) = write.front.filter(|_| ended.next == Next::Succeeded) else { return Ok(None) };
    let Some(card) = card(write, endpoint, now)? else { return Ok(None) };
    if health::trouble(write, endpoint)?.is_some() || !front.relay(ended.delivery, card.most) {
        return Ok(None);
    }
    let wanted = Wanted { endpoint, most: 1, in_flight: 0 };
    let mut leased = due(write, wanted, now, &card.target)?;
    leased.retain(|one| now < one.expires_at);
    hold(write, &leased, now)?;
    Ok(leased.pop())
}

/// A delivery that is due.
struct Owed {
    sequence: u64,
    attempts: u32,
    faults: u32,
    earlier: u32,
    expires_at: Timestamp,
    event_no: i64,
}

impl Owed {
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            sequence: row.get(0)?,
            attempts: row.get(1)?,
            faults: row.get(2)?,
            earlier: row.get(3)?,
            expires_at: Timestamp::from_millis(row.get(4)?),
            event_no: row.get(5)?,
        })
    }

    fn leased(&self, endpoint: EndpointKey, content: Content, target: &Arc<Target>) -> Leased {
        Leased {
            key: DeliveryKey { endpoint, sequence: self.sequence },
            lease: Lease(rand::random()),
            attempt: self.attempts + 1,
            faults: self.faults,
            earlier: self.earlier,
            expires_at: self.expires_at,
            received_at: content.received_at,
            trace: content.trace,
            payload: content.payload,
            target: Arc::clone(target),
        }
    }
}

/// When an endpoint's first pending delivery is due.
pub(super) fn next(write: &mut Write<'_>, endpoint: EndpointKey) -> Result<Option<Timestamp>> {
    let statement = write.statements.find(NEXT)?;
    statement.query_row([endpoint.0], |row| Ok(Timestamp::from_millis(row.get(0)?))).optional()
}
