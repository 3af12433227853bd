//! Endpoints of one format: as many as there may be, and all of them.

use eventbus::Timestamp;
use rusqlite::{Connection, Result, params};

use super::endpoints::{self, COLUMNS, endpoint};
use super::writer::Write;
use crate::error::{Error, ErrorKind};
use crate::model::{Endpoint, Mode, NewEndpoint};

/// Makes an endpoint unless its mode has as many of its format as there may be.
pub(super) fn create(
    write: &mut Write<'_>,
    (new, most): (&NewEndpoint, u32),
    now: Timestamp,
) -> Result<crate::error::Result<Endpoint>> {
    let count = "SELECT count(*) FROM endpoint WHERE livemode = ?1 AND format = ?2 AND status <> 'deleted'";
    let mut count = write.connection.prepare_cached(count)?;
    let count: u32 = count.query_row(params![new.mode.is_live(), new.format], |row| row.get(0))?;
    if count >= most {
        return Ok(Err(Error::new(
            ErrorKind::Conflict,
            format!("there are {most} already, as many as there may be"),
        )));
    }
    endpoints::create(write, new, now).map(Ok)
}

/// All of a mode and a format, the newest first.
pub(super) fn list(connection: &Connection, mode: Mode, format: &str) -> Result<Vec<Endpoint>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM endpoint WHERE livemode = ?1 AND format = ?2 AND status <> 'deleted'
         ORDER BY no DESC LIMIT 1000"
    );
    connection.prepare_cached(&sql)?.query_map(params![mode.is_live(), format], endpoint)?.collect()
}
