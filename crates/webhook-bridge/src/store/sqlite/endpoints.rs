//! Endpoints: made, found, listed.

use std::time::Duration;

use eventbus::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::convert::{json, parsed, to_json};
use super::standing;
use super::writer::Write;
use crate::model::{
    Direction, DisabledReason, EnabledEvents, Endpoint, EndpointField, EndpointId, EndpointList,
    EndpointPage, EndpointStatus, EndpointUrl, GonePolicy, Mode, NewEndpoint, Schedule, Start,
};

pub(super) const COLUMNS: &str =
    "id, livemode, url, description, enabled_events, metadata, format, status, schedule,
     max_in_flight, timeout_ms, created_at, updated_at, api_version,
     disabled_reason, ordering, version, gone_policy, source";

/// Makes an endpoint with its counter and its first secret.
pub(super) fn create(write: &mut Write<'_>, new: &NewEndpoint, now: Timestamp) -> Result<Endpoint> {
    let id = EndpointId::generate();
    let connection = write.connection;
    let timeout = u64::try_from(new.timeout.as_millis()).unwrap_or(u64::MAX);
    let mut insert = connection.prepare_cached(
        "INSERT INTO endpoint (id, livemode, url, description, enabled_events, metadata, format, status, schedule,
         max_in_flight, timeout_ms, created_at, updated_at, api_version, ordering, gone_policy, source)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?12, ?8, ?9, ?10, ?11, ?11, ?13, ?14, ?15, ?16)",
    )?;
    insert.execute(params![
        id.as_str(),
        new.mode.is_live(),
        new.url.written(),
        new.description,
        parsed(4, || to_json(&new.enabled_events.texts()))?,
        parsed(5, || to_json(&new.metadata))?,
        new.format,
        parsed(8, || to_json(&new.schedule.seconds()))?,
        new.max_in_flight,
        timeout,
        now.as_millis(),
        new.status.as_str(),
        new.api_version,
        standing::word(new.order),
        new.gone_policy.as_str(),
        new.source,
    ])?;
    let no = connection.last_insert_rowid();
    connection.execute("INSERT INTO sequence (endpoint_no, next) VALUES (?1, 1)", [no])?;
    connection.execute(
        "INSERT INTO endpoint_secret (endpoint_no, version, sealed, created_at) VALUES (?1, 1, ?2, ?3)",
        params![no, new.secret.0, now.as_millis()],
    )?;
    *write.routes = None;
    find(connection, new.mode, &id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

/// One page of the endpoints of a mode.
pub(super) fn list(connection: &Connection, mode: Mode, page: &EndpointPage) -> Result<Option<EndpointList>> {
    if let Start::After(id) | Start::Before(id) = &page.start {
        let mut was = connection.prepare_cached("SELECT 1 FROM endpoint WHERE id = ?1 AND livemode = ?2")?;
        if !was.exists(params![id.as_str(), mode.is_live()])? {
            return Ok(None);
        }
    }
    let count = "SELECT count(*) FROM endpoint WHERE livemode = ?1 AND status <> 'deleted'";
    let count = connection.prepare_cached(count)?.query_row([mode.is_live()], |row| row.get(0))?;
    let direction = page.order.first().map_or(Direction::Descending, |(_, direction)| *direction);
    let list = match &page.start {
        Start::Skip(skip) => skip_to(connection, mode, page, *skip)?,
        Start::After(id) => beside(connection, mode, (id, page.limit), direction)?,
        Start::Before(id) => {
            let mut list = beside(connection, mode, (id, page.limit), direction.reversed())?;
            list.reverse();
            list
        }
    };
    Ok(Some(EndpointList { count, list }))
}

fn skip_to(connection: &Connection, mode: Mode, page: &EndpointPage, skip: u64) -> Result<Vec<Endpoint>> {
    let word = |direction| if direction == Direction::Ascending { "ASC" } else { "DESC" };
    // By age is by number, which has an index.
    let column = |field: EndpointField| if field == EndpointField::CreatedAt { "no" } else { field.as_str() };
    let terms = page.order.iter().map(|&(field, direction)| format!("{} {}", column(field), word(direction)));
    let order: Vec<_> = terms.chain(["no DESC".to_owned()]).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM endpoint WHERE livemode = ?1 AND status <> 'deleted' ORDER BY {} LIMIT ?2 OFFSET ?3",
        order.join(", ")
    );
    let mut statement = connection.prepare(&sql)?;
    let skip = i64::try_from(skip).unwrap_or(i64::MAX);
    statement.query_map(params![mode.is_live(), page.limit, skip], endpoint)?.collect()
}

/// Those nearest to one by age: older ones where the list descends, else younger ones.
fn beside(
    connection: &Connection,
    mode: Mode,
    (id, limit): (&EndpointId, u32),
    direction: Direction,
) -> Result<Vec<Endpoint>> {
    let (sign, word) = if direction == Direction::Descending { ("<", "DESC") } else { (">", "ASC") };
    let sql = format!(
        "SELECT {COLUMNS} FROM endpoint WHERE livemode = ?1 AND status <> 'deleted'
         AND no {sign} (SELECT no FROM endpoint WHERE id = ?2 AND livemode = ?1) ORDER BY no {word} LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_map(params![mode.is_live(), id.as_str(), limit], endpoint)?.collect()
}

/// An endpoint of a mode.
pub(super) fn find(connection: &Connection, mode: Mode, id: &EndpointId) -> Result<Option<Endpoint>> {
    let sql =
        format!("SELECT {COLUMNS} FROM endpoint WHERE id = ?1 AND livemode = ?2 AND status <> 'deleted'");
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row(params![id.as_str(), mode.is_live()], endpoint).optional()
}

pub(super) fn endpoint(row: &Row<'_>) -> Result<Endpoint> {
    let text = |column: usize| row.get::<_, String>(column);
    let (url, events, metadata, status, schedule) = (text(2)?, text(4)?, text(5)?, text(7)?, text(8)?);
    let time = |column: usize| row.get(column).map(Timestamp::from_millis);
    let (reason, policy): (Option<String>, String) = (row.get(14)?, row.get(17)?);
    Ok(Endpoint {
        id: EndpointId::new(text(0)?),
        mode: Mode::from(row.get::<_, bool>(1)?),
        url: parsed(2, || EndpointUrl::parse(&url))?,
        description: text(3)?,
        enabled_events: parsed(4, || EnabledEvents::parse(json(&events)?))?,
        metadata: parsed(5, || json(&metadata))?,
        format: text(6)?,
        status: parsed(7, || EndpointStatus::stored(&status))?,
        api_version: text(13)?,
        order: standing::order_of(&text(15)?),
        disabled_reason: reason.filter(|_| status == "disabled").and_then(|word| DisabledReason::find(&word)),
        schedule: parsed(8, || Schedule::from_seconds(&json::<Vec<u64>>(&schedule)?))?,
        max_in_flight: row.get(9)?,
        timeout: Duration::from_millis(row.get(10)?),
        created_at: time(11)?,
        updated_at: time(12)?,
        version: row.get(16)?,
        gone_policy: parsed(17, || GonePolicy::parse(&policy))?,
        source: row.get(18)?,
    })
}
