//! What a publish costs: it must grow with the groups that want the event, not with those that there are.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use eventbus::{AnyEvent, EventBus, Filter, Pattern};

use crate::arguments::Arguments;
use crate::compare::{Ratio, Side, interleave, median};
use crate::events;
use crate::table::{Goal, Line};

/// Runs are short, so there are more of them.
const SHORT: usize = 3;

/// How many groups there are, and how many of them want the events; no two of them want the same altogether.
#[derive(Clone, Copy)]
struct Scene {
    groups: usize,
    matching: usize,
}

impl Scene {
    /// Nanoseconds per publish. The queues have room for everything, so no publish waits for a handler.
    async fn measure(self, events: usize) -> f64 {
        let handled: &'static AtomicUsize = Box::leak(Box::new(AtomicUsize::new(0)));
        let bus = self.bus(handled).await;
        let pool = events::renewed();
        let publisher = bus.clone();
        let took = tokio::spawn(async move {
            let start = Instant::now();
            for event in pool.iter().cycle().take(events) {
                publisher.publish(event).await.expect("there is room");
            }
            start.elapsed()
        });
        let took = took.await.expect("the publisher does not panic");
        let report = bus.shutdown(Duration::from_secs(30)).await;
        assert!(report.is_complete(), "{report:?}");
        assert_eq!(handled.load(Ordering::SeqCst), events * self.matching);
        took.as_nanos() as f64 / events as f64
    }

    async fn bus(self, handled: &'static AtomicUsize) -> EventBus {
        let bus = EventBus::connect("local:").await.expect("the URL is legal");
        let handler = move |_: AnyEvent| {
            handled.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok(()))
        };
        for number in 0..self.groups {
            let mut group = bus.subscribe(format!("group-{number}")).on_filter(only(number), handler);
            if number < self.matching {
                group = group.on_pattern("customer.subscription.renewed", handler);
            }
            group.start().await.expect("the local transport can do this");
        }
        bus
    }
}

/// A filter that matches none of the events.
fn only(number: usize) -> Filter {
    Filter::new(format!("other.type_{number}").parse::<Pattern>().expect("the pattern is legal"))
}

fn side(groups: usize, matching: usize, events: usize) -> Side {
    Side::new(move || Scene { groups, matching }.measure(events))
}

fn line(row: &str, ours: &[f64], (name, theirs): (&str, &[f64]), most: f64) {
    let (ratio, theirs) = (Ratio::of(ours, theirs), format!("{name} {:.0} ns", median(theirs)));
    Line { row, ours: format!("{:.0} ns", median(ours)), theirs, ratio, cpu: None, goal: Goal::AtMost(most) }
        .print();
}

pub(crate) async fn rows(arguments: &Arguments) {
    if arguments.wants("publish-cost: 2 of 100 and 1 000 groups") {
        let events = arguments.scaled(30_000);
        let sides = [side(10, 2, events), side(100, 2, events), side(1_000, 2, events)];
        let runs = interleave(arguments.reps * SHORT, &sides).await;
        line("publish-cost: 2 of 100 groups", &runs[1], ("2 of 10", &runs[0]), 1.25);
        line("publish-cost: 2 of 1 000 groups", &runs[2], ("2 of 10", &runs[0]), 1.25);
    }
    if arguments.wants("publish-cost-matching: 100 groups") {
        let events = arguments.scaled(5_000);
        let runs = interleave(arguments.reps * SHORT, &[side(10, 10, events), side(100, 100, events)]).await;
        line("publish-cost-matching: 100 groups", &runs[1], ("10 matching", &runs[0]), 12.0);
    }
}
