//! End to end: from the first publish until the last acknowledgement is on the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::compare::{Side, interleave};
use crate::contenders::{Ours, Twin};
use crate::load::{self, Contender, How, Load, Throughput, line, measure};
use crate::server::Server;
use crate::table::Goal;
use crate::tally::Tally;

/// A row: how many members share the work, and thousands of events.
struct Row {
    name: &'static str,
    members: usize,
    thousands: usize,
}

const ROWS: &[Row] = &[
    Row { name: "flow-1: to 1 member", members: 1, thousands: 200 },
    Row { name: "flow-4: to 4 members", members: 4, thousands: 200 },
];

/// How it is published.
pub(crate) const HOW: How = How::Batches(256);

/// A publisher and a group at work.
pub(crate) struct Flow<C: Contender> {
    url: String,
    publisher: Arc<C>,
    members: Vec<C::Member>,
    tally: &'static Tally,
    published: usize,
}

impl<C: Contender> Flow<C> {
    pub(crate) async fn start(url: &str, members: usize) -> Self {
        Server::clear(url).await;
        let tally = Tally::new(1);
        let mut joined = Vec::new();
        for _ in 0..members {
            joined.push(C::join(url, tally).await);
        }
        let publisher = Arc::new(C::connect(url).await);
        Self { url: url.to_owned(), publisher, members: joined, tally, published: 0 }
    }

    pub(crate) async fn once(&mut self, load: &Load) {
        self.tally.expect(&[load.count as u64]);
        self.published += load.count;
        load::publish(&self.publisher, load).await;
        self.tally.finished().await;
        C::acknowledged(&self.url).await;
    }

    pub(crate) async fn stop(self) {
        load::check::<C>(&self.url, self.published).await;
        load::stop(self.publisher).await;
        for member in self.members {
            C::leave(member).await;
        }
        self.tally.check();
    }
}

async fn once<C: Contender>(url: String, members: usize, load: Load) -> Throughput {
    let mut flow = Flow::<C>::start(&url, members).await;
    flow.once(&load.warm_up()).await;
    let throughput = measure(load.count, flow.once(&load)).await;
    flow.stop().await;
    throughput
}

pub(crate) fn side<C: Contender>(server: &Server, members: usize, load: &Load) -> Side<Throughput> {
    let (url, load) = (server.url.clone(), load.clone());
    Side::new(move || once::<C>(url.clone(), members, load.clone()))
}

pub(crate) async fn rows(arguments: &Arguments, server: &Server, suffix: &str) {
    for row in ROWS {
        let name = format!("{}{suffix}", row.name);
        if !arguments.wants(&name) {
            continue;
        }
        let part = if suffix.is_empty() { 1 } else { 4 };
        let load = Load::new(arguments.scaled(row.thousands * 1_000 / part), HOW);
        let sides = [side::<Ours>(server, row.members, &load), side::<Twin>(server, row.members, &load)];
        let runs = interleave(arguments.reps, &sides).await;
        line(&name, &runs[0], ("redis-rs", &runs[1]), Goal::AtLeast(0.9));
    }
}

/// Repeats our side of the row, for a profiler.
pub(crate) async fn repeat(server: &Server, name: &str) {
    const TIME: Duration = Duration::from_secs(10);
    let row = ROWS.iter().find(|row| row.name.starts_with(name)).expect("a row has this name");
    let load = Load::new(100_000, HOW);
    let mut flow = Flow::<Ours>::start(&server.url, row.members).await;
    let start = Instant::now();
    while start.elapsed() < TIME {
        flow.once(&load).await;
    }
    println!("{}: {:.0} events/s", row.name, flow.published as f64 / start.elapsed().as_secs_f64());
    flow.stop().await;
}
