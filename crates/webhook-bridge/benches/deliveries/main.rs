//! Benchmarks of durable deliveries, beside what a user would write by hand on hyper-util and SQLite.
//!
//! `cargo bench -p webhook-bridge --bench deliveries [-- [--quick] [--reps N] [ROW…]]`; a row is chosen by a part of its name.
//! `--profile ROW` repeats our side of one row for ten seconds, for a profiler to look at.
//!
//! Receivers are a process of their own and do as little as a receiver can; everything else is this one, of two workers:
//! who publishes, too. Each run has a store of its own on the disk of the temporary folder. An event and its deliveries are
//! synced before the bus's ack, an outcome after the answer; a run ends when all outcomes are stored, and then every
//! delivery is counted at the receivers and in the store. The result is the median of the paired ratios; `cpu` is this
//! process's time per delivery only.
#![allow(clippy::print_stdout, clippy::panic, reason = "a benchmark's table goes to standard output")]

#[path = "../../../eventbus/benches/local/arguments.rs"]
#[allow(dead_code, reason = "shared with the local bus, which also measures memory")]
mod arguments;
#[path = "../../../eventbus/benches/local/compare.rs"]
mod compare;
mod content;
#[path = "../../../eventbus/benches/local/cpu.rs"]
mod cpu;
#[path = "../../../eventbus/benches/local/events.rs"]
#[allow(dead_code, reason = "shared with the local bus, which has rows of many types")]
mod events;
mod fill;
mod flow;
mod growth;
mod latency;
mod load;
mod ours;
mod program;
mod receivers;
#[path = "../../../eventbus/benches/local/table.rs"]
#[allow(dead_code, reason = "shared with the local bus, which has other goals")]
mod table;
mod twin;
mod twin_store;

use arguments::{Arguments, Mode};

/// The program's, for everybody who is compared.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [argument, answering, hanging] = &words[..]
        && argument == receivers::ARGUMENT
    {
        let number = |text: &String| text.parse().expect("a number");
        return runtime(1).block_on(receivers::receive(number(answering), number(hanging)));
    }
    let arguments = Arguments::parse(words.into_iter());
    runtime(2).block_on(async {
        match &arguments.mode {
            Mode::Profile(row) => flow::repeat(row).await,
            _ => {
                table::head();
                flow::rows(&arguments).await;
                content::rows(&arguments).await;
                latency::rows(&arguments).await;
                growth::rows(&arguments).await;
            }
        }
    });
}

fn runtime(workers: usize) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    runtime.expect("a runtime needs nothing but threads")
}
