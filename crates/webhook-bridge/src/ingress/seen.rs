//! One request at a time of an event: the same one at the same moment would be published twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::model::{Inbound, Mode};

type Key = (String, Mode, String);

/// What is under way.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<HashMap<Key, Arc<Turn<()>>>>>);

/// The turn of one request; the next one's when it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    seen: Seen,
    key: Key,
    turn: Option<OwnedMutexGuard<()>>,
}

impl Seen {
    /// Waits until no other request of this event is under way.
    pub(super) async fn turn(&self, inbound: &Inbound) -> Held {
        let key = (inbound.source.clone(), inbound.mode, inbound.event.clone());
        let turn = Arc::clone(self.map().entry(key.clone()).or_default());
        let mut held = Held { seen: self.clone(), key, turn: None };
        held.turn = Some(turn.lock_owned().await);
        held
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<Turn<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut map = self.seen.map();
        self.turn = None;
        // Whoever waits has one of its own.
        if map.get(&self.key).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            map.remove(&self.key);
        }
    }
}
