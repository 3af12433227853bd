//! Forgetting what is old, while the bridge runs: in small steps, so that deliveries never wait for it.

use std::sync::Arc;
use std::time::Duration;

use eventbus::Timestamp;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::model::Retention;
use crate::store::Store;

/// How often it looks for what is old.
const EVERY: Duration = Duration::from_secs(60);
/// How many times as long as a step took it leaves the store to others.
const REST: u32 = 4;
/// A clock that gained so much on the machine's own jumped.
const JUMP: Duration = Duration::from_secs(3600);

/// Forgets what is older than it is kept, until it is stopped.
pub async fn keep(
    store: Arc<dyn Store>,
    (keep, metrics): (Retention, Arc<Metrics>),
    stop: CancellationToken,
) {
    let mut clock = Clock::new(keep.doubt(), (Instant::now(), Timestamp::now()));
    loop {
        let wait = match clock.is_trusted(Instant::now(), Timestamp::now()) {
            true => step(&*store, keep, &metrics).await,
            false => EVERY,
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(wait) => {}
        }
    }
}

/// The clock on the wall beside the machine's own, which never jumps. It is not believed at first, for it may not have been
/// set yet, nor after a jump: what is forgotten never comes back.
struct Clock {
    seen: (Instant, Timestamp),
    doubted: Instant,
    doubt: Duration,
}

impl Clock {
    fn new(doubt: Duration, seen: (Instant, Timestamp)) -> Self {
        Self { seen, doubted: seen.0, doubt }
    }

    /// Whether the wall's clock went on as the machine's since it was looked at, and did so for a while.
    fn is_trusted(&mut self, instant: Instant, wall: Timestamp) -> bool {
        let expected = self.seen.1.plus(instant - self.seen.0);
        if wall.since(expected) > JUMP {
            tracing::error!(%expected, %wall, "the clock jumped: nothing is forgotten for a while");
            self.doubted = instant;
        }
        self.seen = (instant, wall);
        instant - self.doubted >= self.doubt
    }
}

/// One step; says how long to wait until the next one.
async fn step(store: &dyn Store, keep: Retention, metrics: &Metrics) -> Duration {
    let began = Instant::now();
    let pruned = store.prune(keep, Timestamp::now()).await;
    if let Ok(pruned) = &pruned {
        metrics.expired(pruned.expired);
        metrics.cancelled(pruned.cancelled);
    }
    match pruned {
        Ok(pruned) if pruned.more => began.elapsed() * REST,
        Ok(_) => EVERY,
        Err(error) => {
            tracing::error!(%error, "what is old could not be forgotten");
            EVERY
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_jumps_forward_is_not_believed_for_an_hour() {
        let (mut instant, mut wall) = (Instant::now(), Timestamp::now());
        let mut clock = Clock::new(Duration::from_secs(3600), (instant, wall));
        let mut after = |machine: u64, gained: u64| {
            instant += Duration::from_secs(machine);
            wall = wall.plus(Duration::from_secs(machine + gained));
            clock.is_trusted(instant, wall)
        };
        assert!(!after(60, 0), "nor is one that was not set yet");
        assert!(!after(3_539, 0));
        assert!(after(1, 0));
        assert!(after(90_000, 3), "a little is what clocks do");
        assert!(!after(60, 86_400 * 91));
        assert!(!after(60, 0));
        assert!(!after(3_539, 0));
        assert!(after(1, 0));
    }
}
