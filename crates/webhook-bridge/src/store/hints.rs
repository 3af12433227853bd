//! Wake-ups from the store to the dispatcher: which endpoint has something due, and when.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use eventbus::Timestamp;
use tokio::sync::{Notify, watch};

use crate::model::EndpointKey;

/// What became due since it was last asked: one entry per endpoint, so bounded by their number whatever the load.
#[derive(Debug, Default)]
pub struct Hints {
    due: Mutex<HashMap<EndpointKey, Timestamp>>,
    bell: Notify,
    commits: watch::Sender<()>,
}

impl Hints {
    /// Notes that an endpoint has a delivery due at this time.
    pub(super) fn post(&self, hints: impl IntoIterator<Item = (EndpointKey, Timestamp)>) {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        for (endpoint, at) in hints {
            due.entry(endpoint).and_modify(|known| *known = at.min(*known)).or_insert(at);
        }
        drop(due);
        self.bell.notify_one();
    }

    /// Notes that something was committed.
    pub(super) fn committed(&self) {
        self.commits.send_replace(());
    }

    /// Changes whenever something was committed: for whoever looks at what is new. Any number may wait for it.
    pub fn commits(&self) -> watch::Receiver<()> {
        self.commits.subscribe()
    }

    /// Waits until there may be a hint. For one waiter; cancel safe.
    pub async fn wait(&self) {
        self.bell.notified().await;
    }

    /// Takes what was noted.
    pub fn take(&self) -> HashMap<EndpointKey, Timestamp> {
        std::mem::take(&mut self.due.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
