//! The store: events, deliveries, attempts, endpoints and keys, durable. Only this module speaks SQL.
//!
//! The queue of deliveries *is* the store: nothing that matters lives in memory only, and [`Hints`] are no more than
//! wake-ups, which may be lost at a crash without loss of a delivery.

#[cfg(test)]
mod conformance;
mod front;
mod hints;
mod sqlite;

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::Weak;

use async_trait::async_trait;
use eventbus::transport::Order;
use eventbus::{AnyEvent, Timestamp};

use crate::error::Result;
use crate::model::{
    Attempt, AttemptFilter, AttemptRecord, Claimed, DeliveryCursor, DeliveryFilter, DeliveryKey,
    DeliveryRecord, DeliveryState, Due, Endpoint, EndpointChange, EndpointId, EndpointKey, EndpointList,
    EndpointPage, EventBody, EventFilter, EventRecord, Expected, Finished, Inbound, InboundDigest, Ingested,
    KeyDigest, KeyRecord, Leased, LogPage, Mode, NewEndpoint, NewKey, News, Period, Pruned, Publication,
    PublishedEvents, Reclaimed, Recovered, Recovery, Released, Replay, Replayed, Resent, Retention, Rotation,
    Sealed, SecretVersion, Sent, Standing, Statistics, StoredEvent, Wanted,
};

pub use front::{Front, Ticket};
pub use hints::Hints;
pub use sqlite::SqliteStore;

/// Whether a store had API keys before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstKeys {
    /// These are its first ones.
    Stored,
    /// It had some; these were not stored.
    Present,
}

/// What a store must do. Each call is one durable step: when it returns `Ok`, what it did survives a crash.
///
/// All of it may be called by many tasks at once. Calls are cancel safe in this sense: one that is dropped has happened
/// whole or not at all.
#[async_trait]
pub trait Store: Debug + Send + Sync {
    /// Stores an event with one delivery for each enabled endpoint of its mode that wants it, in one transaction.
    ///
    /// Unique by mode, source and id: what was stored before is told as a duplicate. Endpoints as of this transaction
    /// decide, so an endpoint that was created before this call gets the event. Deliveries of one endpoint are numbered
    /// without gaps, in the order in which these calls were first polled. Each endpoint concerned is hinted.
    async fn ingest(&self, event: AnyEvent) -> Result<Ingested>;

    /// As [`ingest`](Self::ingest), for whoever does not wait where nobody is owed the event: the answer may come a moment
    /// later then.
    async fn ingest_patiently(&self, event: AnyEvent) -> Result<Ingested>;

    /// Leases deliveries that are due: at most as many as wanted of each endpoint, the longest due first.
    ///
    /// The attempt is counted here, so that one that ends with its process is known. The lease runs out after the
    /// endpoint's time-out and a margin. A disabled endpoint, and one that is [left alone](crate::model::Health::rest), has none; one that
    /// is not well has few. Where it wants order, only the first of a key that is not over is ever due. What became too
    /// old ends here.
    async fn claim(&self, wanted: Vec<Wanted>, now: Timestamp) -> Result<Vec<Claimed>>;

    /// Stores an attempt and what follows from it in one transaction, if its lease still holds: the delivery's next
    /// state, the next one of its key, how its endpoint is doing. Where the endpoint's owner should know of that, an event
    /// that tells so is stored with it, owed to whoever wants it. Where the [front](Front::relay) lets it, what is due next of
    /// a healthy endpoint is leased in the same transaction, to be sent in the room of this one.
    async fn finish(&self, attempt: Attempt) -> Result<(Finished, Option<Leased>)>;

    /// Takes back deliveries whose lease ran out, but for those whose requests are under way: each is due again, its attempt
    /// stored as interrupted: at once, and after longer and longer where that happens again and again, until it is parked.
    /// Only a request that is no more loses its lease, for clocks jump and machines sleep.
    async fn reclaim(&self, now: Timestamp, under_way: HashSet<DeliveryKey>) -> Result<Reclaimed>;

    /// The enabled endpoints with pending deliveries, each with when its first one is due. Keeps nobody from storing, and
    /// costs a look at an index for each of them.
    async fn agenda(&self) -> Result<Vec<(EndpointKey, Timestamp)>>;

    /// Of each endpoint that is enabled, not [left alone](crate::model::Health::rest) and owed something that is due: what is
    /// the longest due, to see whether all that should be sent is. Costs as many looks at an index as there are endpoints
    /// with something due, whatever they are owed.
    async fn due(&self, now: Timestamp) -> Result<Vec<Due>>;

    /// Says whether what is asked next will be done: goes the way of everything that is stored, and stores nothing.
    async fn probe(&self) -> Result<()>;

    /// Forgets a little of what is older than it is kept, and ends what was parked for too long. What is not over keeps
    /// its event's body and itself until it is; what nobody sent in time ends before it is forgotten.
    async fn prune(&self, keep: Retention, now: Timestamp) -> Result<Pruned>;

    /// Where a delivery stands.
    async fn state(&self, delivery: DeliveryKey) -> Result<Option<DeliveryState>>;

    /// How an endpoint of this mode stands.
    async fn standing(&self, mode: Mode, id: EndpointId) -> Result<Option<Standing>>;

    /// Chooses the order of an endpoint's deliveries, for those stored from now on.
    ///
    /// By key, no delivery is attempted while an earlier one of its key is not over: neither delivered, given up nor
    /// cancelled. One that is parked is not over. Events without a key have no order.
    async fn order(&self, endpoint: EndpointKey, order: Order) -> Result<()>;

    /// Tells of deliveries that became due, or will, by any of these calls.
    fn hints(&self) -> &Hints;

    /// From now on asks this one, as long as it lives, whether a delivery that is due when it is stored could be sent at
    /// once: then it is stored leased, as if it had been claimed, and handed over when it is synced.
    fn attach(&self, front: Weak<dyn Front>);

    /// Makes an endpoint.
    async fn create_endpoint(&self, endpoint: NewEndpoint, now: Timestamp) -> Result<Endpoint>;

    /// Makes an endpoint, unless one that was made since then, and lives, wants the same at the same URL: then it is that
    /// one. So a request that is sent again, because its answer was lost, makes no second one.
    async fn create_endpoint_once(
        &self,
        endpoint: NewEndpoint,
        since: Timestamp,
        now: Timestamp,
    ) -> Result<Endpoint>;

    /// Makes an endpoint, unless its mode has as many of its format as there may be.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) then.
    async fn create_endpoint_within(
        &self,
        endpoint: NewEndpoint,
        most: u32,
        now: Timestamp,
    ) -> Result<Endpoint>;

    /// The endpoints of a mode whose requests are of this format, the newest first, 1000 at most.
    async fn endpoints_of(&self, mode: Mode, format: &'static str) -> Result<Vec<Endpoint>>;

    /// The newest secret of an endpoint of this mode.
    async fn signing_secret(&self, mode: Mode, id: EndpointId) -> Result<Option<Sealed>>;

    /// A page of the endpoints of a mode; `None` when it begins at one that is none, and never was.
    async fn endpoints(&self, mode: Mode, page: EndpointPage) -> Result<Option<EndpointList>>;

    /// Changes an endpoint of this mode, for what is stored or sent from now on; hinted if it may be sent to.
    ///
    /// # Errors
    /// [`Outdated`](crate::ErrorKind::Outdated) when it is not as the change expects, in the transaction of the change.
    async fn change_endpoint(
        &self,
        mode: Mode,
        id: EndpointId,
        change: EndpointChange,
    ) -> Result<Option<Endpoint>>;

    /// Deletes an endpoint of this mode, with its secrets, and gives it as it was. What it was owed is never sent, but for
    /// requests under way.
    ///
    /// # Errors
    /// [`Outdated`](crate::ErrorKind::Outdated) when it is not as expected.
    async fn delete_endpoint(
        &self,
        mode: Mode,
        id: EndpointId,
        expected: Expected,
    ) -> Result<Option<Endpoint>>;

    /// An endpoint of this mode.
    async fn endpoint(&self, mode: Mode, id: EndpointId) -> Result<Option<Endpoint>>;

    /// Gives an endpoint of this mode a new secret; the former ones sign beside it for as long as asked, but none longer than
    /// it would have. Tells of all that sign, the newest first.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) when that were more than ten.
    async fn rotate_secret(
        &self,
        mode: Mode,
        id: EndpointId,
        rotation: Rotation,
    ) -> Result<Option<Vec<SecretVersion>>>;

    /// The secrets of an endpoint of this mode, the newest first.
    async fn secrets(&self, mode: Mode, id: EndpointId) -> Result<Vec<SecretVersion>>;

    /// As [`ingest`](Self::ingest) for each event, all of them in one transaction. With a key that is remembered it tells
    /// what came of them then.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) when the key was used for other bytes; [`Invalid`](crate::ErrorKind::Invalid)
    /// when it is new, and the events are of no use any more.
    async fn publish(&self, publication: Publication) -> Result<PublishedEvents>;

    /// Stores an event that is owed to this endpoint of its mode alone, whatever that wants. `None` when there is no such
    /// endpoint, or the event is known.
    async fn ingest_for(&self, event: AnyEvent, id: EndpointId) -> Result<Option<DeliveryKey>>;

    /// Whether a webhook came in before and is remembered.
    async fn came(&self, digest: InboundDigest) -> Result<bool>;

    /// Webhooks that are remembered, at most so many, behind this one in an order that does not change; also some that ran out.
    async fn remembered(&self, after: Option<InboundDigest>, most: u32) -> Result<Vec<InboundDigest>>;

    /// Remembers webhooks that came in and were published.
    async fn remember(&self, inbound: Vec<Inbound>) -> Result<()>;

    /// A page of the deliveries of this mode, of one of its endpoints, or of the events of an id or a key.
    async fn deliveries(
        &self,
        mode: Mode,
        filter: DeliveryFilter,
    ) -> Result<LogPage<DeliveryRecord, DeliveryCursor>>;

    /// A page of the events of this mode.
    async fn event_log(&self, mode: Mode, filter: EventFilter) -> Result<LogPage<StoredEvent, u64>>;

    /// The newest events of this mode after a number, at most so many, and how many older ones that leaves out; after none,
    /// only the number of the newest.
    async fn news(&self, mode: Mode, after: Option<u64>, most: u32) -> Result<News>;

    /// The events of this mode and id, one of each source that has one, with their bytes.
    async fn event(&self, mode: Mode, id: String) -> Result<Vec<EventBody>>;

    /// Makes an endpoint owed what it wants now and was not owed when it came, each event once; hinted. `None` when there is
    /// no such endpoint, or it is disabled.
    async fn replay(&self, mode: Mode, replay: Replay) -> Result<Option<Replayed>>;

    /// What [`replay`](Self::replay) would make.
    async fn replayable(&self, mode: Mode, replay: Replay) -> Result<Option<Replayed>>;

    /// A delivery of this mode.
    async fn delivery(&self, mode: Mode, key: DeliveryKey) -> Result<Option<DeliveryRecord>>;

    /// A page of the attempts at an endpoint of this mode.
    async fn attempts(&self, mode: Mode, filter: AttemptFilter)
    -> Result<LogPage<AttemptRecord, (u64, u32)>>;

    /// What the attempt of this number was made of, which began at this time: with the secrets that signed then, as far as
    /// they are kept. `None` when its event's body or its endpoint is gone.
    async fn sent(&self, mode: Mode, key: DeliveryKey, attempt: (u32, Timestamp)) -> Result<Option<Sent>>;

    /// How an endpoint of this mode did. Looks at no more attempts than it is asked to, whatever there are.
    async fn statistics(&self, mode: Mode, period: Period) -> Result<Statistics>;

    /// The events of this mode and id, one of each source that has one, and what each is owed to an endpoint.
    async fn events(&self, mode: Mode, event: String, endpoint: EndpointId) -> Result<Vec<EventRecord>>;

    /// Makes a delivery of this mode due now, however it ended, as another attempt of it; hinted.
    async fn resend(&self, mode: Mode, key: DeliveryKey) -> Result<Resent>;

    /// Makes a delivery due that was parked; hinted.
    async fn release(&self, mode: Mode, key: DeliveryKey) -> Result<Released>;

    /// Makes deliveries that were given up due now, each with its schedule and its age from the beginning; hinted. `None`
    /// when there is no such endpoint, or it is disabled.
    async fn recover(&self, mode: Mode, recovery: Recovery) -> Result<Option<Recovered>>;

    /// What [`recover`](Self::recover) would make due.
    async fn recoverable(&self, mode: Mode, recovery: Recovery) -> Result<Option<Recovered>>;

    /// Forgets some of what ran out: secrets, which do not sign from then on, keys of publishing, webhooks that came in.
    /// Tells how many; none when nothing is left.
    async fn expire(&self, now: Timestamp) -> Result<u32>;

    /// Any secret that is stored, to see whether the vault's key opens it.
    async fn any_secret(&self) -> Result<Option<Sealed>>;

    /// Stores API keys unless there are any; tells whether it did.
    async fn first_keys(&self, keys: Vec<(KeyDigest, Mode)>, now: Timestamp) -> Result<FirstKeys>;

    /// An API key; `None` when there is none with this digest, or it ran out. Its use is noted, and stored with what
    /// [expires](Self::expire), a minute late at most.
    async fn key(&self, digest: KeyDigest) -> Result<Option<KeyRecord>>;

    /// Stores an API key.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) when its mode has as many as there may be.
    async fn create_key(&self, key: NewKey, now: Timestamp) -> Result<KeyRecord>;

    /// The API keys of this mode, the newest first.
    async fn keys(&self, mode: Mode) -> Result<Vec<KeyRecord>>;

    /// Deletes an API key of this mode.
    ///
    /// # Errors
    /// [`Conflict`](crate::ErrorKind::Conflict) when no other one of the mode would be left that does not run out.
    async fn delete_key(&self, mode: Mode, id: String) -> Result<Option<KeyRecord>>;

    /// Waits until all that was asked before is done, and lets go of the files.
    async fn close(&self);
}
