//! The embedded store: one SQLite file, written by one thread, synced before any answer.

mod again;
mod attempts;
mod backup;
mod changes;
mod claim;
mod contents;
mod convert;
mod deliveries;
mod due;
mod endpoints;
mod events;
mod file;
mod finish;
mod formats;
mod health;
mod identities;
mod inbound;
mod ingest;
mod keys;
mod known;
mod line;
mod owe;
mod prune;
mod publishing;
mod reader;
mod reclaim;
mod replay;
mod routes;
mod schema;
mod secrets;
mod sent;
mod standing;
mod statements;
mod statistics;
mod writer;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use async_trait::async_trait;
use eventbus::transport::Order;
use eventbus::{AnyEvent, Timestamp};
use rusqlite::Connection;
use rustix::fs::{FlockOperation, flock};

use self::file::{check, connect, lock, private};
use self::identities::Identities;
use self::ingest::Incoming;
use self::keys::Uses;
use self::known::Known;
use self::publishing::Prepared;
use self::reader::Reader;
use self::statements::Statements;
use self::writer::{Attached, Write, Writer};
use super::{FirstKeys, Front, Hints, Store};
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::Metrics;
use crate::model::{
    Attempt, AttemptFilter, AttemptRecord, Claimed, DeliveryCursor, DeliveryFilter, DeliveryKey,
    DeliveryRecord, DeliveryState, Due, Endpoint, EndpointChange, EndpointId, EndpointKey, EndpointList,
    EndpointPage, EventBody, EventFilter, EventRecord, Expected, Finished, Inbound, InboundDigest, Ingested,
    KeyDigest, KeyRecord, Leased, LogPage, Mode, NewEndpoint, NewKey, News, Period, Pruned, Publication,
    PublishedEvents, Reclaimed, Recovered, Recovery, Released, Replay, Replayed, Resent, Retention, Rotation,
    Sealed, SecretVersion, Sent, Standing, Statistics, StoredEvent, Wanted,
};

/// The store in one SQLite file (WAL, `synchronous=FULL`), for one bridge at a time.
#[derive(Debug)]
pub struct SqliteStore {
    /// `None` once it is closed.
    writer: Mutex<Option<(Arc<Writer>, JoinHandle<()>)>>,
    reader: Reader,
    hints: Arc<Hints>,
    front: Attached,
    /// Which API keys were used since that was stored.
    uses: Uses,
    /// Held as long as the file is ours, and let go by the system however this process ends.
    lock: File,
}

impl SqliteStore {
    /// Its name in the folder of a bridge.
    pub const FILE: &'static str = "bridge.sqlite";

    /// Opens the file, or makes it, and brings it to the newest version. What a former bridge had under way when it
    /// ended is due again.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when another bridge has it, or a newer one wrote it.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self> {
        Self::open_metered(path, now, Arc::default())
    }

    /// As [`open`](Self::open), noting what it does.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_metered(path: &Path, now: Timestamp, metrics: Arc<Metrics>) -> Result<Self> {
        let lock = lock(path)?;
        private(path)?;
        let mut connection = connect(path).map_err(|cause| error(&cause))?;
        check(&connection)?;
        schema::migrate(&mut connection).map_err(|cause| error(&cause))?;
        let hints = Arc::new(Hints::default());
        let mut identities = Identities::read(&connection).map_err(|cause| error(&cause))?;
        let recovered = recover((&connection, &mut identities), now).map_err(|cause| error(&cause))?;
        metrics.reclaimed(recovered);
        let front = Attached::default();
        let (writer, thread) =
            Writer::start((connection, identities), Arc::clone(&hints), Arc::clone(&front), metrics)?;
        let writer = Mutex::new(Some((Arc::new(writer), thread)));
        Ok(Self { writer, reader: Reader::new(path), hints, front, uses: Uses::default(), lock })
    }

    fn writer(&self) -> Result<Arc<Writer>> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = || Error::new(ErrorKind::Closed, "the store is closed");
        writer.as_ref().map(|(writer, _)| Arc::clone(writer)).ok_or_else(closed)
    }
}

/// All leases are those of a process that is gone: nobody else has the lock.
fn recover(
    (connection, identities): (&Connection, &mut Identities),
    now: Timestamp,
) -> rusqlite::Result<Reclaimed> {
    let transaction = connection.unchecked_transaction()?;
    let mut write = Write {
        connection,
        statements: Statements::of(connection),
        routes: &mut None,
        known: &mut Known::default(),
        identities,
        hints: &mut HashMap::new(),
        front: None,
        sent: &mut Vec::new(),
    };
    let reclaimed = reclaim::reclaim(&mut write, (Timestamp::from_millis(i64::MAX), now), &HashSet::new())?;
    drop(write);
    transaction.commit()?;
    Ok(reclaimed)
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
        let incoming = Incoming::new(event)?;
        self.writer()?.call(move |write| ingest::ingest(write, &incoming)).await
    }

    async fn ingest_patiently(&self, event: AnyEvent) -> Result<Ingested> {
        let incoming = Incoming::new(event)?;
        let is_patient = |ingested: &Ingested| ingested.deliveries == 0;
        self.writer()?.call_unless(is_patient, move |write| ingest::ingest(write, &incoming)).await
    }

    async fn claim(&self, wanted: Vec<Wanted>, now: Timestamp) -> Result<Vec<Claimed>> {
        let claim = move |write: &mut Write<'_>| {
            wanted.iter().map(|&wanted| claim::claim(write, wanted, now)).collect()
        };
        self.writer()?.call(claim).await
    }

    async fn finish(&self, attempt: Attempt) -> Result<(Finished, Option<Leased>)> {
        let work = move |write: &mut Write<'_>| {
            let finished = finish::finish(write, &attempt, attempt.ended_at())?;
            let stored = finished == Finished::Stored;
            let follows = stored.then(|| claim::follow(write, &attempt, Timestamp::now())).transpose()?;
            Ok((finished, follows.flatten()))
        };
        self.writer()?.call(work).await
    }

    async fn reclaim(&self, now: Timestamp, under_way: HashSet<DeliveryKey>) -> Result<Reclaimed> {
        self.writer()?.call(move |write| reclaim::reclaim(write, (now, now), &under_way)).await
    }

    async fn due(&self, now: Timestamp) -> Result<Vec<Due>> {
        self.reader.call(move |connection| due::due(connection, now)).await
    }

    async fn probe(&self) -> Result<()> {
        self.writer()?.call(|_| Ok(())).await
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
        self.reader.call(due::agenda).await
    }

    fn hints(&self) -> &Hints {
        &self.hints
    }

    fn attach(&self, front: Weak<dyn Front>) {
        *self.front.write().unwrap_or_else(PoisonError::into_inner) = Some(front);
    }

    async fn create_endpoint(&self, endpoint: NewEndpoint, now: Timestamp) -> Result<Endpoint> {
        self.writer()?.call(move |write| endpoints::create(write, &endpoint, now)).await
    }

    async fn create_endpoint_once(
        &self,
        endpoint: NewEndpoint,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Endpoint> {
        let once = move |write: &mut Write<'_>| changes::create_once(write, &endpoint, (since, now));
        self.writer()?.call(once).await
    }

    async fn create_endpoint_within(
        &self,
        endpoint: NewEndpoint,
        most: u32,
        now: Timestamp,
    ) -> Result<Endpoint> {
        self.writer()?.call(move |write| formats::create(write, (&endpoint, most), now)).await?
    }

    async fn endpoints_of(&self, mode: Mode, format: &'static str) -> Result<Vec<Endpoint>> {
        self.reader.call(move |connection| formats::list(connection, mode, format)).await
    }

    async fn signing_secret(&self, mode: Mode, id: EndpointId) -> Result<Option<Sealed>> {
        self.reader.call(move |connection| secrets::newest(connection, (mode, &id))).await
    }

    async fn endpoints(&self, mode: Mode, page: EndpointPage) -> Result<Option<EndpointList>> {
        self.reader.call(move |connection| endpoints::list(connection, mode, &page)).await
    }

    async fn change_endpoint(
        &self,
        mode: Mode,
        id: EndpointId,
        change: EndpointChange,
    ) -> Result<Option<Endpoint>> {
        let now = Timestamp::now();
        let changed = move |write: &mut Write<'_>| changes::change(write, (mode, &id), &change, now);
        self.writer()?.call(changed).await?
    }

    async fn delete_endpoint(
        &self,
        mode: Mode,
        id: EndpointId,
        expected: Expected,
    ) -> Result<Option<Endpoint>> {
        let now = Timestamp::now();
        self.writer()?.call(move |write| changes::delete(write, (mode, &id), &expected, now)).await?
    }

    async fn endpoint(&self, mode: Mode, id: EndpointId) -> Result<Option<Endpoint>> {
        self.reader.call(move |connection| endpoints::find(connection, mode, &id)).await
    }

    async fn rotate_secret(
        &self,
        mode: Mode,
        id: EndpointId,
        rotation: Rotation,
    ) -> Result<Option<Vec<SecretVersion>>> {
        let rotated =
            self.writer()?.call(move |write| secrets::rotate(write, (mode, &id), &rotation)).await?;
        rotated.transpose()
    }

    async fn secrets(&self, mode: Mode, id: EndpointId) -> Result<Vec<SecretVersion>> {
        self.reader.call(move |connection| secrets::list(connection, (mode, &id))).await
    }

    async fn publish(&self, publication: Publication) -> Result<PublishedEvents> {
        let Publication { mode, events, expires_at, key } = publication;
        let incoming = |event: AnyEvent| Ok(Incoming::new(event)?.until(expires_at));
        let incoming = events.into_iter().map(incoming).collect::<Result<_>>()?;
        let (prepared, now) = (Prepared { mode, incoming, expires_at, key }, Timestamp::now());
        self.writer()?.call(move |write| publishing::publish(write, &prepared, now)).await?
    }

    async fn ingest_for(&self, event: AnyEvent, id: EndpointId) -> Result<Option<DeliveryKey>> {
        let incoming = Incoming::new(event)?;
        self.writer()?.call(move |write| publishing::only_for(write, &incoming, &id)).await
    }

    async fn came(&self, digest: InboundDigest) -> Result<bool> {
        let now = Timestamp::now();
        self.reader.call(move |connection| inbound::came(connection, digest, now)).await
    }

    async fn remembered(&self, after: Option<InboundDigest>, most: u32) -> Result<Vec<InboundDigest>> {
        self.reader.call(move |connection| inbound::list(connection, after, most)).await
    }

    async fn remember(&self, inbound: Vec<Inbound>) -> Result<()> {
        self.writer()?.call(move |write| inbound::remember(write, &inbound)).await
    }

    async fn event_log(&self, mode: Mode, filter: EventFilter) -> Result<LogPage<StoredEvent, u64>> {
        self.reader.call(move |connection| events::list(connection, mode, &filter)).await
    }

    async fn news(&self, mode: Mode, after: Option<u64>, most: u32) -> Result<News> {
        self.reader.call(move |connection| events::news(connection, mode, (after, most))).await
    }

    async fn event(&self, mode: Mode, id: String) -> Result<Vec<EventBody>> {
        self.reader.call(move |connection| events::find(connection, mode, &id)).await
    }

    async fn replay(&self, mode: Mode, replay: Replay) -> Result<Option<Replayed>> {
        self.writer()?.call(move |write| replay::replay(write, (mode, &replay))).await
    }

    async fn replayable(&self, mode: Mode, replay: Replay) -> Result<Option<Replayed>> {
        self.reader.call(move |connection| replay::count(connection, (mode, &replay))).await
    }

    async fn deliveries(
        &self,
        mode: Mode,
        filter: DeliveryFilter,
    ) -> Result<LogPage<DeliveryRecord, DeliveryCursor>> {
        self.reader.call(move |connection| deliveries::list(connection, mode, &filter)).await
    }

    async fn delivery(&self, mode: Mode, key: DeliveryKey) -> Result<Option<DeliveryRecord>> {
        self.reader.call(move |connection| deliveries::find(connection, mode, key)).await
    }

    async fn attempts(
        &self,
        mode: Mode,
        filter: AttemptFilter,
    ) -> Result<LogPage<AttemptRecord, (u64, u32)>> {
        self.reader.call(move |connection| attempts::list(connection, mode, &filter)).await
    }

    async fn sent(&self, mode: Mode, key: DeliveryKey, attempt: (u32, Timestamp)) -> Result<Option<Sent>> {
        self.reader.call(move |connection| sent::find(connection, (mode, key), attempt)).await
    }

    async fn statistics(&self, mode: Mode, period: Period) -> Result<Statistics> {
        self.reader.call(move |connection| statistics::count(connection, mode, &period)).await
    }

    async fn events(&self, mode: Mode, event: String, endpoint: EndpointId) -> Result<Vec<EventRecord>> {
        self.reader.call(move |connection| deliveries::events(connection, mode, (&event, &endpoint))).await
    }

    async fn resend(&self, mode: Mode, key: DeliveryKey) -> Result<Resent> {
        let now = Timestamp::now();
        self.writer()?.call(move |write| again::resend(write, (mode, key), now)).await
    }

    async fn release(&self, mode: Mode, key: DeliveryKey) -> Result<Released> {
        let now = Timestamp::now();
        self.writer()?.call(move |write| again::release(write, (mode, key), now)).await
    }

    async fn recover(&self, mode: Mode, recovery: Recovery) -> Result<Option<Recovered>> {
        self.writer()?.call(move |write| again::recover(write, (mode, &recovery))).await
    }

    async fn recoverable(&self, mode: Mode, recovery: Recovery) -> Result<Option<Recovered>> {
        self.reader.call(move |connection| again::recoverable(connection, (mode, &recovery))).await
    }

    async fn expire(&self, now: Timestamp) -> Result<u32> {
        let uses = self.uses.take();
        let expire = move |write: &mut Write<'_>| {
            keys::used(write, &uses)?;
            Ok(secrets::expire(write, now)? + publishing::expire(write, now)? + inbound::expire(write, now)?)
        };
        self.writer()?.call(expire).await
    }

    async fn any_secret(&self) -> Result<Option<Sealed>> {
        self.reader.call(secrets::any).await
    }

    async fn first_keys(&self, keys: Vec<(KeyDigest, Mode)>, now: Timestamp) -> Result<FirstKeys> {
        self.writer()?.call(move |write| keys::first(write, &keys, now)).await
    }

    async fn key(&self, digest: KeyDigest) -> Result<Option<KeyRecord>> {
        let now = Timestamp::now();
        let found = self.reader.call(move |connection| keys::find(connection, &digest, now)).await?;
        Ok(found.inspect(|found| self.uses.note(digest, found.last_used_at, now)))
    }

    async fn create_key(&self, key: NewKey, now: Timestamp) -> Result<KeyRecord> {
        self.writer()?.call(move |write| keys::create(write.connection, &key, now)).await?
    }

    async fn keys(&self, mode: Mode) -> Result<Vec<KeyRecord>> {
        self.reader.call(move |connection| keys::list(connection, mode)).await
    }

    async fn delete_key(&self, mode: Mode, id: String) -> Result<Option<KeyRecord>> {
        self.writer()?.call(move |write| keys::delete(write.connection, mode, &id)).await?
    }

    async fn close(&self) {
        self.reader.close().await;
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((writer, thread)) = writer else { return };
        drop(writer);
        // The thread ends when the last call's handle is gone; a panic in it was logged where it happened.
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        // Whoever still holds this store can do nothing with it, so another may have the file.
        let _ = flock(&self.lock, FlockOperation::Unlock);
    }
}
