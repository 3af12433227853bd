//! Endpoints made once, changed and deleted.

use eventbus::Timestamp;
use rusqlite::{OptionalExtension as _, Result, params};

use super::claim::next;
use super::convert::{parsed, to_json};
use super::writer::Write;
use super::{endpoints, health, standing};
use crate::model::{
    Endpoint, EndpointChange, EndpointId, EndpointKey, EndpointStatus, EndpointUrl, Expected, GonePolicy,
    Mode, NewEndpoint,
};

/// Those at one URL, by its index.
const SAME: &str = "SELECT id FROM endpoint INDEXED BY endpoint_url
     WHERE livemode = ?1 AND url = ?2 AND status <> 'deleted' AND enabled_events = ?3 AND metadata = ?4
     AND description = ?5 AND created_at >= ?6 ORDER BY no LIMIT 1";

/// Makes an endpoint, unless one like it was made since then.
pub(super) fn create_once(
    write: &mut Write<'_>,
    new: &NewEndpoint,
    (since, now): (Timestamp, Timestamp),
) -> Result<Endpoint> {
    let (events, metadata) =
        (parsed(3, || to_json(&new.enabled_events.texts()))?, parsed(4, || to_json(&new.metadata))?);
    let same = write.connection.prepare_cached(SAME)?.query_row(
        params![new.mode.is_live(), new.url.written(), events, metadata, new.description, since.as_millis()],
        |row| Ok(EndpointId::new(row.get::<_, String>(0)?)),
    );
    match same.optional()? {
        Some(id) => {
            endpoints::find(write.connection, new.mode, &id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
        }
        None => endpoints::create(write, new, now),
    }
}

/// Changes an endpoint; what is not named stays.
pub(super) fn change(
    write: &mut Write<'_>,
    (mode, id): (Mode, &EndpointId),
    change: &EndpointChange,
    now: Timestamp,
) -> Result<crate::error::Result<Option<Endpoint>>> {
    if let Err(outdated) = expect(write, (mode, id), &change.expected)? {
        return Ok(Err(outdated));
    }
    let json = |column, text: Option<crate::error::Result<String>>| {
        text.map(|text| parsed(column, || text)).transpose()
    };
    let events = json(3, change.enabled_events.as_ref().map(|events| to_json(&events.texts())))?;
    let metadata = json(4, change.metadata.as_ref().map(to_json))?;
    let schedule = json(7, change.schedule.as_ref().map(|schedule| to_json(&schedule.seconds())))?;
    let timeout = change.timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
    let mut update = write.connection.prepare_cached(
        "UPDATE endpoint SET url = coalesce(?3, url), description = coalesce(?4, description),
         enabled_events = coalesce(?5, enabled_events), metadata = coalesce(?6, metadata),
         status = coalesce(?7, status), disabled_reason = iif(?7 IS NULL, disabled_reason, NULL), api_version = coalesce(?8, api_version), schedule = coalesce(?9, schedule),
         max_in_flight = coalesce(?10, max_in_flight), timeout_ms = coalesce(?11, timeout_ms), updated_at = ?12,
         ordering = coalesce(?13, ordering), version = version + 1,
         gone_policy = coalesce(?14, gone_policy)
         WHERE id = ?1 AND livemode = ?2 AND status <> 'deleted' RETURNING no, status",
    )?;
    let row = update.query_row(
        params![
            id.as_str(),
            mode.is_live(),
            change.url.as_ref().map(EndpointUrl::written),
            change.description,
            events,
            metadata,
            change.status.map(EndpointStatus::as_str),
            change.api_version,
            schedule,
            change.max_in_flight,
            timeout,
            now.as_millis(),
            change.order.map(standing::word),
            change.gone_policy.map(GonePolicy::as_str),
        ],
        |row| Ok((row.get(0)?, row.get::<_, String>(1)?)),
    );
    let Some((no, status)) = row.optional()? else { return Ok(Ok(None)) };
    *write.routes = None;
    if change.status == Some(EndpointStatus::Enabled) {
        // Whoever enables it says that it is well.
        health::clear(write.connection, EndpointKey(no))?;
    }
    if status == EndpointStatus::Enabled.as_str() {
        wake(write, EndpointKey(no))?;
    }
    endpoints::find(write.connection, mode, id).map(Ok)
}

/// Checks that an endpoint is as somebody expects, if there is one.
fn expect(
    write: &Write<'_>,
    (mode, id): (Mode, &EndpointId),
    expected: &Expected,
) -> Result<crate::error::Result<()>> {
    let mut find = write.connection.prepare_cached(
        "SELECT version FROM endpoint WHERE id = ?1 AND livemode = ?2 AND status <> 'deleted'",
    )?;
    let version = find.query_row(params![id.as_str(), mode.is_live()], |row| row.get(0)).optional()?;
    Ok(version.map_or(Ok(()), |version| expected.check(version)))
}

/// Hints what an endpoint is owed.
fn wake(write: &mut Write<'_>, endpoint: EndpointKey) -> Result<()> {
    if let Some(due) = next(write, endpoint)? {
        write.hint(endpoint, due);
    }
    Ok(())
}

/// Deletes an endpoint. Its row stays, because its deliveries name it; nothing claims or routes to one that is deleted.
pub(super) fn delete(
    write: &mut Write<'_>,
    (mode, id): (Mode, &EndpointId),
    expected: &Expected,
    now: Timestamp,
) -> Result<crate::error::Result<Option<Endpoint>>> {
    let Some(endpoint) = endpoints::find(write.connection, mode, id)? else { return Ok(Ok(None)) };
    if let Err(outdated) = expected.check(endpoint.version) {
        return Ok(Err(outdated));
    }
    let mut update = write.connection.prepare_cached(
        "UPDATE endpoint SET status = 'deleted', updated_at = ?2 WHERE id = ?1 RETURNING no",
    )?;
    let no: i64 = update.query_row(params![id.as_str(), now.as_millis()], |row| row.get(0))?;
    write.connection.execute("DELETE FROM endpoint_secret WHERE endpoint_no = ?1", [no])?;
    *write.routes = None;
    Ok(Ok(Some(endpoint)))
}
