//! Who has room, and what is under way: shared by the task that claims, the store's writer and each request.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use eventbus::{EventBus, Timestamp};
use foldhash::fast::RandomState;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tracing::{Instrument as _, Span};

use super::agenda::{Agenda, RequestKey, Slots};
use super::attempt::Sender;
use crate::error::{ErrorKind, Result};
use crate::metrics::Metrics;
use crate::model::{
    Attempt, Claimed, DeliveryId, DeliveryKey, EndpointKey, Finished, Leased, Next, Notice, Trouble,
};
use crate::store::{Front, Store, Ticket};
use crate::trace;

/// The most requests that begin at once, whoever's they are: 1024, most of them for endpoints that answer soon, so that what these
/// answer meanwhile is committed together. As many again may be under way that began as quicker ones than they are.
const SLOTS: Slots = Slots { quick: 768, slow: 128, stuck: 128, all: 2048 };
/// For how long what became of an attempt is kept for a store in trouble, and how often it is asked: a lease lives longer.
const KEPT: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(500);
/// How long the bus has to take an event about an endpoint.
const TELL: Duration = Duration::from_secs(5);

type UnderWay = HashMap<DeliveryKey, RequestKey, RandomState>;

/// What a dispatcher's parts share.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) store: Arc<dyn Store>,
    sender: Sender,
    /// Where events about endpoints are published, beside being stored.
    bus: Option<EventBus>,
    agenda: Mutex<Agenda>,
    /// What requests are under way for: a lease of one of these is not lost, whatever the clock says.
    under_way: Mutex<UnderWay>,
    /// Rung when there may be something to claim, or nothing is under way any more after the end.
    pub(super) bell: Notify,
    runtime: Handle,
    me: Weak<Self>,
}

impl Desk {
    /// A desk whose requests run on the present runtime.
    pub(super) fn new(store: Arc<dyn Store>, sender: Sender, bus: Option<EventBus>) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            store,
            sender,
            bus,
            agenda: Mutex::new(Agenda::new(SLOTS)),
            under_way: Mutex::default(),
            bell: Notify::new(),
            runtime: Handle::current(),
            me: me.clone(),
        })
    }

    pub(super) fn agenda(&self) -> MutexGuard<'_, Agenda> {
        self.agenda.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts what was claimed.
    pub(super) fn start(self: &Arc<Self>, claimed: Claimed, now: Timestamp) {
        self.metrics().expired(claimed.expired);
        let requests = self.agenda().claimed(&claimed, now);
        for (leased, request) in claimed.deliveries.into_iter().zip(requests) {
            Box::new(Room { desk: Arc::clone(self), request, delivery: None }).send(leased);
        }
    }

    /// Waits for the requests under way, which have their deadlines; none begins any more.
    pub(super) async fn close(&self) {
        self.agenda().close();
        while !self.agenda().is_over() {
            self.bell.notified().await;
        }
    }

    fn finished(&self, request: RequestKey) {
        let now = Timestamp::now();
        let mut agenda = self.agenda();
        let before = agenda.next(now);
        agenda.finished(request, now);
        let next = agenda.next(now);
        let news = next.is_some_and(|at| at <= now || next != before);
        if news || agenda.is_over() {
            drop(agenda);
            self.bell.notify_one();
        }
    }

    pub(super) fn metrics(&self) -> &Metrics {
        self.sender.metrics()
    }

    /// Makes an attempt and stores it; gives the delivery that follows it in its slot.
    async fn deliver(&self, leased: &Leased) -> Option<Leased> {
        let attempt = self.sender.attempt(leased).await;
        let (next, metrics) = (attempt.next, self.metrics());
        metrics.attempted(&attempt);
        log(&attempt);
        let (finished, follows) = match self.finish(attempt).await {
            Ok((finished, follows)) => (Ok(finished), follows),
            Err(error) => (Err(error), None),
        };
        if matches!(finished, Ok(Finished::Stored | Finished::Opened | Finished::Told(_))) {
            metrics.followed(next, leased);
        }
        match finished {
            Ok(Finished::Stored) => {}
            Ok(Finished::Opened) => {
                metrics.breakers_opened.inc();
                tracing::warn!("the endpoint fails, and is left alone for a while");
            }
            Ok(Finished::Told(notice)) => {
                metrics.told(&notice);
                self.tell(&notice).await;
            }
            Ok(Finished::Lost) => tracing::warn!("the lease had run out"),
            // Its lease runs out, and it is sent again.
            Err(error) if error.kind() == ErrorKind::Closed => {}
            Err(error) => tracing::error!(%error, "an attempt could not be stored"),
        }
        follows
    }

    /// Stores what became of an attempt; while the store is in trouble, again and again, for what was delivered and not
    /// stored is delivered twice.
    async fn finish(&self, attempt: Attempt) -> Result<(Finished, Option<Leased>)> {
        let until = Instant::now() + KEPT;
        loop {
            match self.store.finish(attempt.clone()).await {
                Err(error) if error.kind() != ErrorKind::Closed && Instant::now() < until => {
                    sleep(AGAIN).await;
                }
                finished => return finished,
            }
        }
    }

    async fn tell(&self, notice: &Notice) {
        let (endpoint, concern) = (notice.endpoint.as_str(), notice.concern);
        tracing::warn!(endpoint, ?concern, "an endpoint fails");
        let (Some(bus), Ok(event)) = (&self.bus, notice.event()) else { return };
        // The store has it already; a bus that hangs must not hold a slot.
        match timeout(TELL, bus.publish(event)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, endpoint, "the bus was not told"),
            Err(_) => tracing::warn!(endpoint, "the bus was not told: it did not answer"),
        }
    }
}

impl Front for Desk {
    fn admit(&self, endpoint: EndpointKey, most: u32) -> Option<Box<dyn Ticket>> {
        let desk = self.me.upgrade()?;
        let request = self.agenda().admit(endpoint, most, Timestamp::now())?;
        Some(Box::new(Room { desk, request, delivery: None }))
    }

    fn relay(&self, ended: DeliveryKey, most: u32) -> bool {
        let request = self.under_way().get(&ended).copied();
        request.is_some_and(|request| self.agenda().may_relay(request, most))
    }
}

/// A request's slot; given back when the request ends, also by a panic.
struct Room {
    desk: Arc<Desk>,
    request: RequestKey,
    /// What the request is for, once there is one.
    delivery: Option<DeliveryKey>,
}

impl Room {
    /// Notes what the request is for.
    fn take(&mut self, delivery: DeliveryKey) {
        let mut under_way = self.desk.under_way();
        under_way.insert(delivery, self.request);
        if let Some(before) = self.delivery.replace(delivery) {
            under_way.remove(&before);
        }
    }
}

impl Ticket for Room {
    fn send(mut self: Box<Self>, leased: Leased) {
        let desk = Arc::clone(&self.desk);
        self.take(leased.key);
        desk.runtime.spawn(async move {
            let mut next = Some(leased);
            while let Some(mut leased) = next {
                // Each attempt is a span of its own.
                leased.trace = leased.trace.map(|publisher| publisher.child());
                let span = span(&leased);
                next = self.desk.deliver(&leased).instrument(span).await;
                if let Some(next) = &next {
                    self.request = self.desk.agenda().relay(self.request, Timestamp::now());
                    self.take(next.key);
                }
            }
        });
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if let Some(delivery) = self.delivery {
            self.desk.under_way().remove(&delivery);
        }
        self.desk.finished(self.request);
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
