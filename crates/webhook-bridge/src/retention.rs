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

/// Forgets what is older than it is kept, until it is stopped.
pub async fn keep(
    store: Arc<dyn Store>,
    (keep, metrics): (Retention, Arc<Metrics>),
    stop: CancellationToken,
) {
    loop {
        let wait = step(&*store, keep, &metrics).await;
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(wait) => {}
        }
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
