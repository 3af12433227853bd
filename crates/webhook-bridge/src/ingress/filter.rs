//! What may have come before: a Bloom filter, so that the store is not asked about what is new.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::model::InboundDigest;

/// Bits: 8 MiB of them know 6 million webhooks with one wrong guess in a hundred, which costs a look into the store. With more,
/// more are looked up.
const BITS: u64 = 1 << 26;
/// Bits of each webhook.
const EACH: u64 = 4;

/// Says of nothing it was given that it cannot have come.
#[derive(Debug)]
pub(super) struct Filter {
    words: Box<[AtomicU64]>,
    hasher: RandomState,
    /// Whether it was given all that is stored.
    complete: AtomicBool,
}

impl Filter {
    /// One that was given nothing, and says of everything that it may have come until it is complete.
    pub(super) fn new() -> Self {
        let words = (0..BITS / 64).map(|_| AtomicU64::new(0)).collect();
        Self { words, hasher: RandomState::new(), complete: AtomicBool::new(false) }
    }

    /// One without room, for a bridge that takes no webhooks.
    pub(super) fn none() -> Self {
        Self { words: Box::default(), hasher: RandomState::new(), complete: AtomicBool::new(false) }
    }

    /// All that is stored was given to it.
    pub(super) fn complete(&self) {
        self.complete.store(true, Ordering::Release);
    }

    pub(super) fn add(&self, digest: InboundDigest) {
        for bit in self.bits(digest) {
            if let Some(word) = self.words.get((bit / 64) as usize) {
                word.fetch_or(1 << (bit % 64), Ordering::Relaxed);
            }
        }
    }

    pub(super) fn may_have(&self, digest: InboundDigest) -> bool {
        let is_set = |bit: u64| {
            let word = self.words.get((bit / 64) as usize);
            word.is_none_or(|word| word.load(Ordering::Relaxed) & 1 << (bit % 64) != 0)
        };
        !self.complete.load(Ordering::Acquire) || self.bits(digest).all(is_set)
    }

    /// Its bits: two halves of one hash make as many as are wanted.
    fn bits(&self, digest: InboundDigest) -> impl Iterator<Item = u64> {
        let hash = self.hasher.hash_one(digest);
        let (first, step) = (hash >> 32, hash | 1);
        (0..EACH).map(move |number| first.wrapping_add(number.wrapping_mul(step)) % BITS)
    }
}

#[cfg(test)]
mod tests {
    use eventbus::Timestamp;

    use super::*;
    use crate::model::{Inbound, Mode};

    fn inbound(number: u32, mode: Mode) -> InboundDigest {
        Inbound::new(("shop", mode, &format!("evt_{number}")), Timestamp::from_millis(0)).digest
    }

    #[test]
    fn what_it_was_given_may_have_come_and_little_else() {
        let filter = Filter::new();
        assert!(filter.may_have(inbound(1, Mode::Live)), "it does not know yet");
        (0..100_000).for_each(|number| filter.add(inbound(number, Mode::Live)));
        filter.complete();
        assert!((0..100_000).all(|number| filter.may_have(inbound(number, Mode::Live))));
        let wrong = (100_000..200_000).filter(|number| filter.may_have(inbound(*number, Mode::Live))).count();
        assert!(wrong < 100, "{wrong}");
        assert!(!filter.may_have(inbound(1, Mode::Test)), "another mode's");
    }
}
