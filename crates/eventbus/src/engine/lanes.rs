//! Lanes: one message of a key at a time, in order, while other keys flow.
//!
//! A pure state machine: it neither runs nor settles anything, it says what may.

use std::collections::{HashMap, VecDeque};

use foldhash::fast::RandomState;

use crate::event::Key;

/// The keys that are busy or held in one subscription.
///
/// A lane is *busy* while a message of its key runs: later ones queue. It is *held* from the moment a message of it is
/// to be retried, or died with its key held, until the transport is known to know: whatever was received before that
/// goes back.
#[derive(Debug)]
pub(crate) struct Lanes<M> {
    busy: HashMap<Key, VecDeque<M>, RandomState>,
    held: HashMap<Key, Held, RandomState>,
    queued: usize,
    /// The receive that brought the last admitted message.
    admitted: u64,
}

/// How far the transport may be ignorant of a held key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    /// The settlement that holds it goes, or went, with this batch.
    Settling(u64),
    /// It is applied; this receive was under way then and is the last that may have missed it.
    Until(u64),
}

/// What may happen to a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission<M> {
    /// It may run now.
    Run(M),
    /// It waits in its lane.
    Queued,
    /// It goes back to the transport, which holds its key.
    Return(M),
}

impl<M> Default for Lanes<M> {
    fn default() -> Self {
        Self { busy: HashMap::default(), held: HashMap::default(), queued: 0, admitted: 0 }
    }
}

impl<M> Lanes<M> {
    /// How many messages wait in lanes.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// The messages that wait in lanes.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &M> {
        self.busy.values().flatten()
    }

    /// Admits a message that the receive numbered `receive` brought; receives are admitted in order.
    pub(crate) fn admit(&mut self, key: &Key, receive: u64, message: M) -> Admission<M> {
        if !self.held.is_empty() {
            if receive > self.admitted {
                self.held.retain(|_, held| !matches!(held, Held::Until(last) if *last < receive));
            }
            if self.held.contains_key(key) {
                return Admission::Return(message);
            }
        }
        self.admitted = receive;
        match self.busy.get_mut(key) {
            None => Admission::Run(message),
            Some(lane) => {
                lane.push_back(message);
                self.queued += 1;
                Admission::Queued
            }
        }
    }

    /// A message of the key runs and has not finished yet.
    pub(crate) fn occupy(&mut self, key: &Key) {
        self.busy.entry(key.clone()).or_default();
    }

    /// The running message of the key is done: gives the next one, which is running from now on.
    pub(crate) fn advance(&mut self, key: &Key) -> Option<M> {
        let next = self.busy.get_mut(key)?.pop_front();
        match next {
            Some(_) => self.queued -= 1,
            None => drop(self.busy.remove(key)),
        }
        next
    }

    /// The running message of the key waits for its retry, or died with its key held, by a settlement that goes with
    /// the batch numbered `batch`: gives what has to go back.
    pub(crate) fn hold(&mut self, key: &Key, batch: u64) -> VecDeque<M> {
        self.held.insert(key.clone(), Held::Settling(batch));
        let lane = self.busy.remove(key).unwrap_or_default();
        self.queued -= lane.len();
        lane
    }

    /// A batch of settlements is applied while the receive numbered `receive` is the latest.
    pub(crate) fn settled(&mut self, batch: u64, receive: u64) {
        for held in self.held.values_mut() {
            if *held == Held::Settling(batch) {
                *held = Held::Until(receive);
            }
        }
    }

    /// A settlement of a batch was refused and goes again with the next one: until then the transport knows nothing of
    /// its hold.
    pub(crate) fn unsettled(&mut self, batch: u64) {
        for held in self.held.values_mut() {
            if *held == Held::Settling(batch) {
                *held = Held::Settling(batch + 1);
            }
        }
    }

    /// Gives back everything that waits in lanes; what runs goes on.
    pub(crate) fn drain(&mut self) -> Vec<M> {
        self.queued = 0;
        self.busy.values_mut().flat_map(std::mem::take).collect()
    }

    /// The membership is lost, and with it every message that waited here and every hold: the transport starts anew
    /// from what it knows.
    pub(crate) fn lose(&mut self) {
        self.drain();
        self.held.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &'static str) -> Key {
        Key::new(name).unwrap()
    }

    #[test]
    fn a_key_runs_one_at_a_time_and_others_flow() {
        let mut lanes = Lanes::default();
        assert_eq!(lanes.admit(&key("a"), 1, 1), Admission::Run(1));
        lanes.occupy(&key("a"));
        assert_eq!(lanes.admit(&key("a"), 1, 2), Admission::Queued);
        assert_eq!(lanes.admit(&key("b"), 1, 3), Admission::Run(3));
        assert_eq!(lanes.advance(&key("a")), Some(2));
        assert_eq!(lanes.advance(&key("a")), None);
        assert_eq!(lanes.admit(&key("a"), 1, 4), Admission::Run(4));
    }

    #[test]
    fn what_was_received_before_the_transport_knew_of_a_hold_goes_back() {
        let mut lanes = Lanes::default();
        lanes.occupy(&key("a"));
        lanes.admit(&key("a"), 1, 2);
        assert_eq!(lanes.hold(&key("a"), 7), [2]);
        assert_eq!(lanes.admit(&key("a"), 2, 3), Admission::Return(3));
        lanes.settled(7, 3);
        assert_eq!(lanes.admit(&key("a"), 3, 4), Admission::Return(4));
        assert_eq!(lanes.admit(&key("a"), 4, 5), Admission::Run(5));
    }
}
