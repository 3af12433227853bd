//! What is published, and what everybody who is compared can do.

use std::future::{Future, Ready};
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventbus::{AnyEvent, HandlerResult};

use crate::compare::{Ratio, median};
use crate::server::Host;
use crate::table::{Goal, Line, cost};
use crate::{cpu, events};

/// The group that everybody consumes as.
pub(crate) const GROUP: &str = "group";
/// How many messages a member is given at most before it acknowledges some.
pub(crate) const PREFETCH: u16 = 1_000;

/// What is published, and how.
#[derive(Clone)]
pub(crate) struct Load {
    pub(crate) pool: Arc<[AnyEvent]>,
    pub(crate) count: usize,
    pub(crate) how: How,
}

/// How events are published.
#[derive(Clone, Copy)]
pub(crate) enum How {
    /// By one caller, so many at a time.
    Batches(usize),
    /// By so many callers, each awaiting each of its events.
    Callers(usize),
}

impl Load {
    pub(crate) fn new(count: usize, how: How) -> Self {
        Self { pool: events::renewed(), count, how }
    }

    /// A part of it, before the clock runs.
    pub(crate) fn warm_up(&self) -> Self {
        Self { count: self.count.div_ceil(8), ..self.clone() }
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = &AnyEvent> + Send {
        self.pool.iter().cycle().take(self.count)
    }

    /// The events, in batches of at most this many.
    pub(crate) fn batches(&self, size: usize) -> impl Iterator<Item = Vec<AnyEvent>> + Send + '_ {
        let mut events = self.events();
        std::iter::from_fn(move || {
            let batch: Vec<AnyEvent> = events.by_ref().take(size).cloned().collect();
            (!batch.is_empty()).then_some(batch)
        })
    }

    /// What each of some callers publishes.
    pub(crate) fn share(
        &self,
        callers: usize,
    ) -> impl Fn(usize) -> (Arc<[AnyEvent]>, std::ops::Range<usize>) {
        let (pool, count) = (Arc::clone(&self.pool), self.count);
        move |caller| (Arc::clone(&pool), count * caller / callers..count * (caller + 1) / callers)
    }
}

/// A way to get events through RabbitMQ: an exchange and a quorum queue bound to it.
pub(crate) trait Contender: Send + Sync + Sized + 'static {
    /// The group's queue.
    const QUEUE: &str;
    /// Whether it knows that what it has published is on the server.
    const CONFIRMS: bool = true;
    type Member: Send;

    fn connect(url: &str) -> impl Future<Output = Self> + Send;

    /// Publishes everything; each event is confirmed when this is done.
    fn publish(&self, load: &Load) -> impl Future<Output = ()> + Send;

    /// Publishes one event, independently of others.
    fn send(&self, event: &AnyEvent) -> impl Future<Output = ()> + Send + 'static;

    /// Makes the group without a member.
    fn group(url: &str) -> impl Future<Output = ()> + Send;

    /// Consumes, acknowledging each event only after it was handled.
    fn join(url: &str, handler: impl Handler) -> impl Future<Output = Self::Member> + Send;

    fn leave(member: Self::Member) -> impl Future<Output = ()> + Send;

    fn stop(self) -> impl Future<Output = ()> + Send;

    /// The processor time that it has used.
    fn used() -> Duration {
        cpu::used()
    }
}

/// What is done with an event.
pub(crate) trait Handler: Fn(AnyEvent) -> Ready<HandlerResult> + Send + Sync + 'static {}

impl<H: Fn(AnyEvent) -> Ready<HandlerResult> + Send + Sync + 'static> Handler for H {}

/// What a run came to.
#[derive(Clone, Copy)]
pub(crate) struct Throughput {
    /// Events per second.
    pub(crate) rate: f64,
    /// The client's time per event, in nanoseconds.
    pub(crate) cpu: f64,
}

/// Measures something that is done with so many events.
pub(crate) async fn measure<C: Contender>(count: usize, work: impl Future<Output = ()>) -> Throughput {
    const LONG: Duration = Duration::from_secs(300);
    let (used, start) = (C::used(), Instant::now());
    tokio::time::timeout(LONG, work).await.expect("nothing is lost");
    let (took, used) = (start.elapsed(), C::used().saturating_sub(used));
    Throughput { rate: count as f64 / took.as_secs_f64(), cpu: used.as_nanos() as f64 / count as f64 }
}

/// Publishes in a task of its own.
pub(crate) async fn publish<C: Contender>(contender: &Arc<C>, load: &Load) {
    let (publisher, load) = (Arc::clone(contender), load.clone());
    let published = tokio::spawn(async move { publisher.publish(&load).await });
    published.await.expect("the publisher does not panic");
}

pub(crate) async fn stop<C: Contender>(contender: Arc<C>) {
    Arc::into_inner(contender).expect("the publisher has ended").stop().await;
}

/// Checks that everything was published, and nothing twice. Whoever waits for no confirm may be early.
pub(crate) async fn check<C: Contender>(host: &Host, count: usize) {
    let end = Instant::now() + if C::CONFIRMS { Duration::ZERO } else { Duration::from_secs(60) };
    while host.messages(C::QUEUE).await < count && Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(host.messages(C::QUEUE).await, count, "{}", C::QUEUE);
}

/// Prints a row of two sides.
pub(crate) fn line(row: &str, ours: &[Throughput], (name, theirs): (&str, &[Throughput]), goal: Goal) {
    let rates = |runs: &[Throughput]| runs.iter().map(|run| run.rate).collect::<Vec<_>>();
    let costs = |runs: &[Throughput]| runs.iter().map(|run| run.cpu).collect::<Vec<_>>();
    let text =
        |runs: &[Throughput]| format!("{:.1} k/s {}", median(&rates(runs)) / 1e3, cost(median(&costs(runs))));
    let ratio = Ratio::of(&rates(ours), &rates(theirs));
    let cpu = Some(Ratio::of(&costs(theirs), &costs(ours)).median);
    Line { row, ours: text(ours), theirs: format!("{name} {}", text(theirs)), ratio, cpu, goal }.print();
}
