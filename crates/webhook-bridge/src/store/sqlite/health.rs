//! How endpoints are doing: a row for each that is not well, changed in the transaction of the attempt that changed it.

use eventbus::{EventId, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::convert::{json, parsed, to_json};
use super::ingest::{Incoming, ingest};
use super::writer::Write;
use crate::model::{
    Attempt, Concern, DisabledReason, EndpointId, EndpointKey, Finished, GonePolicy, Health, Mode, Notice,
    Observed,
};

/// How an endpoint is doing.
pub(super) fn read(write: &mut Write<'_>, endpoint: EndpointKey) -> Result<Health> {
    Ok(trouble(write, endpoint)?.unwrap_or_default())
}

/// How an endpoint is doing, as somebody sees it who is not the writer.
pub(super) fn look(connection: &Connection, endpoint: EndpointKey) -> Result<Health> {
    Ok(row(connection, endpoint)?.unwrap_or_default())
}

/// How an endpoint that is not well is doing; that one is well is known from the first look on.
pub(super) fn trouble(write: &mut Write<'_>, endpoint: EndpointKey) -> Result<Option<Health>> {
    if write.known.well.contains(&endpoint) {
        return Ok(None);
    }
    let trouble = row(write.connection, endpoint)?;
    if trouble.is_none() {
        write.known.well.insert(endpoint);
    }
    Ok(trouble)
}

/// Takes an attempt into account, with all that follows for its endpoint. One that is well and stays so costs a look.
pub(super) fn observe(write: &mut Write<'_>, attempt: &Attempt, now: Timestamp) -> Result<Finished> {
    let endpoint = attempt.delivery.endpoint;
    let before = trouble(write, endpoint)?;
    if before.is_none() && attempt.outcome.is_success() && attempt.outcome.wish().is_none() {
        return Ok(Finished::Stored);
    }
    // One that is disabled meanwhile begins anew when it is enabled.
    let mut statement = write.connection.prepare_cached(
        "SELECT max_in_flight, gone_policy FROM endpoint WHERE no = ?1 AND status = 'enabled'",
    )?;
    let found = statement.query_row([endpoint.0], |row| {
        let policy: String = row.get(1)?;
        Ok((row.get(0)?, parsed(1, || GonePolicy::parse(&policy))?))
    });
    let Some((most, gone)) = found.optional()? else { return Ok(Finished::Stored) };
    let before = before.unwrap_or_default();
    let mut after = before.clone();
    let observed = Observed {
        gone,
        outcome: &attempt.outcome,
        sequence: attempt.delivery.sequence,
        started_at: attempt.started_at,
        now,
        most,
    };
    let concern = after.observe(&observed);
    if after != before {
        store(write, endpoint, &after)?;
    }
    let notice = concern.map_or(Ok(None), |concern| tell(write, endpoint, concern, now))?;
    let opened = if after.opened(&before) { Finished::Opened } else { Finished::Stored };
    Ok(notice.map_or(opened, |notice| Finished::Told(Box::new(notice))))
}

/// Forgets what was wrong with an endpoint.
pub(super) fn clear(connection: &Connection, endpoint: EndpointKey) -> Result<()> {
    connection.prepare_cached("DELETE FROM health WHERE endpoint_no = ?1")?.execute([endpoint.0])?;
    Ok(())
}

fn row(connection: &Connection, endpoint: EndpointKey) -> Result<Option<Health>> {
    let mut statement = connection.prepare_cached("SELECT state FROM health WHERE endpoint_no = ?1")?;
    let text: Option<String> = statement.query_row([endpoint.0], |row| row.get(0)).optional()?;
    text.map(|text| parsed(0, || json(&text))).transpose()
}

fn store(write: &mut Write<'_>, endpoint: EndpointKey, health: &Health) -> Result<()> {
    if *health == Health::default() {
        return clear(write.connection, endpoint);
    }
    write.known.well.remove(&endpoint);
    let mut upsert = write.connection.prepare_cached(
        "INSERT INTO health (endpoint_no, state) VALUES (?1, ?2)
         ON CONFLICT (endpoint_no) DO UPDATE SET state = excluded.state",
    )?;
    upsert.execute(params![endpoint.0, parsed(0, || to_json(health))?])?;
    Ok(())
}

/// Disables the endpoint where that is the concern, and stores the event that tells so, owed to whoever wants it.
fn tell(
    write: &mut Write<'_>,
    endpoint: EndpointKey,
    concern: Concern,
    now: Timestamp,
) -> Result<Option<Notice>> {
    let failing_since = read(write, endpoint)?.failing_since();
    if let Concern::Disabled(reason) = concern
        && !disable(write, endpoint, reason, now)?
    {
        return Ok(None);
    }
    let mut statement =
        write.connection.prepare_cached("SELECT id, livemode, description FROM endpoint WHERE no = ?1")?;
    let notice = statement.query_row([endpoint.0], |row| {
        Ok(Notice {
            event_id: EventId::generate(now),
            at: now,
            endpoint: EndpointId::new(row.get::<_, String>(0)?),
            mode: Mode::from(row.get::<_, bool>(1)?),
            description: row.get(2)?,
            concern,
            failing_since,
        })
    })?;
    drop(statement);
    let incoming = parsed(0, || Ok(Incoming::new(notice.event()?)?))?;
    ingest(write, &incoming)?;
    Ok(Some(notice))
}

/// Tells whether it was enabled until now.
fn disable(
    write: &mut Write<'_>,
    endpoint: EndpointKey,
    reason: DisabledReason,
    now: Timestamp,
) -> Result<bool> {
    let mut update = write.connection.prepare_cached(
        "UPDATE endpoint SET status = 'disabled', disabled_reason = ?2, updated_at = ?3, version = version + 1
         WHERE no = ?1 AND status = 'enabled'",
    )?;
    if update.execute(params![endpoint.0, reason.as_str(), now.as_millis()])? == 0 {
        return Ok(false);
    }
    *write.routes = None;
    clear(write.connection, endpoint)?;
    Ok(true)
}
