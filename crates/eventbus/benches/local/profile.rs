//! Our side of one throughput row, over and over, for a profiler.

use std::sync::Arc;
use std::time::{Duration, Instant};

use eventbus::transport::Order;

use crate::contenders::Ours;
use crate::load::{Contender as _, once};
use crate::tally::Tally;
use crate::throughput::find;

/// How long.
const TIME: Duration = Duration::from_secs(10);

/// Repeats the row whose name begins so; `+order` at the end switches order per key on.
pub(crate) async fn repeat(name: &str) {
    let (name, order) = match name.strip_suffix("+order") {
        Some(name) => (name, Order::PerKey),
        None => (name, Order::None),
    };
    let row = find(name);
    let (groups, load) = (row.groups(order), row.load(&row.pool(), 300_000));
    let tally = Tally::new(groups.wants.len());
    let ours = Arc::new(Ours::start(&groups, |group| tally.handler(group)).await);
    let (start, mut events) = (Instant::now(), 0);
    while start.elapsed() < TIME {
        once(&ours, tally, &groups, &load).await;
        events += load.count();
    }
    println!("{} : {:.0} events/s", row.name, events as f64 / start.elapsed().as_secs_f64());
}
