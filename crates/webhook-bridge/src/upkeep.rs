//! What has to be done now and then: what ran out is forgotten.

use std::sync::Arc;
use std::time::Duration;

use eventbus::Timestamp;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::store::Store;

/// How often: what ran out is kept for so much longer at most.
const EVERY: Duration = Duration::from_secs(5);

/// Forgets what ran out, until it is stopped.
pub async fn run(store: Arc<dyn Store>, stop: CancellationToken) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        loop {
            match store.expire(Timestamp::now()).await {
                Ok(0) => break,
                Ok(_) if stop.is_cancelled() => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(%error, "what ran out could not be forgotten");
                    break;
                }
            }
        }
    }
}
