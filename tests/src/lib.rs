//! Models of what threads share inside the bus: the bus's own sources, run by a scheduler that tries interleavings.
//!
//! The sources are included by path next to a `sync` module that supplies the scheduler's primitives instead of the
//! standard library's, and find a map over those under the name of the concurrent map they use. The wakers and the
//! notifications of other crates are taken to be right: each call of theirs happens at once.

// The unit tests in the included sources run where they belong: outside of a model these primitives do not work.
#![cfg(not(test))]

extern crate self as dashmap;

mod error;
mod event;
mod map;
mod transport;

pub mod local;

use std::sync::Arc;

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

#[doc(hidden)]
pub use map::DashMap;

/// How many interleavings each scheduler tries, unless the environment says otherwise.
const ROUNDS: usize = 1_000;
/// How often a thread is preempted at most by the scheduler that looks for bugs needing few preemptions.
const PREEMPTIONS: usize = 3;
/// Threads of a model are coroutines; publishing an event needs more stack than their default.
const STACK: usize = 256 * 1024;

/// Runs a model under many interleavings: drawn at random, and with few preemptions at places drawn at random.
///
/// `EVENTBUS_MODEL_ROUNDS` sets how many of each. A model that fails prints the schedule that `shuttle::replay` repeats.
pub fn explore(model: impl Fn() + Send + Sync + 'static) {
    let rounds = std::env::var("EVENTBUS_MODEL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let (rounds, model) = (rounds.unwrap_or(ROUNDS), Arc::new(model));
    run(RandomScheduler::new(rounds), &model);
    run(PctScheduler::new(PREEMPTIONS, rounds), &model);
}

fn run(scheduler: impl Scheduler + 'static, model: &Arc<impl Fn() + Send + Sync + 'static>) {
    let mut config = Config::new();
    config.stack_size = STACK;
    let model = Arc::clone(model);
    Runner::new(scheduler, config).run(move || model());
}
