//! Publishing: until the broker has confirmed every event.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::compare::{Side, interleave};
use crate::contenders::{Ours, Twin};
use crate::load::{self, Contender, How, Load, Throughput, line, measure};
use crate::server::{Broker, Host};
use crate::table::Goal;

/// A row: how we publish and how the other one does, each with thousands of events, and what we want to reach.
struct Row {
    name: &'static str,
    ours: (How, usize),
    twin: &'static str,
    theirs: (How, usize),
    goal: Goal,
}

/// The other one's own way, whatever the size of a batch: a window of 1,024 unconfirmed messages.
const WINDOW: How = How::Batches(1_024);

// Each call of publish_all ends when its last event is confirmed, which the other one waits for only once; and callers
// that await each event have no more of them under way than there are callers, which the other one's tasks show.
const ROWS: &[Row] = &[
    Row {
        name: "publish-all: publish_all once",
        ours: (How::Batches(usize::MAX), 100),
        twin: "window 1024",
        theirs: (WINDOW, 100),
        goal: Goal::AtLeast(0.95),
    },
    Row {
        name: "publish-10k: publish_all by 10 000",
        ours: (How::Batches(10_000), 100),
        twin: "window 1024",
        theirs: (WINDOW, 100),
        goal: Goal::None,
    },
    Row {
        name: "publish-256: publish_all by 256",
        ours: (How::Batches(256), 100),
        twin: "window 1024",
        theirs: (WINDOW, 100),
        goal: Goal::None,
    },
    Row {
        name: "publish-64: 64 callers",
        ours: (How::Callers(64), 100),
        twin: "window 1024",
        theirs: (WINDOW, 100),
        goal: Goal::AtLeast(0.95),
    },
    Row {
        name: "publish-64: 64 callers, like for like",
        ours: (How::Callers(64), 100),
        twin: "64 tasks",
        theirs: (How::Callers(64), 100),
        goal: Goal::None,
    },
    Row {
        name: "publish-64: 64 callers, beside each",
        ours: (How::Callers(64), 100),
        twin: "each awaited",
        theirs: (How::Callers(1), 5),
        goal: Goal::AtLeast(10.0),
    },
    Row {
        name: "publish-1: one caller",
        ours: (How::Callers(1), 5),
        twin: "each awaited",
        theirs: (How::Callers(1), 5),
        goal: Goal::None,
    },
];

async fn once<C: Contender>(broker: Broker, load: Load) -> Throughput {
    let host = Host::new(&broker).await;
    C::group(&host.url).await;
    let contender = Arc::new(C::connect(&host.url).await);
    let warm_up = load.warm_up();
    load::publish(&contender, &warm_up).await;
    let throughput = measure::<C>(load.count, load::publish(&contender, &load)).await;
    load::check::<C>(&host, warm_up.count + load.count).await;
    load::stop(contender).await;
    host.end().await;
    throughput
}

pub(crate) fn side<C: Contender>(broker: &Broker, load: &Load) -> Side<Throughput> {
    let (broker, load) = (broker.clone(), load.clone());
    Side::new(move || once::<C>(broker.clone(), load.clone()))
}

pub(crate) async fn rows(arguments: &Arguments, broker: &Broker) {
    for row in ROWS.iter().filter(|row| arguments.wants(row.name)) {
        let load = |(how, thousands): (How, usize)| Load::new(arguments.scaled(thousands * 1_000), how);
        let sides = [side::<Ours>(broker, &load(row.ours)), side::<Twin>(broker, &load(row.theirs))];
        let runs = interleave(arguments.reps, &sides).await;
        line(row.name, &runs[0], (row.twin, &runs[1]), row.goal);
    }
}

/// Repeats our side of a row, for a profiler.
pub(crate) async fn repeat(broker: &Broker, name: &str) {
    const TIME: Duration = Duration::from_secs(10);
    let row = ROWS.iter().find(|row| row.name.starts_with(name)).expect("a row has this name");
    let load = Load::new(row.ours.1 * 1_000, row.ours.0);
    let host = Host::new(broker).await;
    Ours::group(&host.url).await;
    let ours = Arc::new(Ours::connect(&host.url).await);
    let (start, mut published) = (Instant::now(), 0);
    while start.elapsed() < TIME {
        load::publish(&ours, &load).await;
        published += load.count;
    }
    println!("{}: {:.0} events/s", row.name, published as f64 / start.elapsed().as_secs_f64());
    load::stop(ours).await;
}
