//! What is published, and what everybody who is compared can do.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use eventbus::AnyEvent;

use crate::compare::{Ratio, median};
use crate::server::Server;
use crate::table::{Goal, Line, cost, rate};
use crate::tally::Tally;
use crate::{cpu, events};

/// The group that everybody consumes as.
pub(crate) const GROUP: &str = "group";

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
    /// The same; who has no batches of its own waits for the outcomes of so many before the next are made.
    Rounds(usize),
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

    /// The events, in batches of at most this many.
    pub(crate) fn batches(&self, size: usize) -> impl Iterator<Item = Vec<AnyEvent>> + Send + '_ {
        let mut events = self.pool.iter().cycle().take(self.count);
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

/// A way to get events through Redis. Everybody has a stream of their own, which is empty at first.
pub(crate) trait Contender: Send + Sync + Sized + 'static {
    /// The stream that events go to.
    const STREAM: &str;
    type Member: Send;

    fn connect(url: &str) -> impl Future<Output = Self> + Send;

    /// Publishes everything; each event is on the server when this is done.
    fn publish(&self, load: &Load) -> impl Future<Output = ()> + Send;

    /// Makes the group without a member.
    fn group(url: &str) -> impl Future<Output = ()> + Send;

    /// Consumes, acknowledging each event only after it was handled.
    fn join(url: &str, tally: &'static Tally) -> impl Future<Output = Self::Member> + Send;

    /// Waits until everything that was handled is acknowledged.
    fn acknowledged(url: &str) -> impl Future<Output = ()> + Send {
        Server::acknowledged(url, Self::STREAM, GROUP)
    }

    fn leave(member: Self::Member) -> impl Future<Output = ()> + Send;

    fn stop(self) -> impl Future<Output = ()> + Send;
}

/// What a run came to.
#[derive(Clone, Copy)]
pub(crate) struct Throughput {
    /// Events per second.
    pub(crate) rate: f64,
    /// This process's time per event, in nanoseconds.
    pub(crate) cpu: f64,
}

/// Measures something that is done with so many events.
pub(crate) async fn measure(count: usize, work: impl Future<Output = ()>) -> Throughput {
    const LONG: Duration = Duration::from_secs(300);
    let (used, start) = (cpu::used(), Instant::now());
    tokio::time::timeout(LONG, work).await.expect("nothing is lost");
    let (took, used) = (start.elapsed(), cpu::used().saturating_sub(used));
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

/// Checks that everything was published, and nothing twice.
pub(crate) async fn check<C: Contender>(url: &str, count: usize) {
    assert_eq!(Server::published(url, C::STREAM).await, count, "{}", C::STREAM);
}

/// Prints a row of two sides.
pub(crate) fn line(row: &str, ours: &[Throughput], (name, theirs): (&str, &[Throughput]), goal: Goal) {
    let rates = |runs: &[Throughput]| runs.iter().map(|run| run.rate).collect::<Vec<_>>();
    let costs = |runs: &[Throughput]| runs.iter().map(|run| run.cpu).collect::<Vec<_>>();
    let text = |runs: &[Throughput]| format!("{} {}", rate(median(&rates(runs))), cost(median(&costs(runs))));
    let ratio = Ratio::of(&rates(ours), &rates(theirs));
    let cpu = Some(Ratio::of(&costs(theirs), &costs(ours)).median);
    Line { row, ours: text(ours), theirs: format!("{name} {}", text(theirs)), ratio, cpu, goal }.print();
}
