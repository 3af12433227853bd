//! Benchmarks of the bus on RabbitMQ beside what a user would write on lapin by hand, with the same guarantees:
//! persistent messages, confirms, a quorum queue, acknowledged after the handler.
//!
//! `cargo bench -p eventbus-amqp --bench amqp [-- [--quick] [--reps N] [ROW…]]`; a row is chosen by a part of its name.
//! `--profile ROW` repeats our side of one row for ten seconds, for a profiler to look at.
//!
//! A private node is started for all rows and ends with this process, however it ends; every run has a virtual host of
//! its own. Everybody runs in one process of two workers, on connections of their own, with the same events. As in the
//! benchmarks of the local bus the result is the median of the paired ratios, `cpu` is this process's time only, and
//! everything published is counted on the server, everything handled here, everything acknowledged on the server.
#![allow(clippy::print_stdout, reason = "a benchmark's table goes to standard output")]

#[path = "../../../eventbus/benches/local/arguments.rs"]
#[allow(dead_code, reason = "shared with the local bus, which also measures memory")]
mod arguments;
mod backlog;
#[path = "../../../eventbus/benches/local/compare.rs"]
mod compare;
mod contenders;
#[path = "../../../eventbus/benches/local/cpu.rs"]
mod cpu;
#[path = "../../../eventbus/benches/local/events.rs"]
#[allow(dead_code, reason = "shared with the local bus, which has rows of many types")]
mod events;
mod flow;
mod latency;
mod load;
mod publish;
mod server;
#[path = "../../../eventbus/benches/local/table.rs"]
#[allow(dead_code, reason = "shared with the local bus, which has other goals")]
mod table;
#[path = "../../../eventbus/benches/local/tally.rs"]
mod tally;

use arguments::{Arguments, Mode};
use server::Broker;

fn main() {
    let arguments = Arguments::parse(std::env::args().skip(1));
    runtime().block_on(async {
        let broker = Broker::start().await;
        match &arguments.mode {
            Mode::Profile(row) if row.starts_with("publish") => publish::repeat(&broker, row).await,
            Mode::Profile(row) if row.starts_with("backlog") => backlog::repeat(&broker).await,
            Mode::Profile(_) => flow::repeat(&broker).await,
            _ => rows(&arguments, &broker).await,
        }
    });
}

/// As many workers as the goals are stated for.
fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime needs nothing but threads")
}

async fn rows(arguments: &Arguments, broker: &Broker) {
    table::head();
    publish::rows(arguments, broker).await;
    backlog::rows(arguments, broker).await;
    flow::rows(arguments, broker).await;
    latency::rows(arguments, broker).await;
}
