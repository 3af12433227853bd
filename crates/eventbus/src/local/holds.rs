//! Held keys: what waits behind a message that is to be tried again, or that died with `hold`.

use std::collections::{BTreeMap, HashMap};

use super::message::Stored;
use crate::event::{AnyEvent, Key};

/// The held keys of a group.
#[derive(Default)]
pub(super) struct Holds {
    keys: HashMap<Key, Hold>,
    parked: usize,
}

struct Hold {
    /// The position of the message everything else of the key waits for.
    owner: u64,
    /// Later messages, in the order of the log.
    parked: BTreeMap<u64, Stored>,
}

impl Holds {
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(super) fn parked(&self) -> usize {
        self.parked
    }

    /// Tells whether a message has to wait for another one.
    pub(super) fn blocks(&self, event: &AnyEvent, position: u64) -> bool {
        self.of(event).is_some_and(|hold| hold.owner != position)
    }

    fn of(&self, event: &AnyEvent) -> Option<&Hold> {
        self.keys.get(event.key()?)
    }

    /// Holds the key of a message until [`release`](Self::release); a key that is held already stays with its owner.
    pub(super) fn hold(&mut self, event: &AnyEvent, position: u64) {
        if let Some(key) = event.key() {
            self.keys.entry(key.clone()).or_insert_with(|| Hold { owner: position, parked: BTreeMap::new() });
        }
    }

    /// Parks a message that is [blocked](Self::blocks), or gives it back when it is not.
    pub(super) fn park(&mut self, stored: Stored) -> Option<Stored> {
        if !self.blocks(&stored.event, stored.position) {
            return Some(stored);
        }
        if let Some(hold) = stored.event.key().and_then(|key| self.keys.get_mut(key)) {
            hold.parked.insert(stored.position, stored);
            self.parked += 1;
        }
        None
    }

    /// Frees the key of a message if that message holds it; gives back what was parked, in order.
    pub(super) fn release(&mut self, event: &AnyEvent, position: u64) -> Vec<Stored> {
        if self.keys.is_empty() || self.of(event).is_none_or(|hold| hold.owner != position) {
            return Vec::new();
        }
        let hold = event.key().and_then(|key| self.keys.remove(key));
        let parked: Vec<Stored> = hold.into_iter().flat_map(|hold| hold.parked.into_values()).collect();
        self.parked -= parked.len();
        parked
    }
}
