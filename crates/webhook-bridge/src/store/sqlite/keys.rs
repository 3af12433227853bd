//! API keys: what is kept of them, and when each was used last.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use eventbus::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Result, Row, params};

use super::writer::Write;
use super::{SqliteStore, check, connect, error};
use crate::error::{Error, ErrorKind};
use crate::model::{ApiKey, KeyDigest, KeyRecord, Mode, NewKey};
use crate::store::FirstKeys;

/// The most keys of a mode.
const MOST: u32 = 100;
/// How exact the time of the last use is.
const EXACT: Duration = Duration::from_secs(60);

const COLUMNS: &str = "id, livemode, name, created_at, expires_at, last_used_at";

/// Which keys were used, and when: in memory until it is stored, so that no request writes.
#[derive(Debug, Default)]
pub(super) struct Uses(Mutex<HashMap<KeyDigest, Timestamp>>);

impl Uses {
    /// Notes a use, unless what is stored is exact enough.
    pub(super) fn note(&self, key: KeyDigest, stored: Option<Timestamp>, now: Timestamp) {
        if stored.is_none_or(|at| now.since(at) >= EXACT) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, now);
        }
    }

    pub(super) fn take(&self) -> HashMap<KeyDigest, Timestamp> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Stores when keys were used.
pub(super) fn used(write: &Write<'_>, uses: &HashMap<KeyDigest, Timestamp>) -> Result<()> {
    let mut update =
        write.connection.prepare_cached("UPDATE api_key SET last_used_at = ?2 WHERE digest = ?1")?;
    for (digest, at) in uses {
        update.execute(params![&digest.0[..], at.as_millis()])?;
    }
    Ok(())
}

/// Stores keys unless there are any.
pub(super) fn first(write: &Write<'_>, keys: &[(KeyDigest, Mode)], now: Timestamp) -> Result<FirstKeys> {
    let present: bool =
        write.connection.query_row("SELECT EXISTS (SELECT 1 FROM api_key)", [], |row| row.get(0))?;
    if present {
        return Ok(FirstKeys::Present);
    }
    for &(digest, mode) in keys {
        let new = NewKey { digest, mode, name: "first".to_owned(), expires_at: None };
        insert(write.connection, &new, now)?;
    }
    Ok(FirstKeys::Stored)
}

/// Stores a key.
pub(super) fn create(
    connection: &Connection,
    new: &NewKey,
    now: Timestamp,
) -> Result<crate::error::Result<KeyRecord>> {
    let count = "SELECT count(*) FROM api_key WHERE livemode = ?1";
    let count: u32 = connection.query_row(count, [new.mode.is_live()], |row| row.get(0))?;
    if count >= MOST {
        return Ok(Err(Error::new(ErrorKind::Conflict, "there are 100 keys of this mode: delete one")));
    }
    insert(connection, new, now).map(Ok)
}

fn insert(connection: &Connection, new: &NewKey, now: Timestamp) -> Result<KeyRecord> {
    let sql = format!(
        "INSERT INTO api_key (digest, id, livemode, name, created_at, expires_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING {COLUMNS}"
    );
    let expires_at = new.expires_at.map(Timestamp::as_millis);
    let (digest, id) = (&new.digest.0[..], KeyRecord::generate_id());
    let row = params![digest, id, new.mode.is_live(), new.name, now.as_millis(), expires_at];
    connection.query_row(&sql, row, record)
}

/// The key with this digest, unless it ran out.
pub(super) fn find(connection: &Connection, digest: &KeyDigest, now: Timestamp) -> Result<Option<KeyRecord>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM api_key WHERE digest = ?1 AND (expires_at IS NULL OR expires_at > ?2)"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    statement.query_row(params![&digest.0[..], now.as_millis()], record).optional()
}

/// The keys of a mode, the newest first.
pub(super) fn list(connection: &Connection, mode: Mode) -> Result<Vec<KeyRecord>> {
    let sql = format!("SELECT {COLUMNS} FROM api_key WHERE livemode = ?1 ORDER BY created_at DESC, id");
    connection.prepare_cached(&sql)?.query_map([mode.is_live()], record)?.collect()
}

/// Deletes a key, unless nobody could call the API of its mode then.
pub(super) fn delete(
    connection: &Connection,
    mode: Mode,
    id: &str,
) -> Result<crate::error::Result<Option<KeyRecord>>> {
    let left =
        "SELECT EXISTS (SELECT 1 FROM api_key WHERE livemode = ?1 AND id <> ?2 AND expires_at IS NULL)";
    let left: bool = connection.query_row(left, params![mode.is_live(), id], |row| row.get(0))?;
    if !left {
        let message = "no other key of this mode would be left that does not run out: make one first";
        let known = list(connection, mode)?.iter().any(|key| key.id == id);
        return Ok(if known { Err(Error::new(ErrorKind::Conflict, message)) } else { Ok(None) });
    }
    let sql = format!("DELETE FROM api_key WHERE livemode = ?1 AND id = ?2 RETURNING {COLUMNS}");
    connection.query_row(&sql, params![mode.is_live(), id], record).optional().map(Ok)
}

fn record(row: &Row<'_>) -> Result<KeyRecord> {
    let time = |column: usize| row.get::<_, Option<i64>>(column).map(|at| at.map(Timestamp::from_millis));
    Ok(KeyRecord {
        id: row.get(0)?,
        mode: Mode::from(row.get::<_, bool>(1)?),
        name: row.get(2)?,
        created_at: Timestamp::from_millis(row.get(3)?),
        expires_at: time(4)?,
        last_used_at: time(5)?,
    })
}

impl SqliteStore {
    /// Makes an API key in the store in this file, beside a bridge that may have it open: the way back in when all keys
    /// are lost, for whoever may read and write the file.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is no such file; [`Conflict`](ErrorKind::Conflict) when another
    /// version of the bridge wrote it, or its mode has as many keys as there may be.
    pub fn add_key(path: &Path, mode: Mode, name: &str) -> crate::error::Result<ApiKey> {
        if !path.exists() {
            return Err(Error::new(ErrorKind::NotFound, format!("{}: there is no store", path.display())));
        }
        let connection = connect(path).map_err(|cause| error(&cause))?;
        check(&connection)?;
        let key = ApiKey::generate(mode);
        let new = NewKey { digest: key.digest(), mode, name: name.to_owned(), expires_at: None };
        create(&connection, &new, Timestamp::now()).map_err(|cause| error(&cause))??;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store as _;

    /// All keys are lost, and the bridge runs: whoever has the file makes another.
    #[tokio::test]
    async fn a_key_is_made_beside_a_bridge_that_has_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sqlite");
        assert_eq!(SqliteStore::add_key(&path, Mode::Live, "mine").unwrap_err().kind(), ErrorKind::NotFound);
        let store = SqliteStore::open(&path, Timestamp::now()).unwrap();
        let key = SqliteStore::add_key(&path, Mode::Live, "mine").unwrap();
        assert_eq!(store.key(key.digest()).await.unwrap().unwrap().mode, Mode::Live);
        assert_eq!(store.keys(Mode::Live).await.unwrap()[0].name, "mine");
    }
}
