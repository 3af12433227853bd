//! The embedded store: one SQLite file, written by one thread, synced before any answer.

mod claim;
mod convert;
mod endpoints;
mod finish;
mod health;
mod ingest;
mod line;
mod prune;
mod reader;
mod routes;
mod schema;
mod standing;
mod writer;

#[cfg(test)]
mod tests;

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use async_trait::async_trait;
use eventbus::transport::Order;
use eventbus::{AnyEvent, Timestamp};
use rusqlite::Connection;
use rustix::fs::{FlockOperation, flock};

use self::ingest::Incoming;
use self::reader::Reader;
use self::writer::Writer;
use super::{FirstKeys, Hints, Store};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{
    Attempt, Claimed, DeliveryKey, DeliveryState, Endpoint, EndpointId, EndpointKey, Finished, Ingested,
    KeyDigest, Mode, NewEndpoint, Pruned, Retention, Standing, Wanted,
};

/// The store in one SQLite file (WAL, `synchronous=FULL`), for one bridge at a time.
#[derive(Debug)]
pub struct SqliteStore {
    /// `None` once it is closed.
    writer: Mutex<Option<(Arc<Writer>, JoinHandle<()>)>>,
    reader: Reader,
    hints: Arc<Hints>,
    /// Held as long as the file is ours, and let go by the system however this process ends.
    _lock: File,
}

impl SqliteStore {
    /// Opens the file, or makes it, and brings it to the newest version. What a former bridge had under way when it
    /// ended is due again.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when another bridge has it, or a newer one wrote it.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self> {
        let lock = lock(path)?;
        let mut connection = connect(path).map_err(|cause| error(&cause))?;
        check(&connection)?;
        schema::migrate(&mut connection).map_err(|cause| error(&cause))?;
        let hints = Arc::new(Hints::default());
        recover(&connection, now).map_err(|cause| error(&cause))?;
        let (writer, thread) = Writer::start(connection, Arc::clone(&hints))?;
        let writer = Mutex::new(Some((Arc::new(writer), thread)));
        Ok(Self { writer, reader: Reader::new(path), hints, _lock: lock })
    }

    fn writer(&self) -> Result<Arc<Writer>> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = || Error::new(ErrorKind::Closed, "the store is closed");
        writer.as_ref().map(|(writer, _)| Arc::clone(writer)).ok_or_else(closed)
    }
}

/// One bridge per file: two would hold each other's leases for lost.
fn lock(path: &Path) -> Result<File> {
    let beside = path.with_extension("lock");
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&beside);
    let unusable =
        |cause| Error::invalid(format!("{}: cannot be written", beside.display())).with_source(cause);
    let file = file.map_err(unusable)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|cause| {
        let message = format!("{}: another bridge has it", path.display());
        Error::new(ErrorKind::Conflict, message).with_source(std::io::Error::from(cause))
    })?;
    Ok(file)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(connection)
}

/// Refuses a file that a newer bridge wrote.
fn check(connection: &Connection) -> Result<()> {
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

/// All leases are those of a process that is gone: nobody else has the lock.
fn recover(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    let (mut routes, mut hints) = (None, std::collections::HashMap::new());
    let transaction = connection.unchecked_transaction()?;
    let mut write = writer::Write { connection, routes: &mut routes, hints: &mut hints };
    claim::reclaim(&mut write, Timestamp::from_millis(i64::MAX), now)?;
    transaction.commit()
}

/// What went wrong in SQLite: a full disk and the like may pass, the rest is a defect.
fn error(cause: &rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, SystemIoFailure};
    let passing = [CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, SystemIoFailure];
    let kind = match cause.sqlite_error_code() {
        Some(code) if passing.contains(&code) => ErrorKind::Unavailable,
        _ => ErrorKind::Internal,
    };
    Error::new(kind, format!("store: {cause}"))
}

#[async_trait]
impl Store for SqliteStore {
    async fn ingest(&self, event: AnyEvent) -> Result<Ingested> {
        let incoming = Incoming { body: event.to_json()?, event };
        self.writer()?.call(move |write| ingest::ingest(write, &incoming)).await
    }

    async fn claim(&self, wanted: Vec<Wanted>, now: Timestamp) -> Result<Vec<Claimed>> {
        let claim = move |write: &mut writer::Write<'_>| {
            wanted.iter().map(|&wanted| claim::claim(write, wanted, now)).collect()
        };
        self.writer()?.call(claim).await
    }

    async fn finish(&self, attempt: Attempt) -> Result<Finished> {
        self.writer()?.call(move |write| finish::finish(write, &attempt, attempt.ended_at())).await
    }

    async fn reclaim(&self, now: Timestamp) -> Result<u32> {
        self.writer()?.call(move |write| claim::reclaim(write, now, now)).await
    }

    async fn prune(&self, keep: Retention, now: Timestamp) -> Result<Pruned> {
        self.writer()?.call(move |write| prune::prune(write, &keep, now)).await
    }

    async fn state(&self, delivery: DeliveryKey) -> Result<Option<DeliveryState>> {
        self.reader.call(move |connection| finish::state(connection, delivery)).await
    }

    async fn standing(&self, mode: Mode, id: EndpointId) -> Result<Option<Standing>> {
        self.reader.call(move |connection| standing::find(connection, mode, &id)).await
    }

    async fn order(&self, endpoint: EndpointKey, order: Order) -> Result<()> {
        self.writer()?.call(move |write| standing::order(write, endpoint, order)).await
    }

    async fn agenda(&self) -> Result<Vec<(EndpointKey, Timestamp)>> {
        self.writer()?.call(|write| endpoints::agenda(write)).await
    }

    fn hints(&self) -> &Hints {
        &self.hints
    }

    async fn create_endpoint(&self, endpoint: NewEndpoint, now: Timestamp) -> Result<Endpoint> {
        self.writer()?.call(move |write| endpoints::create(write, &endpoint, now)).await
    }

    async fn endpoints(&self, mode: Mode) -> Result<Vec<Endpoint>> {
        self.reader.call(move |connection| endpoints::list(connection, mode)).await
    }

    async fn endpoint(&self, mode: Mode, id: EndpointId) -> Result<Option<Endpoint>> {
        self.reader.call(move |connection| endpoints::find(connection, mode, &id)).await
    }

    async fn first_keys(&self, keys: Vec<(KeyDigest, Mode)>, now: Timestamp) -> Result<FirstKeys> {
        self.writer()?.call(move |write| endpoints::first_keys(write, &keys, now)).await
    }

    async fn key(&self, digest: KeyDigest) -> Result<Option<Mode>> {
        self.reader.call(move |connection| endpoints::key(connection, &digest)).await
    }

    async fn close(&self) {
        self.reader.close().await;
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((writer, thread)) = writer else { return };
        drop(writer);
        // The thread ends when the last call's handle is gone; a panic in it was logged where it happened.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}
