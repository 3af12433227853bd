//! Claiming what is due: one task that asks the store for those whose turn it is, and starts their attempts.

use std::sync::Arc;
use std::time::Duration;

use eventbus::{EventBus, Timestamp};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use super::agenda::{Agenda, RequestKey, Slots};
use super::attempt::Sender;
use crate::error::{ErrorKind, Result};
use crate::model::{Attempt, Claimed, DeliveryId, Finished, Leased, Next, Notice, Trouble};
use crate::store::Store;
use crate::trace;

/// The most requests that begin at once, whoever's they are: 512, of which half are for endpoints that answer soon. As
/// many again may be under way that began as quicker ones than they are.
const SLOTS: Slots = Slots { quick: 256, slow: 128, stuck: 128, all: 1024 };
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
    agenda: Agenda,
    running: JoinSet<()>,
    /// Told by each attempt when it ends, however it ends.
    ended: (mpsc::UnboundedSender<RequestKey>, mpsc::UnboundedReceiver<RequestKey>),
}

impl Dispatcher {
    /// A dispatcher over this store.
    pub fn new(store: Arc<dyn Store>, sender: Sender) -> Self {
        let agenda = Agenda::new(SLOTS);
        Self { store, sender, bus: None, agenda, running: JoinSet::new(), ended: mpsc::unbounded_channel() }
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
            Some(request) = self.ended.1.recv() => self.agenda.finished(request, Timestamp::now()),
            () = sleep_until(due.map_or(sweep, |due| due.min(sweep))) => {}
        }
        let now = Timestamp::now();
        while let Ok(request) = self.ended.1.try_recv() {
            self.agenda.finished(request, now);
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
        self.sender.metrics().expired(claimed.expired);
        let requests = self.agenda.claimed(&claimed, now);
        for (mut leased, request) in claimed.deliveries.into_iter().zip(requests) {
            // Each attempt is a span of its own.
            leased.trace = leased.trace.map(|publisher| publisher.child());
            let span = span(&leased);
            let ended = Ended { request, tell: self.ended.0.clone() };
            let (store, sender, bus) = (Arc::clone(&self.store), self.sender.clone(), self.bus.clone());
            let sent = async move {
                let _ended = ended;
                if let Some(notice) = deliver(&*store, &sender, &leased).await {
                    tell(bus, &notice).await;
                }
            };
            self.running.spawn(sent.instrument(span));
        }
    }

    async fn sweep(&self) {
        match self.store.reclaim(Timestamp::now()).await {
            Ok(0) => {}
            Ok(count) => {
                self.sender.metrics().leases_lost.inc_by(count.into());
                tracing::warn!(count, "leases ran out; these deliveries are due again");
            }
            Err(error) => tracing::error!(%error, "leases that ran out could not be looked for"),
        }
    }
}

/// Gives a request's slot back when it ends, also by a panic.
struct Ended {
    request: RequestKey,
    tell: mpsc::UnboundedSender<RequestKey>,
}

impl Drop for Ended {
    fn drop(&mut self) {
        // Nobody listens any more when the dispatcher has stopped.
        let _ = self.tell.send(self.request);
    }
}

/// What all that is logged of an attempt has in common.
fn span(leased: &Leased) -> Span {
    let (trace_id, span_id) = trace::ids(leased.trace.as_ref());
    tracing::info_span!(
        "attempt",
        endpoint = leased.target.endpoint.as_str(),
        delivery = %DeliveryId(leased.key),
        event = leased.payload.event_id,
        attempt = leased.attempt,
        trace_id,
        span_id,
    )
}

async fn deliver(store: &dyn Store, sender: &Sender, leased: &Leased) -> Option<Notice> {
    let attempt = sender.attempt(leased).await;
    let (next, metrics) = (attempt.next, sender.metrics());
    metrics.attempted(&attempt);
    log(&attempt);
    let finished = store.finish(attempt).await;
    if matches!(finished, Ok(Finished::Stored | Finished::Opened | Finished::Told(_))) {
        metrics.followed(next, leased);
    }
    match finished {
        Ok(Finished::Stored) => None,
        Ok(Finished::Opened) => {
            metrics.breakers_opened.inc();
            tracing::warn!("the endpoint fails, and is left alone for a while");
            None
        }
        Ok(Finished::Told(notice)) => {
            metrics.told(&notice);
            Some(*notice)
        }
        Ok(Finished::Lost) => {
            tracing::warn!("the lease had run out");
            None
        }
        // Its lease runs out, and it is sent again.
        Err(error) if error.kind() == ErrorKind::Closed => None,
        Err(error) => {
            tracing::error!(%error, "an attempt could not be stored");
            None
        }
    }
}

/// Says once what became of an attempt, the louder the more there is to do for whoever runs the bridge.
fn log(attempt: &Attempt) {
    let (status, trouble) = (attempt.outcome.status(), attempt.outcome.trouble().map(Trouble::as_str));
    let (ms, note) =
        (u64::try_from(attempt.duration.as_millis()).unwrap_or(u64::MAX), attempt.answer.note.as_deref());
    match attempt.next {
        Next::Succeeded => tracing::debug!(status, ms, "delivered"),
        _ if attempt.outcome.is_fault() => {
            let parked = attempt.next == Next::Parked;
            tracing::error!(note, parked, "a delivery cannot be made by a fault of the bridge");
        }
        Next::Retry(at) => tracing::info!(status, trouble, ms, note, retry_at = %at, "an attempt failed"),
        Next::Failed(ending) => {
            tracing::warn!(status, trouble, ms, note, ending = ending.as_str(), "a delivery was given up");
        }
        Next::Parked => {}
    }
}

async fn tell(bus: Option<EventBus>, notice: &Notice) {
    let (endpoint, concern) = (notice.endpoint.as_str(), notice.concern);
    tracing::warn!(endpoint, ?concern, "an endpoint fails");
    let (Some(bus), Ok(event)) = (bus, notice.event()) else { return };
    if let Err(error) = bus.publish(event).await {
        tracing::warn!(%error, endpoint, "the bus was not told");
    }
}
