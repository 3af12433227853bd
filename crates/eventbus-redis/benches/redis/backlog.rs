//! Working off what was published while nobody consumed.

use std::sync::Arc;

use crate::arguments::Arguments;
use crate::compare::{Side, interleave};
use crate::contenders::{Ours, Twin};
use crate::load::{self, Contender, How, Load, Throughput, line, measure};
use crate::server::Server;
use crate::table::Goal;
use crate::tally::Tally;

const SMALL: usize = 100_000;
const LARGE: usize = 1_000_000;

async fn once<C: Contender>(url: String, load: Load) -> Throughput {
    Server::clear(&url).await;
    C::group(&url).await;
    let publisher = Arc::new(C::connect(&url).await);
    load::publish(&publisher, &load).await;
    load::check::<C>(&url, load.count).await;
    let tally = Tally::new(1);
    tally.expect(&[load.count as u64]);
    let mut member = None;
    let work = async {
        member = Some(C::join(&url, tally).await);
        tally.finished().await;
        C::acknowledged(&url).await;
    };
    let throughput = measure(load.count, work).await;
    C::leave(member.expect("it has joined")).await;
    load::stop(publisher).await;
    tally.check();
    throughput
}

fn side<C: Contender>(server: &Server, load: &Load) -> Side<Throughput> {
    let (url, load) = (server.url.clone(), load.clone());
    Side::new(move || once::<C>(url.clone(), load.clone()))
}

pub(crate) async fn rows(arguments: &Arguments, server: &Server) {
    let names = [
        "backlog-100k: 1 member, 10^5 events",
        "backlog-1m: 1 member, 10^6 events",
        "backlog-growth: 10^6 beside 10^5",
    ];
    if !names.iter().any(|name| arguments.wants(name)) {
        return;
    }
    let [small, large] = [SMALL, LARGE].map(|count| Load::new(arguments.scaled(count), How::Batches(10_000)));
    let sides = [
        side::<Ours>(server, &small),
        side::<Twin>(server, &small),
        side::<Ours>(server, &large),
        side::<Twin>(server, &large),
    ];
    let runs = interleave(arguments.reps.min(3), &sides).await;
    line(names[0], &runs[0], ("redis-rs", &runs[1]), Goal::AtLeast(0.9));
    line(names[1], &runs[2], ("redis-rs", &runs[3]), Goal::AtLeast(0.9));
    line(names[2], &runs[2], ("10^5", &runs[0]), Goal::AtLeast(0.9));
}
