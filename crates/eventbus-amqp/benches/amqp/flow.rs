//! End to end: from the first publish until the last acknowledgement is on the server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::compare::{Side, interleave};
use crate::contenders::{Ours, Twin};
use crate::load::{self, Contender, How, Load, Throughput, line, measure};
use crate::server::{Broker, Host};
use crate::table::Goal;
use crate::tally::Tally;

/// How many members share the work.
const ROWS: &[(&str, usize)] = &[("flow-1: to 1 member", 1), ("flow-4: to 4 members", 4)];
const COUNT: usize = 100_000;
/// How it is published: in batches so large that the pause after each, which the twin does not make, counts little.
pub(crate) const HOW: How = How::Batches(10_000);

/// A publisher and a group at work.
struct Flow<C: Contender> {
    host: Host,
    publisher: Arc<C>,
    members: Vec<C::Member>,
    tally: &'static Tally,
}

impl<C: Contender> Flow<C> {
    async fn start(broker: &Broker, members: usize) -> Self {
        let host = Host::new(broker).await;
        let tally = Tally::new(1);
        let mut joined = Vec::new();
        for _ in 0..members {
            joined.push(C::join(&host.url, tally.handler(0)).await);
        }
        let publisher = Arc::new(C::connect(&host.url).await);
        Self { host, publisher, members: joined, tally }
    }

    async fn once(&mut self, load: &Load) {
        self.tally.expect(&[load.count as u64]);
        load::publish(&self.publisher, load).await;
        self.tally.finished().await;
        self.host.acknowledged(C::QUEUE).await;
    }

    async fn stop(self) {
        load::stop(self.publisher).await;
        for member in self.members {
            C::leave(member).await;
        }
        self.tally.check();
        self.host.end().await;
    }
}

async fn once<C: Contender>(broker: Broker, members: usize, load: Load) -> Throughput {
    let mut flow = Flow::<C>::start(&broker, members).await;
    flow.once(&load.warm_up()).await;
    let throughput = measure::<C>(load.count, flow.once(&load)).await;
    flow.stop().await;
    throughput
}

pub(crate) fn side<C: Contender>(broker: &Broker, members: usize, load: &Load) -> Side<Throughput> {
    let (broker, load) = (broker.clone(), load.clone());
    Side::new(move || once::<C>(broker.clone(), members, load.clone()))
}

pub(crate) async fn rows(arguments: &Arguments, broker: &Broker) {
    for (name, members) in ROWS.iter().filter(|(name, _)| arguments.wants(name)) {
        let load = Load::new(arguments.scaled(COUNT), HOW);
        let sides = [side::<Ours>(broker, *members, &load), side::<Twin>(broker, *members, &load)];
        let runs = interleave(arguments.reps, &sides).await;
        line(name, &runs[0], ("ack per 250", &runs[1]), Goal::AtLeast(0.9));
    }
}

/// Repeats our side of the first row, for a profiler.
pub(crate) async fn repeat(broker: &Broker) {
    const TIME: Duration = Duration::from_secs(10);
    let load = Load::new(COUNT, HOW);
    let mut flow = Flow::<Ours>::start(broker, 1).await;
    let (start, mut published) = (Instant::now(), 0);
    while start.elapsed() < TIME {
        flow.once(&load).await;
        published += load.count;
    }
    println!("{}: {:.0} events/s", ROWS[0].0, published as f64 / start.elapsed().as_secs_f64());
    flow.stop().await;
}
