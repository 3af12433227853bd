//! What a subscription's task is told from outside, and what it tells of itself.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Context;
use std::time::Duration;

use futures::task::AtomicWaker;
use tokio::time::Instant;

use crate::transport::Backlog;

/// The longest that anything here is asked to wait; a deadline beyond it would be past the end of the clock.
pub(crate) const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What a subscription is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// Receive and handle.
    Run,
    /// Finish what runs, start nothing.
    Pause,
    /// Give back what has not started, finish what runs until this instant, then end.
    Stop(Instant),
}

/// The line between a subscription's task and its handles.
pub(crate) struct Control {
    command: Mutex<Command>,
    waker: AtomicWaker,
    pub(crate) stats: Stats,
    started: Instant,
}

/// What a subscription has done; every number only grows, but for the two gauges.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    pub(crate) acked: AtomicU64,
    pub(crate) retried: AtomicU64,
    pub(crate) dead: AtomicU64,
    pub(crate) returned: AtomicU64,
    pub(crate) aborted: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) settle_lost: AtomicU64,
    pub(crate) reopened: AtomicU64,
    /// Messages whose handlers run.
    pub(crate) running: AtomicU64,
    /// When the receive loop last turned, in milliseconds since the start.
    pub(crate) beat: AtomicU64,
    /// What a group held that went with its last member, as that member saw it when it left.
    pub(crate) left: Mutex<Option<Backlog>>,
    /// What is wrong at present.
    pub(crate) trouble: Mutex<Option<String>>,
}

impl Control {
    pub(crate) fn new() -> Self {
        let waker = AtomicWaker::new();
        Self { command: Mutex::new(Command::Run), waker, stats: Stats::default(), started: Instant::now() }
    }

    pub(crate) fn tell(&self, command: Command) {
        let mut current = lock(&self.command);
        // A stop is final; only its deadline may come closer.
        *current = match (*current, command) {
            (Command::Stop(first), Command::Stop(second)) => Command::Stop(first.min(second)),
            (Command::Stop(first), _) => Command::Stop(first),
            _ => command,
        };
        drop(current);
        self.waker.wake();
    }

    pub(crate) fn current(&self) -> Command {
        *lock(&self.command)
    }

    /// The order, with a wake-up for this task when it changes.
    pub(crate) fn watch(&self, context: &Context<'_>) -> Command {
        self.waker.register(context.waker());
        self.current()
    }

    pub(crate) fn beat(&self) {
        let millis = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.stats.beat.store(millis, Ordering::Relaxed);
    }

    /// How long ago the receive loop last turned.
    pub(crate) fn silence(&self) -> Duration {
        self.started.elapsed().saturating_sub(Duration::from_millis(self.stats.beat.load(Ordering::Relaxed)))
    }

    pub(crate) fn left(&self, backlog: Backlog) {
        *lock(&self.stats.left) = Some(backlog);
    }

    pub(crate) fn trouble(&self, what: Option<String>) {
        *lock(&self.stats.trouble) = what;
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
