//! Benchmarks of the bus on RabbitMQ beside other libraries.
//!
//! `cargo run --release --manifest-path crates/eventbus-amqp/benches/peers/Cargo.toml -- --bench [--quick] [ROW…]`,
//! after `npm ci --prefix crates/eventbus-amqp/benches/peers/node`.
//!
//! What they do not promise: omniqueue never confirms, so that what it publishes counts as published when it is
//! on its way, and is lost with the connection; it acknowledges each message by itself. amqprs tells what the broker
//! confirms and leaves the bookkeeping to its user; so does Node's amqplib, which runs in a process of its own, whose
//! processor time is the one that is shown. All four reconnect to nothing and retry nothing.
#![allow(dead_code, reason = "shared with the benchmarks beside lapin, which have more rows")]

#[path = "../../../../eventbus/benches/local/arguments.rs"]
mod arguments;
mod by_amqprs;
#[path = "../../../../eventbus/benches/local/compare.rs"]
mod compare;
#[path = "../../amqp/contenders/mod.rs"]
mod contenders;
#[path = "../../../../eventbus/benches/local/cpu.rs"]
mod cpu;
#[path = "../../../../eventbus/benches/local/events.rs"]
mod events;
#[path = "../../amqp/flow.rs"]
mod flow;
#[path = "../../amqp/load.rs"]
mod load;
mod node;
mod one_by_one;
#[path = "../../amqp/publish.rs"]
mod publish;
#[path = "../../amqp/server.rs"]
mod server;
#[path = "../../../../eventbus/benches/local/table.rs"]
mod table;
#[path = "../../../../eventbus/benches/local/tally.rs"]
mod tally;

use by_amqprs::Amqprs;
use compare::interleave;
use contenders::Ours;
use load::{How, Load, line};
use node::Node;
use one_by_one::Omniqueue;
use server::Broker;
use table::Goal;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let arguments = arguments::Arguments::parse(std::env::args().skip(1));
    let broker = Broker::start().await;
    table::head();
    let name = "publish-10k: publish_all by 10 000";
    if arguments.wants(name) {
        let load = Load::new(arguments.scaled(100_000), How::Batches(10_000));
        let sides = [
            publish::side::<Ours>(&broker, &load),
            publish::side::<Amqprs>(&broker, &load),
            publish::side::<Node>(&broker, &load),
            publish::side::<Omniqueue>(&broker, &load),
        ];
        report(name, &interleave(arguments.reps, &sides).await);
    }
    let name = "flow-1: to 1 member";
    if arguments.wants(name) {
        let load = Load::new(arguments.scaled(100_000), flow::HOW);
        let sides = [
            flow::side::<Ours>(&broker, 1, &load),
            flow::side::<Amqprs>(&broker, 1, &load),
            flow::side::<Node>(&broker, 1, &load),
            flow::side::<Omniqueue>(&broker, 1, &load),
        ];
        report(name, &interleave(arguments.reps, &sides).await);
    }
}

fn report(name: &str, runs: &[Vec<load::Throughput>]) {
    line(name, &runs[0], ("amqprs", &runs[1]), Goal::None);
    line(name, &runs[0], ("amqplib", &runs[2]), Goal::None);
    line(name, &runs[0], ("omniqueue", &runs[3]), Goal::None);
}
