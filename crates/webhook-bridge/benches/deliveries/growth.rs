//! What grows with what is stored, and should not: the cost of a delivery, and memory.

use std::time::Duration;

use crate::arguments::Arguments;
use crate::compare::{Side, interleave, median};
use crate::fill;
use crate::load::{Load, Pace, bound, line, once};
use crate::ours::Ours;
use crate::program::Program;
use crate::receivers::Receivers;
use crate::table::Goal;

const MEMORY: f64 = 100.0;
/// How long the program works on what is pending before its memory is looked at.
const WORK: Duration = Duration::from_secs(20);

pub(crate) async fn rows(arguments: &Arguments) {
    cost(arguments).await;
    memory(arguments).await;
}

/// The same deliveries with more and more of them stored before.
async fn cost(arguments: &Arguments) {
    const STORED: [(&str, usize); 3] = [
        ("growth-1k: 10^3 stored", 1_000),
        ("growth-100k: 10^5 beside 10^3", 100_000),
        ("growth-1m: 10^6 beside 10^3", 1_000_000),
    ];
    if !STORED.iter().any(|(name, _)| arguments.wants(name)) {
        return;
    }
    let load = Load::new(arguments.scaled(5_000), 10, Pace::Burst);
    let side = |&(_, stored): &(&str, usize)| {
        let load = Load { stored: arguments.scaled(stored), ..load.clone() };
        Side::new(move || once::<Ours>(load.clone()))
    };
    let runs = interleave(arguments.reps.min(3), &STORED.each_ref().map(side)).await;
    for ((name, _), of) in STORED.iter().zip(&runs).skip(1) {
        line(name, of, ("10^3", &runs[0]), Goal::AtLeast(0.9));
    }
    let costs = |side: usize| median(&runs[side].iter().map(|run| run.cpu / 1e3).collect::<Vec<_>>());
    bound("growth: cpu at 10^6 by that at 10^3", (costs(2) / costs(0), 1.1), "times");
}

/// The program with a million pending, half of them at an endpoint that hangs, half at one that answers.
async fn memory(arguments: &Arguments) {
    let row = "memory: 10^6 pending";
    if !arguments.wants(row) {
        return;
    }
    let (half, folder) = (arguments.scaled(500_000), tempfile::tempdir().expect("a temporary folder"));
    let mut receivers = Receivers::start(1, 1);
    let program = Program::start(folder.path());
    program.endpoint(&receivers.url(0), "quick.event").await;
    program.endpoint(&receivers.url(1), "stuck.event").await;
    program.stop();
    fill::pending(folder.path(), half, 1);
    fill::pending(folder.path(), half, 2);
    let program = Program::start(folder.path());
    tokio::time::sleep(WORK.mul_f64(arguments.scale.min(1.0))).await;
    bound(row, (program.memory(), MEMORY), "MiB");
    println!("    {} delivered meanwhile", receivers.count());
}
