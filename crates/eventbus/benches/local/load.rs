//! What is published, to whom, and the one way every contender is measured.

use std::future::{Future, Ready};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventbus::transport::Order;
use eventbus::{AnyEvent, EventType, HandlerResult};

use crate::cpu;
use crate::tally::Tally;

/// What a group wants.
#[derive(Clone)]
pub(crate) enum Wants {
    All,
    Type(EventType),
}

impl Wants {
    pub(crate) fn matches(&self, event: &AnyEvent) -> bool {
        match self {
            Self::All => true,
            Self::Type(wanted) => event.event_type() == wanted,
        }
    }
}

/// The groups of a row.
#[derive(Clone)]
pub(crate) struct Groups {
    pub(crate) wants: Arc<[Wants]>,
    pub(crate) order: Order,
}

/// What is published, and how.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) pool: Arc<[AnyEvent]>,
    /// How often the pool is gone through.
    pub(crate) rounds: usize,
    /// How many events are published at once.
    pub(crate) batch: usize,
}

impl Load {
    pub(crate) fn count(&self) -> usize {
        self.rounds * self.pool.len()
    }

    fn expected(&self, groups: &Groups) -> Vec<u64> {
        let wanted = |wants: &Wants| self.pool.iter().filter(|event| wants.matches(event)).count();
        groups.wants.iter().map(|wants| (wanted(wants) * self.rounds) as u64).collect()
    }
}

/// What every contender runs for every event: it is done at once.
pub(crate) trait Handle: Fn(AnyEvent) -> Ready<HandlerResult> + Send + Sync + 'static {}

impl<F: Fn(AnyEvent) -> Ready<HandlerResult> + Send + Sync + 'static> Handle for F {}

/// A way to get events from a publisher to the handlers of groups.
pub(crate) trait Contender: Send + Sync + Sized + 'static {
    /// `handler` makes the handler of a group.
    fn start<H: Handle>(
        groups: &Groups,
        handler: impl Fn(usize) -> H + Send + Sync,
    ) -> impl Future<Output = Self> + Send;

    /// Publishes one event, as part of a load.
    fn send(&self, event: &AnyEvent) -> impl Future<Output = ()> + Send;

    /// Publishes everything, losing nothing; need not wait for handlers.
    fn publish(&self, load: &Load) -> impl Future<Output = ()> + Send;

    fn stop(self) -> impl Future<Output = ()> + Send;
}

/// What a run came to.
#[derive(Clone, Copy)]
pub(crate) struct Throughput {
    /// Events per second, from the first publish until the last handler has run.
    pub(crate) rate: f64,
    /// Processor time per event, in nanoseconds.
    pub(crate) cpu: f64,
}

pub(crate) async fn throughput<C: Contender>(groups: Groups, load: Load) -> Throughput {
    let tally = Tally::new(groups.wants.len());
    let contender = Arc::new(C::start(&groups, |group| tally.handler(group)).await);
    let warm_up = Load { rounds: load.rounds.div_ceil(8), ..load.clone() };
    once(&contender, tally, &groups, &warm_up).await;
    let cpu = cpu::used();
    let took = once(&contender, tally, &groups, &load).await;
    let cpu = cpu::used().saturating_sub(cpu);
    Arc::into_inner(contender).expect("the publisher has ended").stop().await;
    tally.check();
    let events = load.count() as f64;
    Throughput { rate: events / took.as_secs_f64(), cpu: cpu.as_nanos() as f64 / events }
}

/// Publishes a load from a task of its own and waits until it was handled.
pub(crate) async fn once<C: Contender>(
    contender: &Arc<C>,
    tally: &'static Tally,
    groups: &Groups,
    load: &Load,
) -> Duration {
    const LONG: Duration = Duration::from_secs(120);
    tally.expect(&load.expected(groups));
    let (publisher, published) = (Arc::clone(contender), load.clone());
    let start = Instant::now();
    let publishing = tokio::spawn(async move { publisher.publish(&published).await });
    publishing.await.expect("the publisher does not panic");
    let finished = tokio::time::timeout(LONG, tally.finished()).await;
    finished.expect("every event is handled").duration_since(start)
}
