//! One request at a time of an event: the same one at the same moment would be published twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::model::InboundDigest;

/// What is under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<HashMap<InboundDigest, Arc<Turn<()>>>>>);

/// The turn of one request; the next one's when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    seen: Seen,
    digest: InboundDigest,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Seen {
    /// Waits until no other request of this event is under way.
    pub(super) async fn turn(&self, digest: InboundDigest) -> Held {
        let turn = Arc::clone(self.map().entry(digest).or_default());
        let mut held = Held { seen: self.clone(), digest, turn: None };
        held.turn = Some(turn.lock_owned().await);
        held
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<InboundDigest, Arc<Turn<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut map = self.seen.map();
        self.turn = None;
        // Whoever waits has one of its own.
        if map.get(&self.digest).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            map.remove(&self.digest);
        }
    }
}
