//! Benchmarks of the bus on Redis beside what a user would write on redis-rs by hand.
//!
//! `cargo bench -p eventbus-redis --bench redis [-- [--quick] [--reps N] [ROW…]]`; a row is chosen by a part of its name.
//! `--profile ROW` repeats our side of one row for ten seconds, for a profiler to look at.
//!
//! A private server is started for the rows, and a second one that syncs every write; both end with this process, however
//! it ends. Everybody runs in one process of two workers, on connections of their own, with the same events. As in the
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
mod load;
mod publish;
mod server;
#[path = "../../../eventbus/benches/local/table.rs"]
#[allow(dead_code, reason = "shared with the local bus, which has other goals")]
mod table;
#[path = "../../../eventbus/benches/local/tally.rs"]
mod tally;

use arguments::{Arguments, Mode};
use server::{Disk, Server};

fn main() {
    let arguments = Arguments::parse(std::env::args().skip(1));
    runtime().block_on(async {
        match &arguments.mode {
            Mode::Profile(row) => {
                let server = Server::start(Disk::Never).await;
                match row.starts_with("publish") {
                    true => publish::repeat(&server, row).await,
                    false => flow::repeat(&server, row).await,
                }
            }
            _ => rows(&arguments).await,
        }
    });
}

/// As many workers as the goals are stated for.
fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime needs nothing but threads")
}

async fn rows(arguments: &Arguments) {
    table::head();
    for (disk, suffix) in [(Disk::Never, ""), (Disk::Always, ", synced")] {
        let server = Server::start(disk).await;
        publish::rows(arguments, &server, suffix).await;
        flow::rows(arguments, &server, suffix).await;
        if disk == Disk::Never {
            backlog::rows(arguments, &server).await;
        }
    }
}
