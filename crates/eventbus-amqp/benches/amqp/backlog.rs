//! Working off what was published while nobody consumed.

use std::sync::Arc;

use crate::arguments::Arguments;
use crate::compare::{Side, interleave};
use crate::contenders::{Ours, Twin};
use crate::load::{self, Contender, How, Load, Throughput, line, measure};
use crate::server::{Broker, Host};
use crate::table::Goal;
use crate::tally::Tally;

const NAME: &str = "backlog: 1 member, 2·10^5 events";
const COUNT: usize = 200_000;

async fn once<C: Contender>(broker: Broker, load: Load) -> Throughput {
    let host = Host::new(&broker).await;
    C::group(&host.url).await;
    let publisher = Arc::new(C::connect(&host.url).await);
    load::publish(&publisher, &load).await;
    load::check::<C>(&host, load.count).await;
    let tally = Tally::new(1);
    tally.expect(&[load.count as u64]);
    let mut member = None;
    let work = async {
        member = Some(C::join(&host.url, tally.handler(0)).await);
        tally.finished().await;
        host.acknowledged(C::QUEUE).await;
    };
    let throughput = measure::<C>(load.count, work).await;
    C::leave(member.expect("it has joined")).await;
    load::stop(publisher).await;
    tally.check();
    host.end().await;
    throughput
}

pub(crate) fn side<C: Contender>(broker: &Broker, load: &Load) -> Side<Throughput> {
    let (broker, load) = (broker.clone(), load.clone());
    Side::new(move || once::<C>(broker.clone(), load.clone()))
}

pub(crate) async fn rows(arguments: &Arguments, broker: &Broker) {
    if arguments.wants(NAME) {
        let load = Load::new(arguments.scaled(COUNT), How::Batches(10_000));
        let sides = [side::<Ours>(broker, &load), side::<Twin>(broker, &load)];
        let runs = interleave(arguments.reps, &sides).await;
        line(NAME, &runs[0], ("ack per 250", &runs[1]), Goal::AtLeast(0.9));
    }
}

/// Repeats our side, for a profiler.
pub(crate) async fn repeat(broker: &Broker) {
    let load = Load::new(COUNT, How::Batches(10_000));
    for _ in 0..3 {
        println!("{NAME}: {:.0} events/s", once::<Ours>(broker.clone(), load.clone()).await.rate);
    }
}
