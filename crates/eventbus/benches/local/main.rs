//! Benchmarks of the local bus beside its contenders.
//!
//! `cargo bench -p eventbus --bench local [-- [--quick] [--reps N] [ROW…]]`; a row is chosen by a part of its name.
//! `--profile ROW` repeats our side of one throughput row for ten seconds, for a profiler to look at.
//!
//! Everything is measured in one run and interleaved: ours, the contenders, ours again. The result of a row is the median
//! of the paired ratios; absolute numbers are context, because they are the machine's, and so is `cpu`: how many times our
//! processor time per event the contender uses. Every contender loses nothing, and the numbers of handled events are
//! compared with what was published.
#![allow(clippy::print_stdout, reason = "a benchmark's table goes to standard output")]

mod arguments;
mod compare;
mod contenders;
mod cpu;
mod decode;
mod events;
mod latency;
mod load;
mod memory;
mod profile;
mod publish_cost;
mod table;
mod tally;
mod throughput;

use arguments::{Arguments, Mode};

fn main() {
    let arguments = Arguments::parse(std::env::args().skip(1));
    match &arguments.mode {
        Mode::Table => runtime().block_on(rows(&arguments)),
        Mode::Profile(row) => runtime().block_on(profile::repeat(row)),
        Mode::Memory(side) => runtime().block_on(memory::measure(side, &arguments)),
    }
}

/// As many workers as the goals are stated for.
fn runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime needs nothing but threads")
}

async fn rows(arguments: &Arguments) {
    table::head();
    throughput::rows(arguments).await;
    latency::rows(arguments).await;
    publish_cost::rows(arguments).await;
    memory::rows(arguments).await;
    decode::rows(arguments).await;
}
