//! A benchmark of ingress: webhooks that are verified, on Redis and remembered, per second, beside a bare axum handler that only
//! verifies them.
//!
//! `cargo bench -p webhook-bridge --bench ingress [-- [--quick] [--reps N] [ROW…]]`; a row is chosen by a part of its name.
//!
//! The bridge is its program, subscribed to the same bus: while it is measured it also stores what comes back by it. In the rows
//! "ingress alone" that is for others (`subscribe = false`), whose group is there, and nobody reads. The handler is this
//! program again, with the same verifier. Each answers from a process of its own of two workers, to requests that were
//! signed before, from this one: as many connections as the row says, a request on each at a time. A run ends with the last
//! answer. Redis is a private one.
#![allow(clippy::print_stdout, clippy::panic, reason = "a benchmark's table goes to standard output")]

#[path = "../../../eventbus/benches/local/arguments.rs"]
#[allow(dead_code, reason = "shared with the local bus, which also measures memory and has profiles")]
mod arguments;
#[path = "../../../eventbus/benches/local/compare.rs"]
mod compare;
mod redis;
mod requests;
mod servers;
#[path = "../../../eventbus/benches/local/table.rs"]
#[allow(dead_code, reason = "shared with the local bus, which has other goals")]
mod table;

use arguments::Arguments;
use compare::{Ratio, Side, interleave, median};
use redis::Redis;
use requests::Requests;
use servers::{Server, VERIFY};
use table::{Goal, Line, rate};

/// Requests of a full run.
const REQUESTS: usize = 40_000;
/// Name, `appendfsync`, connections, whether the bridge also stores what comes back by the bus.
const ROWS: [(&str, &str, usize, &str); 6] = [
    ("Redis, 64 connections", "everysec", 64, "true"),
    ("Redis, 8 connections", "everysec", 8, "true"),
    ("Redis, appendfsync always, 64", "always", 64, "true"),
    ("Redis, 64, ingress alone", "everysec", 64, "false"),
    ("Redis, 8, ingress alone", "everysec", 8, "false"),
    ("Redis, always, 64, ingress alone", "always", 64, "false"),
];

/// The program's, for everybody who is compared.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words == [VERIFY] {
        return runtime(2).block_on(servers::verify());
    }
    let arguments = Arguments::parse(words.into_iter());
    runtime(1).block_on(async {
        table::head();
        for (row, sync, connections, subscribe) in ROWS.into_iter().filter(|(row, ..)| arguments.wants(row)) {
            let count = arguments.scaled(REQUESTS).max(connections);
            let ours = Side::new(move || async move {
                let redis = Redis::start(sync);
                measured(Server::bridge(&redis.url(), subscribe), count, connections).await
            });
            let bare = Side::new(move || measured(Server::bare(), count, connections));
            let runs = interleave(arguments.reps, &[ours, bare]).await;
            let text = |runs: &[f64]| rate(median(runs));
            let (ours, theirs) = (text(&runs[0]), format!("axum, verifying {}", text(&runs[1])));
            let ratio = Ratio::of(&runs[0], &runs[1]);
            Line { row, ours, theirs, ratio, cpu: None, goal: Goal::AtLeast(0.5) }.print();
        }
    });
}

/// Requests per second; each of them is answered 200.
async fn measured(server: Server, count: usize, connections: usize) -> f64 {
    let requests = Requests::sign(count, connections);
    let took = requests.send(server.address()).await;
    count as f64 / took.as_secs_f64()
}

fn runtime(workers: usize) -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    runtime.expect("a runtime needs nothing but threads")
}
