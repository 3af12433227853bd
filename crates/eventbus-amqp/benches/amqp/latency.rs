//! Latency: from the moment an event was due to be published until its handler runs, at 1,000 events per second.
//!
//! The publisher keeps to its schedule whatever becomes of earlier events; only the time that it overslept does not
//! count.

use std::future::{Ready, ready};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use eventbus::{AnyEvent, HandlerResult};
use hdrhistogram::Histogram;
use tokio::runtime::Handle;

use crate::arguments::Arguments;
use crate::compare::{Ratio, Side, interleave, median};
use crate::contenders::{Ours, Twin};
use crate::events::{self, POOL};
use crate::load::Contender;
use crate::server::{Broker, Host};
use crate::table::{Goal, Line};

/// The time between two events.
const EVERY: Duration = Duration::from_millis(1);
/// What is reported: quantile, row, goal.
const QUANTILES: [(f64, &str, Goal); 2] =
    [(0.5, "latency: p50 at 1 000/s", Goal::None), (0.99, "latency: p99 at 1 000/s", Goal::AtMost(1.5))];

/// What happened to the events.
struct Record {
    base: Instant,
    /// By the event's number in the pool, which comes round long after it was handled.
    due: Box<[AtomicU64]>,
    took: Mutex<Histogram<u64>>,
    handled: AtomicUsize,
    warm_up: usize,
}

impl Record {
    fn new(events: usize) -> Self {
        let due = std::iter::repeat_with(AtomicU64::default).take(POOL).collect();
        let took = Mutex::new(Histogram::new(3).expect("three digits are legal"));
        Self { base: Instant::now(), due, took, handled: AtomicUsize::new(0), warm_up: events / 10 }
    }

    fn handle(&self, event: &AnyEvent) -> Ready<HandlerResult> {
        let now = self.since(Instant::now());
        let number: usize = event.id().as_str()["evt_".len()..].parse().expect("ids have numbers");
        let took = now.saturating_sub(self.due[number].load(Ordering::Acquire));
        if self.handled.fetch_add(1, Ordering::SeqCst) >= self.warm_up {
            let mut histogram = self.took.lock().unwrap_or_else(PoisonError::into_inner);
            histogram.record(took).expect("an automatic histogram has no bounds");
        }
        ready(Ok(()))
    }

    fn since(&self, time: Instant) -> u64 {
        u64::try_from(time.duration_since(self.base).as_nanos()).unwrap_or(u64::MAX)
    }

    /// Microseconds at each of the quantiles.
    fn quantiles(&self) -> [f64; 2] {
        let histogram = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        QUANTILES.map(|(quantile, ..)| histogram.value_at_quantile(quantile) as f64 / 1e3)
    }
}

async fn once<C: Contender>(broker: Broker, pool: Arc<[AnyEvent]>, events: usize) -> [f64; 2] {
    let host = Host::new(&broker).await;
    let record: &'static Record = Box::leak(Box::new(Record::new(events)));
    let member = C::join(&host.url, |event: AnyEvent| record.handle(&event)).await;
    let contender = C::connect(&host.url).await;
    let publishing = move || {
        publish(&contender, &pool, (record, events));
        contender
    };
    let contender = tokio::task::spawn_blocking(publishing).await.expect("the publisher does not panic");
    while record.handled.load(Ordering::SeqCst) < events {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    host.acknowledged(C::QUEUE).await;
    C::leave(member).await;
    contender.stop().await;
    host.end().await;
    assert_eq!(record.handled.load(Ordering::SeqCst), events, "none came twice");
    record.quantiles()
}

/// On a thread that sleeps from one event to the next.
fn publish<C: Contender>(contender: &C, pool: &[AnyEvent], (record, events): (&Record, usize)) {
    let runtime = Handle::current();
    let start = Instant::now();
    let sent: Vec<_> = (0..events)
        .map(|number| {
            let time = start + EVERY * u32::try_from(number).expect("a run is short");
            std::thread::sleep(time.saturating_duration_since(Instant::now()));
            record.due[number % POOL].store(record.since(Instant::now()), Ordering::Release);
            runtime.spawn(contender.send(&pool[number % POOL]))
        })
        .collect();
    for sent in sent {
        runtime.block_on(sent).expect("sending does not panic");
    }
}

fn side<C: Contender>(broker: &Broker, pool: &Arc<[AnyEvent]>, events: usize) -> Side<[f64; 2]> {
    let (broker, pool) = (broker.clone(), Arc::clone(pool));
    Side::new(move || once::<C>(broker.clone(), Arc::clone(&pool), events))
}

pub(crate) async fn rows(arguments: &Arguments, broker: &Broker) {
    if !arguments.wants("latency") {
        return;
    }
    let (pool, events) = (events::renewed(), arguments.scaled(10_000));
    let sides = [side::<Ours>(broker, &pool, events), side::<Twin>(broker, &pool, events)];
    let runs = interleave(arguments.reps, &sides).await;
    for (at, (_, row, goal)) in QUANTILES.into_iter().enumerate() {
        let [ours, theirs] =
            [0, 1].map(|side: usize| runs[side].iter().map(|run| run[at]).collect::<Vec<_>>());
        let text = |runs: &[f64]| format!("{:.2} ms", median(runs) / 1e3);
        let (ours_text, theirs_text) = (text(&ours), format!("lapin {}", text(&theirs)));
        let ratio = Ratio::of(&ours, &theirs);
        Line { row, ours: ours_text, theirs: theirs_text, ratio, cpu: None, goal }.print();
    }
}
