//! The file: one bridge's alone, as SQLite is to keep it.

use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rustix::fs::{FlockOperation, flock};

use super::{error, schema};
use crate::error::{Error, ErrorKind, Result};

/// One bridge per file: two would hold each other's leases for lost.
pub(super) fn lock(path: &Path) -> Result<File> {
    let beside = path.with_extension("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&beside);
    let unusable =
        |cause| Error::invalid(format!("{}: cannot be written", beside.display())).with_source(cause);
    let file = file.map_err(unusable)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|cause| {
        let message = format!("{}: another bridge has it", path.display());
        Error::new(ErrorKind::Conflict, message).with_source(std::io::Error::from(cause))
    })?;
    Ok(file)
}

/// The file is its owner's alone, whatever the folder allows: SQLite makes the files beside it with the same permissions.
pub(super) fn private(path: &Path) -> Result<()> {
    let unusable = |cause| Error::invalid(format!("{}: cannot be used", path.display())).with_source(cause);
    let made = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path);
    drop(made.map_err(unusable)?);
    for end in ["", "-wal", "-shm"] {
        let file = format!("{}{end}", path.display());
        match std::fs::set_permissions(&file, Permissions::from_mode(0o600)) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(unusable(cause)),
            _ => {}
        }
    }
    Ok(())
}

/// How many pages of 4 KiB gather beside the file before they are copied into it.
const GATHERED: u32 = 4000;
/// How many are kept in memory, for each connection. What is written goes to the same few pages for long, and SQLite looks at
/// all that are kept with nearly every commit.
const KEPT: u32 = 2000;

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(128);
    plan_once(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Pages that each commit changes are copied into the file once for many of them.
    connection.pragma_update(None, "wal_autocheckpoint", GATHERED)?;
    connection.pragma_update(None, "cache_size", KEPT)?;
    Ok(connection)
}

/// Keeps the plan of a statement whatever is bound to it: otherwise SQLite plans those with partial indexes anew each time.
pub(super) fn plan_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// Refuses a file that a newer bridge wrote.
pub(super) fn check(connection: &Connection) -> Result<()> {
    let version: usize = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(|cause| error(&cause))?;
    if version > schema::newest() {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("the store has version {version}, of a newer bridge"),
        ));
    }
    Ok(())
}
