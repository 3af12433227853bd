//! Claiming what is due: one task that asks the store for those whose turn it is, and starts their attempts.
//!
//! What is due when it is stored needs none of this where there is room: it is stored leased, and handed to the desk.

use std::sync::{Arc, Weak};
use std::time::Duration;

use eventbus::{EventBus, Timestamp};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::attempt::Sender;
use super::desk::Desk;
use crate::error::{ErrorKind, Result};
use crate::model::Reclaimed;
use crate::store::{Front, Store};

/// How long to wait when the store cannot be asked, and how often to look for leases that ran out.
const PAUSE: Duration = Duration::from_secs(1);
const SWEEP: Duration = Duration::from_secs(15);

/// Sends what is due until it is stopped.
#[derive(Debug)]
pub struct Dispatcher {
    store: Arc<dyn Store>,
    sender: Sender,
    /// Where events about endpoints are published, beside being stored.
    bus: Option<EventBus>,
}

impl Dispatcher {
    /// A dispatcher over this store.
    pub fn new(store: Arc<dyn Store>, sender: Sender) -> Self {
        Self { store, sender, bus: None }
    }

    /// Publishes events about endpoints on this bus too. Those that were stored and not published, because the bridge
    /// or the bus ended in between, reach the endpoints that want them all the same.
    #[must_use]
    pub fn bus(self, bus: EventBus) -> Self {
        Self { bus: Some(bus), ..self }
    }

    /// Sends what is due until it is stopped; then waits for the requests under way, which have their deadlines.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed) when the store ends before it could say what is pending.
    pub async fn run(self, stop: CancellationToken) -> Result<()> {
        let desk = Desk::new(self.store, self.sender, self.bus);
        while let Err(error) = look(&desk).await
            && !stop.is_cancelled()
        {
            if error.kind() == ErrorKind::Closed {
                return Err(error);
            }
            tracing::error!(%error, "what is pending could not be read");
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(PAUSE) => {}
            }
        }
        let front: Weak<Desk> = Arc::downgrade(&desk);
        desk.store.attach(front as Weak<dyn Front>);
        let mut sweep = Instant::now() + SWEEP;
        while !stop.is_cancelled() {
            claim(&desk).await;
            wait(&desk, sweep, &stop).await;
            if Instant::now() >= sweep {
                sweep_up(&desk).await;
                sweep = Instant::now() + SWEEP;
            }
        }
        desk.close().await;
        Ok(())
    }
}

/// Learns which endpoints are owed something, and when.
async fn look(desk: &Desk) -> Result<()> {
    let pending = desk.store.agenda().await?;
    let (now, mut agenda) = (Timestamp::now(), desk.agenda());
    pending.into_iter().for_each(|(endpoint, due)| agenda.due(endpoint, due, now));
    Ok(())
}

/// Waits until something became due, there is room for something that is, or it is time for something.
async fn wait(desk: &Desk, sweep: Instant, stop: &CancellationToken) {
    let now = Timestamp::now();
    let due = desk.agenda().next(now).map(|at| Instant::now() + at.since(now));
    tokio::select! {
        () = stop.cancelled() => {}
        () = desk.store.hints().wait() => {}
        () = desk.bell.notified() => {}
        () = sleep_until(due.map_or(sweep, |due| due.min(sweep))) => {}
    }
    let now = Timestamp::now();
    for (endpoint, at) in desk.store.hints().take() {
        desk.agenda().due(endpoint, at, now);
    }
}

/// Asks the store about whoever's turn it is, and starts what it gives.
async fn claim(desk: &Arc<Desk>) {
    let now = Timestamp::now();
    let wanted = desk.agenda().wanted(now);
    if wanted.is_empty() {
        return;
    }
    match desk.store.claim(wanted.clone(), now).await {
        Ok(claimed) => claimed.into_iter().for_each(|claimed| desk.start(claimed, now)),
        Err(error) => {
            tracing::error!(%error, "deliveries could not be claimed");
            desk.agenda().unanswered(&wanted, now.plus(PAUSE), now);
        }
    }
}

/// What was lost: leases whose requests are no more, and word of what is due.
pub(super) async fn sweep_up(desk: &Desk) {
    let (now, under_way) = (Timestamp::now(), desk.under_way().keys().copied().collect());
    match desk.store.reclaim(now, under_way).await {
        Ok(Reclaimed { due: 0, parked: 0 }) => {}
        Ok(reclaimed) => {
            desk.metrics().reclaimed(reclaimed);
            let Reclaimed { due, parked } = reclaimed;
            tracing::warn!(
                due,
                parked,
                "leases ran out; these deliveries are due again, or parked: release them"
            );
        }
        Err(error) => tracing::error!(%error, "leases that ran out could not be looked for"),
    }
    if let Err(error) = look(desk).await {
        tracing::error!(%error, "what is pending could not be read");
    }
}
