//! Publishing: until every event is on the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::compare::{Side, interleave};
use crate::contenders::{Ours, Twin};
use crate::load::{self, Contender, How, Load, Throughput, line, measure};
use crate::server::Server;
use crate::table::Goal;

/// A row: how it is published, thousands of events, and what we want to reach.
struct Row {
    name: &'static str,
    how: How,
    thousands: usize,
    twin: &'static str,
    goal: Goal,
    /// The same, with a server that syncs every write.
    synced: Goal,
}

const ROWS: &[Row] = &[
    Row {
        name: "publish-256: publish_all by 256",
        how: How::Batches(256),
        thousands: 400,
        twin: "2 × 100",
        goal: Goal::AtLeast(0.9),
        synced: Goal::AtLeast(0.9),
    },
    Row {
        name: "publish-10k: publish_all by 10 000",
        how: How::Batches(10_000),
        thousands: 400,
        twin: "2 × 100",
        goal: Goal::AtLeast(0.9),
        synced: Goal::AtLeast(0.9),
    },
    Row {
        name: "publish-64: 64 callers",
        how: How::Callers(64),
        thousands: 200,
        twin: "64 tasks",
        goal: Goal::AtLeast(1.2),
        synced: Goal::AtLeast(0.9),
    },
    Row {
        name: "publish-1: one caller",
        how: How::Callers(1),
        thousands: 15,
        twin: "1 task",
        goal: Goal::None,
        synced: Goal::None,
    },
];

pub(crate) async fn once<C: Contender>(url: String, load: Load) -> Throughput {
    Server::clear(&url).await;
    let contender = Arc::new(C::connect(&url).await);
    let warm_up = load.warm_up();
    load::publish(&contender, &warm_up).await;
    let throughput = measure(load.count, load::publish(&contender, &load)).await;
    load::check::<C>(&url, warm_up.count + load.count).await;
    load::stop(contender).await;
    throughput
}

pub(crate) fn side<C: Contender>(server: &Server, load: &Load) -> Side<Throughput> {
    let (url, load) = (server.url.clone(), load.clone());
    Side::new(move || once::<C>(url.clone(), load.clone()))
}

pub(crate) async fn rows(arguments: &Arguments, server: &Server, suffix: &str) {
    for row in ROWS {
        let name = format!("{}{suffix}", row.name);
        if !arguments.wants(&name) {
            continue;
        }
        // A synced write takes longer, and nobody can do more than the disk.
        let (part, goal) = if suffix.is_empty() { (1, row.goal) } else { (4, row.synced) };
        let load = Load::new(arguments.scaled(row.thousands * 1_000 / part), row.how);
        let mut sides = vec![side::<Ours>(server, &load), side::<Twin>(server, &load)];
        // Whoever publishes batch after batch pauses between them, which the twin above does not.
        if let How::Batches(size) = row.how {
            sides.push(side::<Twin>(server, &Load { how: How::Rounds(size), ..load.clone() }));
        }
        let runs = interleave(arguments.reps, &sides).await;
        line(&name, &runs[0], (row.twin, &runs[1]), goal);
        if let Some(rounds) = runs.get(2) {
            line(&name, &runs[0], ("2 × 100 in rounds", rounds), goal);
        }
    }
}

/// Repeats our side of a row, for a profiler.
pub(crate) async fn repeat(server: &Server, name: &str) {
    const TIME: Duration = Duration::from_secs(10);
    let row = ROWS.iter().find(|row| row.name.starts_with(name)).expect("a row has this name");
    let load = Load::new(row.thousands * 1_000, row.how);
    let ours = Arc::new(Ours::connect(&server.url).await);
    let (start, mut published) = (Instant::now(), 0);
    while start.elapsed() < TIME {
        load::publish(&ours, &load).await;
        published += load.count;
    }
    println!("{}: {:.0} events/s", row.name, published as f64 / start.elapsed().as_secs_f64());
    load::stop(ours).await;
}
