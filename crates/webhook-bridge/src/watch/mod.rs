//! Whether the bridge does its work: the store answers, every part runs, the bus is well, and what is due is sent.
//!
//! Deliveries that nobody sends show a dispatcher that stopped without a word, so the store is asked, and not the
//! dispatcher. One endpoint that hangs or is down shows nothing: its deliveries wait for itself.

mod idle;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eventbus::{EventBus, Health, SubscriptionState, Timestamp};
use serde::Serialize;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::idle::Idle;
use crate::error::{ErrorKind, Result};
use crate::metrics::Metrics;
use crate::model::Due;
use crate::store::Store;

/// How often it looks, and how many looks there are at least until something is said to be late.
const EVERY: Duration = Duration::from_secs(5);
const LOOKS: u32 = 12;
/// How many times as long as a look took it leaves the store alone.
const REST: u32 = 20;
/// How long the store may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// How the bridge is doing; cheap to ask, because it is looked at beside.
#[derive(Debug)]
pub struct Watch {
    store: Arc<dyn Store>,
    bus: EventBus,
    /// What runs as long as the bridge does.
    parts: Vec<(&'static str, AbortHandle)>,
    /// How long a delivery may be due without being sent.
    bound: Duration,
    seen: Mutex<Seen>,
}

/// What keeps the bridge from its work: for whoever may know that it runs, so it names no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// `store`, `bus`, `deliveries`, or the part that ended.
    pub part: &'static str,
    /// In words.
    pub detail: Cow<'static, str>,
}

#[derive(Debug)]
struct Seen {
    looked: Instant,
    /// What is wrong with the store.
    store: Option<Cow<'static, str>>,
    idle: Idle,
    /// Since when something is due, whatever it waits for.
    oldest: Option<Timestamp>,
    /// Whether the log says already that something is wrong.
    told: bool,
}

impl Watch {
    /// Watches these, once it [runs](Self::run).
    pub fn new(
        store: Arc<dyn Store>,
        bus: EventBus,
        parts: Vec<(&'static str, AbortHandle)>,
        bound: Duration,
    ) -> Self {
        let seen =
            Seen { looked: Instant::now(), store: None, idle: Idle::default(), oldest: None, told: false };
        Self { store, bus, parts, bound, seen: Mutex::new(seen) }
    }

    /// Looks every now and then, until it is stopped.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed) when the store has ended, which no waiting mends.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) -> Result<()> {
        loop {
            let began = Instant::now();
            self.look().await?;
            let faults = self.faults();
            // A bridge that stops closes its bus, which is no fault.
            if stop.is_cancelled() {
                return Ok(());
            }
            self.tell(&faults);
            let wait = (began.elapsed() * REST).max(EVERY.min(self.bound / LOOKS));
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep(wait) => {}
            }
        }
    }

    /// What keeps the bridge from its work at present: nothing, if it is ready.
    pub fn faults(&self) -> Vec<Fault> {
        let ended = self.parts.iter().filter(|(_, part)| part.is_finished());
        let ended = ended.map(|&(part, _)| Fault { part, detail: "it ended".into() });
        let seen = self.seen();
        let blind = seen.looked.elapsed() > self.bound + ANSWER;
        let blind = blind.then(|| Fault { part: "watch", detail: "nobody looks any more".into() });
        let store = seen.store.clone().map(|detail| Fault { part: "store", detail });
        let late =
            seen.idle.late(self.bound, Instant::now()).map(|detail| Fault { part: "deliveries", detail });
        let bus = trouble(&self.bus.health()).map(|detail| Fault { part: "bus", detail: detail.into() });
        ended.chain(blind).chain(store).chain(late).chain(bus).collect()
    }

    /// Sets what these metrics say of how the bridge is doing.
    pub(crate) fn report(&self, metrics: &Metrics) {
        metrics.ready.set(self.faults().is_empty().into());
        metrics.bus(&self.bus.health());
        let seen = self.seen();
        metrics.oldest_unsent_age.set(seen.idle.longest(Instant::now()).as_secs_f64());
        let due = seen.oldest.map_or(Duration::ZERO, |since| Timestamp::now().since(since));
        metrics.oldest_due_age.set(due.as_secs_f64());
    }

    async fn look(&self) -> Result<()> {
        let answer = timeout(ANSWER, ask(&*self.store, Timestamp::now())).await;
        let mut seen = self.seen();
        seen.looked = Instant::now();
        seen.store = match answer {
            Ok(Ok(due)) => {
                seen.idle.observe(&due, Instant::now());
                seen.oldest = due.iter().map(|due| due.since).min();
                None
            }
            Ok(Err(error)) => {
                seen.store = Some(error.to_string().into());
                return if error.kind() == ErrorKind::Closed { Err(error) } else { Ok(()) };
            }
            Err(_) => Some("it does not answer".into()),
        };
        Ok(())
    }

    /// Says once when something is wrong, and when it no longer is.
    fn tell(&self, faults: &[Fault]) {
        let told = std::mem::replace(&mut self.seen().told, !faults.is_empty());
        if !faults.is_empty() && !told {
            tracing::warn!(?faults, bus = ?self.bus.health().troubles, "the bridge is not ready");
        } else if faults.is_empty() && told {
            tracing::info!("the bridge is ready again");
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn ask(store: &dyn Store, now: Timestamp) -> Result<Vec<Due>> {
    store.probe().await?;
    store.due(now).await
}

/// What is wrong with a bus. The transport's own words name servers, so they are for the log.
fn trouble(health: &Health) -> Option<&'static str> {
    if !health.open {
        return Some("it is closed");
    }
    let state = health.subscriptions.iter().find(|subscription| !subscription.is_healthy());
    match state.map(|subscription| &subscription.state) {
        Some(SubscriptionState::Stopped) => Some("the subscription ended"),
        Some(SubscriptionState::Stalled) => Some("the subscription does not turn"),
        Some(_) => Some("the subscription is interrupted; the log says why"),
        None => (!health.is_healthy()).then_some("its transport is in trouble; the log says why"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SqliteStore;

    async fn watch(parts: Vec<(&'static str, AbortHandle)>) -> (tempfile::TempDir, Watch) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("s.sqlite"), Timestamp::now()).unwrap();
        let bus = EventBus::connect("local:").await.unwrap();
        (folder, Watch::new(Arc::new(store), bus, parts, EVERY))
    }

    fn parts(watch: &Watch) -> Vec<&'static str> {
        watch.faults().iter().map(|fault| fault.part).collect()
    }

    #[tokio::test]
    async fn whatever_ends_is_named() {
        let ends = tokio::spawn(async {});
        let runs = tokio::spawn(std::future::pending::<()>());
        let (_folder, watch) =
            watch(vec![("upkeep", ends.abort_handle()), ("dispatcher", runs.abort_handle())]).await;
        ends.await.unwrap();
        watch.look().await.unwrap();
        assert_eq!(parts(&watch), ["upkeep"]);
        runs.abort();
        assert!(runs.await.is_err());
        assert_eq!(parts(&watch), ["upkeep", "dispatcher"]);
        watch.bus.shutdown(Duration::ZERO).await;
        assert_eq!(parts(&watch), ["upkeep", "dispatcher", "bus"]);
        watch.store.close().await;
        assert_eq!(watch.look().await.unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(parts(&watch), ["upkeep", "dispatcher", "store", "bus"]);
    }

    #[tokio::test]
    async fn what_is_closed_by_a_stop_is_no_fault() {
        let (_folder, watch) = watch(Vec::new()).await;
        let (watch, stop) = (Arc::new(watch), CancellationToken::new());
        stop.cancel();
        watch.bus.shutdown(Duration::ZERO).await;
        Arc::clone(&watch).run(stop).await.unwrap();
        assert!(!watch.seen().told);
    }

    #[tokio::test]
    async fn what_nobody_looks_at_is_not_called_ready() {
        let (_folder, watch) = watch(Vec::new()).await;
        assert_eq!(parts(&watch), [""; 0]);
        watch.seen().looked = Instant::now() - (EVERY + ANSWER + EVERY);
        assert_eq!(parts(&watch), ["watch"]);
    }
}
