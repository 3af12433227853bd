//! Latency: from the moment an event was due to be published until its handler runs, at 10 000 events per second.
//!
//! The publisher keeps to its schedule whatever the bus does: an event that becomes due while an earlier publish still
//! waits is measured from when it was due. Only the time that the publisher itself overslept does not count.

use std::future::Ready;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use eventbus::transport::Order;
use eventbus::{AnyEvent, HandlerResult};
use hdrhistogram::Histogram;
use tokio::runtime::Handle;

use crate::arguments::Arguments;
use crate::compare::{Ratio, Side, interleave, median};
use crate::contenders::{Broadcast, Ours};
use crate::events;
use crate::load::{Contender, Groups, Wants};
use crate::table::{Goal, Line};

/// The time between two events.
const EVERY: Duration = Duration::from_micros(100);
/// What is reported: quantile, name, goal.
const QUANTILES: [(f64, &str, Goal); 3] =
    [(0.5, "p50", Goal::None), (0.99, "p99", Goal::AtMost(1.5)), (0.999, "p99.9", Goal::None)];

/// Where the publisher runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Publisher {
    /// On a thread of its own that sleeps from one event to the next.
    Thread,
    /// On a task: tokio's timer wakes it every millisecond or so, and it publishes what has become due.
    Task,
}

/// What happened to the events, by their number.
struct Record {
    base: Instant,
    due: Box<[AtomicU64]>,
    took: Mutex<Histogram<u64>>,
    handled: AtomicUsize,
}

impl Record {
    fn new(events: usize) -> Self {
        let due = std::iter::repeat_with(AtomicU64::default).take(events).collect();
        let took = Histogram::new(3).expect("three digits are legal");
        Self { base: Instant::now(), due, took: Mutex::new(took), handled: AtomicUsize::new(0) }
    }

    /// The next event is handled; a single group gets them in order.
    fn handle(&self) -> Ready<HandlerResult> {
        let now = self.since(Instant::now());
        let number = self.handled.fetch_add(1, Ordering::Relaxed);
        let took = now - self.due[number].load(Ordering::Acquire);
        // The first tenth warms up.
        if number >= self.due.len() / 10 {
            let mut histogram = self.took.lock().unwrap_or_else(PoisonError::into_inner);
            histogram.record(took).expect("an automatic histogram has no bounds");
        }
        std::future::ready(Ok(()))
    }

    fn since(&self, time: Instant) -> u64 {
        u64::try_from(time.duration_since(self.base).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Microseconds at each of the quantiles.
    fn quantiles(&self) -> [f64; 3] {
        let histogram = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(histogram.len() as usize, self.due.len() - self.due.len() / 10, "events were lost");
        QUANTILES.map(|(quantile, ..)| histogram.value_at_quantile(quantile) as f64 / 1e3)
    }
}

async fn measure<C: Contender>(publisher: Publisher, pool: Arc<[AnyEvent]>, events: usize) -> [f64; 3] {
    let record: &'static Record = Box::leak(Box::new(Record::new(events)));
    let groups = Groups { wants: Arc::new([Wants::All]), order: Order::None };
    let contender = C::start(&groups, |_| |_| record.handle()).await;
    let publishing = async move {
        publish(&contender, publisher, &pool, record).await;
        contender
    };
    let published = match publisher {
        Publisher::Task => tokio::spawn(publishing),
        Publisher::Thread => tokio::task::spawn_blocking(|| Handle::current().block_on(publishing)),
    };
    let contender = published.await.expect("the publisher does not panic");
    while record.handled.load(Ordering::SeqCst) < events {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    contender.stop().await;
    record.quantiles()
}

async fn publish<C: Contender>(contender: &C, publisher: Publisher, pool: &[AnyEvent], record: &Record) {
    let start = Instant::now();
    let mut woken = start;
    for (number, (event, due)) in pool.iter().cycle().zip(&record.due).enumerate() {
        let time = start + EVERY * u32::try_from(number).expect("a run is short");
        let early = time.saturating_duration_since(Instant::now());
        if !early.is_zero() {
            match publisher {
                Publisher::Thread => std::thread::sleep(early),
                Publisher::Task => tokio::time::sleep(early).await,
            }
            woken = Instant::now();
        }
        due.store(record.since(time.max(woken)), Ordering::Release);
        contender.send(event).await;
    }
}

fn side<C: Contender>(publisher: Publisher, pool: &Arc<[AnyEvent]>, events: usize) -> Side<[f64; 3]> {
    let pool = Arc::clone(pool);
    Side::new(move || measure::<C>(publisher, Arc::clone(&pool), events))
}

pub(crate) async fn rows(arguments: &Arguments) {
    let (pool, events) = (events::renewed(), arguments.scaled(15_000));
    for (name, publisher) in [("latency-thread", Publisher::Thread), ("latency-task", Publisher::Task)] {
        if !arguments.wants(name) {
            continue;
        }
        let sides = [side::<Ours>(publisher, &pool, events), side::<Broadcast>(publisher, &pool, events)];
        let runs = interleave(arguments.reps, &sides).await;
        for (at, (_, quantile, goal)) in QUANTILES.into_iter().enumerate() {
            let [ours, theirs] =
                [0, 1].map(|side: usize| runs[side].iter().map(|run| run[at]).collect::<Vec<_>>());
            let row = &format!("{name}: {quantile} at 10 000/s");
            let theirs_text = format!("broadcast {:.1} µs", median(&theirs));
            let (ours_text, ratio) = (format!("{:.1} µs", median(&ours)), Ratio::of(&ours, &theirs));
            Line { row, ours: ours_text, theirs: theirs_text, ratio, cpu: None, goal }.print();
        }
    }
}
