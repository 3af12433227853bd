//! A copy of the file while a bridge has it, and its secrets sealed anew while none has.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::params;

use super::{SqliteStore, check, connect, error, lock};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Sealed;

impl SqliteStore {
    /// Writes a copy of a store's file, as of one moment after this call began, to a file that must not be there yet. The
    /// copy is synced, its owner's alone, and there whole or not at all. A bridge that has the store goes on meanwhile.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is no such store; [`Conflict`](ErrorKind::Conflict) when a newer bridge
    /// wrote it; [`Invalid`](ErrorKind::Invalid) when the copy cannot be written, or would replace something.
    pub fn backup(path: &Path, copy: &Path) -> Result<()> {
        let connection = existing(path)?;
        let refused = |why: &str| Error::invalid(format!("{}: {why}", copy.display()));
        if copy.to_str().is_none() {
            return Err(refused("must be UTF-8"));
        }
        if copy.exists() {
            return Err(refused("is there already"));
        }
        let begun = format!("{}.{:016x}.part", copy.display(), rand::random::<u64>());
        let unwritable = |cause: std::io::Error| refused("cannot be written").with_source(cause);
        // SQLite writes into an empty file, with whatever permissions that has: a new one, of nobody else's.
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&begun);
        let file = file.map_err(unwritable)?;
        let copied = connection.execute("VACUUM INTO ?1", [&begun]).map_err(|cause| error(&cause));
        // A link replaces nothing, whoever made it meanwhile.
        let done = copied.and_then(|_| {
            file.sync_all().and_then(|()| std::fs::hard_link(&begun, copy)).map_err(unwritable)
        });
        std::fs::remove_file(&begun).map_err(unwritable)?;
        done?;
        let folder = copy.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)
    }

    /// Replaces all sealed secrets of a store that no bridge has, in one transaction; tells how many. `reseal` is given all of
    /// them when nobody can take the store any more, `finish` is called when the new ones are synced.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is no such store; [`Conflict`](ErrorKind::Conflict) when a bridge has it,
    /// or a newer one wrote it; what `reseal` fails with, and then nothing is replaced.
    pub fn reseal(
        path: &Path,
        reseal: impl FnOnce(Vec<Sealed>) -> Result<Vec<Sealed>>,
        finish: impl FnOnce() -> Result<()>,
    ) -> Result<usize> {
        let mut connection = existing(path)?;
        let _lock = lock(path)?;
        let failed = |cause: rusqlite::Error| error(&cause);
        // What is replaced is overwritten, and not left in the log either.
        connection.pragma_update(None, "secure_delete", true).map_err(failed)?;
        let count = {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate);
            let transaction = transaction.map_err(failed)?;
            let rows = read(&transaction).map_err(failed)?;
            let (keys, sealed): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
            let count = keys.len();
            for ((endpoint, version), sealed) in keys.into_iter().zip(reseal(sealed)?) {
                let update = "UPDATE endpoint_secret SET sealed = ?3 WHERE endpoint_no = ?1 AND version = ?2";
                transaction.execute(update, params![endpoint, version, sealed.0]).map_err(failed)?;
            }
            transaction.commit().map_err(failed)?;
            count
        };
        finish()?;
        let busy = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
        if busy.map_err(failed)? {
            let message = "the secrets have a new key, but another program reads the store, so what was there before is in \
                           the file beside it until a bridge starts";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        Ok(count)
    }
}

/// The secrets, by endpoint and version.
fn read(connection: &rusqlite::Connection) -> rusqlite::Result<Vec<((i64, i64), Sealed)>> {
    let mut all = connection.prepare("SELECT endpoint_no, version, sealed FROM endpoint_secret")?;
    let row = |row: &rusqlite::Row<'_>| Ok(((row.get(0)?, row.get(1)?), Sealed(row.get(2)?)));
    all.query_map([], row)?.collect()
}

/// A store that is there, of a version that this program knows.
fn existing(path: &Path) -> Result<rusqlite::Connection> {
    if !path.exists() {
        return Err(Error::new(ErrorKind::NotFound, format!("{}: there is no store", path.display())));
    }
    let connection = connect(path).map_err(|cause| error(&cause))?;
    check(&connection)?;
    Ok(connection)
}
