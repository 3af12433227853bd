//! Dead letters of one group, in memory and bounded.

use std::collections::BTreeMap;
use std::sync::Weak;

use async_trait::async_trait;

use super::group::GroupQueue;
use super::message::Stored;
use super::sync::{Arc, Mutex, lock};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Timestamp;
use crate::transport::{Body, DeadLetter, DeadLetters, Reason};

/// The dead letters of a group; the instances of a broadcast group share one.
#[derive(Default)]
pub(super) struct DeadStore(Mutex<State>);

#[derive(Default)]
struct State {
    letters: BTreeMap<u64, Entry>,
    next: u64,
}

/// One dead letter.
pub(super) struct Entry {
    pub(super) stored: Stored,
    pub(super) reason: Reason,
    pub(super) attempts: u32,
    pub(super) holds_key: bool,
    pub(super) time: Timestamp,
    /// Whose message it was.
    pub(super) group: Weak<GroupQueue>,
}

impl DeadStore {
    pub(super) fn len(&self) -> usize {
        lock(&self.0).letters.len()
    }

    pub(super) fn push(&self, entry: Entry) {
        let mut state = lock(&self.0);
        state.next += 1;
        let id = state.next;
        state.letters.insert(id, entry);
    }

    /// Lets the dead letters of one queue go: with it, there is nowhere to put them back.
    pub(super) fn forget(&self, queue: &Arc<GroupQueue>) {
        lock(&self.0).letters.retain(|_, entry| !std::ptr::eq(entry.group.as_ptr(), Arc::as_ptr(queue)));
    }

    fn remove(&self, id: u64) -> Option<Entry> {
        lock(&self.0).letters.remove(&id)
    }

    fn list(&self, after: Option<u64>, limit: usize) -> Vec<DeadLetter> {
        let state = lock(&self.0);
        let from = after.map_or(0, |after| after.saturating_add(1));
        state.letters.range(from..).take(limit).map(|(id, entry)| entry.letter(*id)).collect()
    }
}

impl Entry {
    fn letter(&self, id: u64) -> DeadLetter {
        DeadLetter {
            id,
            body: Body::Event(self.stored.event.clone()),
            reason: self.reason,
            attempts: self.attempts,
            history: self.stored.history.as_deref().cloned().unwrap_or_default(),
            time: self.time,
            holds_key: self.holds_key,
        }
    }
}

/// The dead letters of a group by name; the group may not exist.
pub(super) struct LocalDeadLetters(pub(super) Option<Arc<DeadStore>>);

impl std::fmt::Debug for LocalDeadLetters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let len = self.0.as_ref().map(|store| store.len());
        f.debug_tuple("LocalDeadLetters").field(&len).finish()
    }
}

impl LocalDeadLetters {
    fn store(&self) -> Result<&DeadStore> {
        self.0.as_deref().ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no such group"))
    }
}

#[async_trait]
impl DeadLetters for LocalDeadLetters {
    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>> {
        Ok(self.store()?.list(after, limit))
    }

    async fn redrive(&self, id: u64) -> Result<bool> {
        let store = self.store()?;
        let Some(entry) = store.remove(id) else { return Ok(false) };
        let Some(group) = entry.group.upgrade() else {
            let gone = "the instance this dead letter belonged to is gone";
            lock(&store.0).letters.insert(id, entry);
            return Err(Error::new(ErrorKind::Conflict, gone));
        };
        group.revive(entry.stored);
        Ok(true)
    }

    async fn purge(&self, id: u64) -> Result<bool> {
        let Some(entry) = self.store()?.remove(id) else { return Ok(false) };
        if let Some(group) = entry.group.upgrade() {
            group.release(&entry.stored);
        }
        Ok(true)
    }
}
