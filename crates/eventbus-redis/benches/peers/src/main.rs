//! Benchmarks of the bus on Redis beside other libraries that put messages into Redis Streams.
//!
//! `cargo run --release --manifest-path crates/eventbus-redis/benches/peers/Cargo.toml -- --bench [--quick] [ROW…]`
//!
//! What they do not promise: sea-streamer tells nobody when an acknowledgement is lost and has no retries or dead
//! letters; omniqueue publishes and acknowledges one message at a time, in no order, and removes what is acknowledged.
#![allow(dead_code, reason = "shared with the benchmarks beside redis-rs, which have more rows")]

#[path = "../../../../eventbus/benches/local/arguments.rs"]
mod arguments;
#[path = "../../../../eventbus/benches/local/compare.rs"]
mod compare;
#[path = "../../redis/contenders/mod.rs"]
mod contenders;
#[path = "../../../../eventbus/benches/local/cpu.rs"]
mod cpu;
#[path = "../../../../eventbus/benches/local/events.rs"]
mod events;
#[path = "../../redis/flow.rs"]
mod flow;
#[path = "../../redis/load.rs"]
mod load;
mod one_by_one;
#[path = "../../redis/publish.rs"]
mod publish;
mod sea;
#[path = "../../redis/server.rs"]
mod server;
#[path = "../../../../eventbus/benches/local/table.rs"]
mod table;
#[path = "../../../../eventbus/benches/local/tally.rs"]
mod tally;

use compare::interleave;
use contenders::Ours;
use load::{How, Load, line};
use one_by_one::Omniqueue;
use sea::SeaStreamer;
use server::{Disk, Server};
use table::Goal;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let arguments = arguments::Arguments::parse(std::env::args().skip(1));
    let server = Server::start(Disk::Never).await;
    table::head();
    for (name, count, how) in [
        ("publish-256: publish_all by 256", 100_000, How::Batches(256)),
        ("publish-64: 64 callers", 100_000, How::Callers(64)),
    ] {
        if arguments.wants(name) {
            let load = Load::new(arguments.scaled(count), how);
            let sides = [
                publish::side::<Ours>(&server, &load),
                publish::side::<SeaStreamer>(&server, &load),
                publish::side::<Omniqueue>(&server, &load),
            ];
            report(name, &interleave(arguments.reps, &sides).await);
        }
    }
    for (name, members) in [("flow-1: to 1 member", 1), ("flow-4: to 4 members", 4)] {
        if arguments.wants(name) {
            let load = Load::new(arguments.scaled(50_000), flow::HOW);
            let sides = [
                flow::side::<Ours>(&server, members, &load),
                flow::side::<SeaStreamer>(&server, members, &load),
                flow::side::<Omniqueue>(&server, members, &load),
            ];
            report(name, &interleave(arguments.reps, &sides).await);
        }
    }
}

fn report(name: &str, runs: &[Vec<load::Throughput>]) {
    line(name, &runs[0], ("sea-streamer", &runs[1]), Goal::AtLeast(1.2));
    line(name, &runs[0], ("omniqueue", &runs[2]), Goal::AtLeast(3.0));
}
