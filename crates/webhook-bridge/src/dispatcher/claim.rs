//! Claiming what is due: one task that asks the store for those whose turn it is, and starts their attempts.

use std::sync::Arc;
use std::time::Duration;

use eventbus::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::agenda::Agenda;
use super::attempt::Sender;
use crate::error::{ErrorKind, Result};
use crate::model::{Claimed, EndpointKey, Finished, Leased};
use crate::store::Store;

/// The most requests at once, whoever's they are.
const REQUESTS: u32 = 512;
/// How long to wait when the store cannot be asked, and how often to look for leases that ran out.
const PAUSE: Duration = Duration::from_secs(1);
const SWEEP: Duration = Duration::from_secs(15);

/// Sends what is due until it is stopped.
#[derive(Debug)]
pub struct Dispatcher {
    store: Arc<dyn Store>,
    sender: Sender,
    agenda: Agenda,
    running: JoinSet<()>,
    /// Told by each attempt when it ends, however it ends.
    ended: (mpsc::UnboundedSender<EndpointKey>, mpsc::UnboundedReceiver<EndpointKey>),
}

impl Dispatcher {
    /// A dispatcher over this store.
    pub fn new(store: Arc<dyn Store>, sender: Sender) -> Self {
        let agenda = Agenda::new(REQUESTS);
        Self { store, sender, agenda, running: JoinSet::new(), ended: mpsc::unbounded_channel() }
    }

    /// Sends what is due until it is stopped; then waits for the requests under way, which have their deadlines.
    ///
    /// # Errors
    /// As the store's, when it cannot say at the start what is pending.
    pub async fn run(mut self, stop: CancellationToken) -> Result<()> {
        let now = Timestamp::now();
        for (endpoint, due) in self.store.agenda().await? {
            self.agenda.due(endpoint, due, now);
        }
        let mut sweep = Instant::now() + SWEEP;
        while !stop.is_cancelled() {
            self.claim().await;
            self.wait(sweep, &stop).await;
            if Instant::now() >= sweep {
                self.sweep().await;
                sweep = Instant::now() + SWEEP;
            }
        }
        while self.running.join_next().await.is_some() {}
        Ok(())
    }

    /// Waits until something became due, a request ended, or it is time for something.
    async fn wait(&mut self, sweep: Instant, stop: &CancellationToken) {
        let now = Timestamp::now();
        let due = self.agenda.next(now).map(|at| Instant::now() + at.since(now));
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.store.hints().wait() => {}
            Some(endpoint) = self.ended.1.recv() => self.agenda.finished(endpoint, now),
            () = sleep_until(due.map_or(sweep, |due| due.min(sweep))) => {}
        }
        let now = Timestamp::now();
        while let Ok(endpoint) = self.ended.1.try_recv() {
            self.agenda.finished(endpoint, now);
        }
        while self.running.try_join_next().is_some() {}
        for (endpoint, at) in self.store.hints().take() {
            self.agenda.due(endpoint, at, now);
        }
    }

    /// Asks the store about whoever's turn it is, and starts what it gives.
    async fn claim(&mut self) {
        let now = Timestamp::now();
        let wanted = self.agenda.wanted(now);
        if wanted.is_empty() {
            return;
        }
        match self.store.claim(wanted.clone(), now).await {
            Ok(claimed) => claimed.into_iter().for_each(|claimed| self.start(claimed, now)),
            Err(error) => {
                tracing::error!(%error, "deliveries could not be claimed");
                self.agenda.unanswered(&wanted, now.plus(PAUSE), now);
            }
        }
    }

    fn start(&mut self, claimed: Claimed, now: Timestamp) {
        self.agenda.claimed(&claimed, now);
        for leased in claimed.deliveries {
            let ended = Ended { endpoint: leased.key.endpoint, tell: self.ended.0.clone() };
            self.running.spawn(deliver(Arc::clone(&self.store), self.sender.clone(), leased, ended));
        }
    }

    async fn sweep(&self) {
        match self.store.reclaim(Timestamp::now()).await {
            Ok(0) => {}
            Ok(count) => tracing::warn!(count, "leases ran out; these deliveries are due again"),
            Err(error) => tracing::error!(%error, "leases that ran out could not be looked for"),
        }
    }
}

/// Gives an endpoint's place back when an attempt ends, also by a panic.
struct Ended {
    endpoint: EndpointKey,
    tell: mpsc::UnboundedSender<EndpointKey>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        // Nobody listens any more when the dispatcher has stopped.
        let _ = self.tell.send(self.endpoint);
    }
}

async fn deliver(store: Arc<dyn Store>, sender: Sender, leased: Leased, _ended: Ended) {
    let attempt = sender.attempt(&leased).await;
    let (endpoint, sequence, number) = (leased.key.endpoint.0, leased.key.sequence, leased.attempt);
    tracing::debug!(endpoint, sequence, number, outcome = ?attempt.outcome, "attempted");
    match store.finish(attempt).await {
        Ok(Finished::Stored) => {}
        Ok(Finished::Lost) => tracing::warn!(endpoint, sequence, number, "the lease had run out"),
        // Its lease runs out, and it is sent again.
        Err(error) if error.kind() == ErrorKind::Closed => {}
        Err(error) => tracing::error!(endpoint, sequence, number, %error, "an attempt could not be stored"),
    }
}
