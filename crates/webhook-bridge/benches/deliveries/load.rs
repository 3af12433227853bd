//! What is delivered, and what everybody who is compared can do.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use eventbus::AnyEvent;

use crate::compare::{Ratio, median};
use crate::receivers::Receivers;
use crate::table::{Goal, Line, cost, rate};
use crate::{cpu, events};

/// What the endpoints' secrets are.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// The most requests under way, whoever's they are: as many as the bridge makes at endpoints that answer soon.
pub(crate) const IN_FLIGHT: usize = 768;

/// What is delivered, and to how many.
#[derive(Clone)]
pub(crate) struct Load {
    /// Each with an id of its own.
    pub(crate) events: Arc<[AnyEvent]>,
    pub(crate) endpoints: usize,
    pub(crate) pace: Pace,
    /// Deliveries that the store has before.
    pub(crate) stored: usize,
}

/// How it is published.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// As fast as it is taken.
    Burst,
    /// So many events per second.
    Steady(u32),
}

impl Load {
    pub(crate) fn new(events: usize, endpoints: usize, pace: Pace) -> Self {
        let event = |number| AnyEvent::from_json(Self::body(number, 0)).expect("it was encoded here");
        Self { events: (0..events).map(event).collect(), endpoints, pace, stored: 0 }
    }

    /// With bodies of this size in bytes, or a little more.
    pub(crate) fn sized(events: usize, endpoints: usize, size: usize) -> Self {
        let event = |number| AnyEvent::from_json(Self::body(number, size)).expect("it was encoded here");
        let events = (0..events).map(event).collect();
        Self { events, endpoints, pace: Pace::Burst, stored: 0 }
    }

    /// The JSON form of an event: its id anywhere among the others, and its object made larger to this size.
    pub(crate) fn body(number: usize, size: usize) -> Bytes {
        let text = String::from_utf8(events::body(number).to_vec()).expect("JSON is UTF-8");
        let spread = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let text = text.replacen(&format!("evt_{number:024}"), &format!("evt_{spread:024x}"), 1);
        let more = size.saturating_sub(text.len()) / 20;
        let items = r#"{"a":"12.50","b":1},"#.repeat(more);
        let object = format!("\"object\":{{\"items\":[{}],", items.trim_end_matches(','));
        text.replacen("\"object\":{", &object, 1).into()
    }

    pub(crate) fn deliveries(&self) -> usize {
        self.events.len() * self.endpoints
    }

    /// How many requests one endpoint takes at once.
    pub(crate) fn most(&self) -> u32 {
        match self.endpoints {
            1 => 64,
            2..=10 => 25,
            _ => 8,
        }
    }

    /// The events, when it is time for each.
    pub(crate) async fn each<F: Future<Output = ()>>(&self, publish: impl Fn(AnyEvent) -> F) {
        let mut ticks = tokio::time::interval(Duration::from_millis(5));
        for (number, event) in self.events.iter().enumerate() {
            if let Pace::Steady(rate) = self.pace
                && number % (rate as usize / 200).max(1) == 0
            {
                ticks.tick().await;
            }
            publish(event.clone()).await;
        }
    }
}

/// A way to get events to endpoints.
pub(crate) trait Contender: Send + Sync + Sized + 'static {
    /// Starts with an endpoint at each of these URLs that wants everything; without any, nothing is sent to as many.
    fn start(urls: Vec<String>, load: &Load) -> impl Future<Output = Self> + Send;

    /// Publishes all; each event is stored, or sure to be, when this is done.
    fn publish(&self, load: &Load) -> impl Future<Output = ()> + Send;

    /// Waits until the outcomes of so many events' deliveries are stored.
    fn settled(&self, events: usize) -> impl Future<Output = ()> + Send;

    /// Waits until so many events are stored.
    fn stored(&self, events: usize) -> impl Future<Output = ()> + Send;

    /// How many deliveries are stored as made, and how many attempts.
    fn rows(&self) -> (usize, usize);

    fn stop(self) -> impl Future<Output = ()> + Send;
}

/// What a run came to.
#[derive(Clone, Copy)]
pub(crate) struct Throughput {
    /// Deliveries per second.
    pub(crate) rate: f64,
    /// This process's time per delivery, in nanoseconds.
    pub(crate) cpu: f64,
}

/// One run: receivers and store of its own.
pub(crate) async fn once<C: Contender>(load: Load) -> Throughput {
    const LONG: Duration = Duration::from_secs(300);
    let mut receivers = Receivers::start(load.endpoints, 0);
    let urls = (0..load.endpoints).map(|number| receivers.url(number)).collect();
    let contender = C::start(urls, &load).await;
    let (used, start) = (cpu::used(), Instant::now());
    let work = async {
        contender.publish(&load).await;
        contender.settled(load.events.len()).await;
    };
    tokio::time::timeout(LONG, work).await.expect("nothing is lost");
    let (took, used) = (start.elapsed(), cpu::used().saturating_sub(used));
    let count = load.deliveries();
    assert_eq!(receivers.count(), count as u64, "each is received once");
    let rows = count + load.stored;
    assert_eq!(contender.rows(), (rows, rows), "each is stored as made, by one attempt");
    contender.stop().await;
    Throughput { rate: count as f64 / took.as_secs_f64(), cpu: used.as_nanos() as f64 / count as f64 }
}

/// A run that only stores: per event.
pub(crate) async fn stored<C: Contender>(load: Load) -> Throughput {
    let contender = C::start(Vec::new(), &load).await;
    let (used, start, count) = (cpu::used(), Instant::now(), load.events.len());
    contender.publish(&load).await;
    contender.stored(count).await;
    let (took, used) = (start.elapsed(), cpu::used().saturating_sub(used));
    contender.stop().await;
    Throughput { rate: count as f64 / took.as_secs_f64(), cpu: used.as_nanos() as f64 / count as f64 }
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

/// Prints a row of one side beside a bound.
pub(crate) fn bound(row: &str, (measured, most): (f64, f64), unit: &str) {
    let ratio = Ratio { median: measured / most, least: f64::NAN, most: f64::NAN };
    let (ours, theirs) = (format!("{measured:.2} {unit}"), format!("goal {most} {unit}"));
    Line { row, ours, theirs, ratio, cpu: None, goal: Goal::AtMost(1.0) }.print();
}
