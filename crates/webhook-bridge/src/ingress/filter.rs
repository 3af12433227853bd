//! What may have come before: a Bloom filter, so that the store is not asked about what is new.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::model::InboundDigest;

/// What is looked at of one webhook: a line of the processor's cache, so that it is fetched once.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line([AtomicU64; 8]);

/// Lines: 8 MiB of them know 6 million webhooks with one wrong guess in a hundred, which costs a look into the store. With
/// more, more are looked up.
const LINES: u64 = 1 << 17;
/// Bits of each webhook.
const EACH: u32 = 4;

/// Says of nothing it was given that it cannot have come.
#[derive(Debug)]
pub(super) struct Filter {
    lines: Box<[Line]>,
    hasher: RandomState,
    /// Whether it was given all that is stored.
    complete: AtomicBool,
}

impl Filter {
    /// One that was given nothing, and says of everything that it may have come until it is complete.
    pub(super) fn new() -> Self {
        let lines = (0..LINES).map(|_| Line::default()).collect();
        Self { lines, hasher: RandomState::new(), complete: AtomicBool::new(false) }
    }

    /// One without room, for a bridge that takes no webhooks.
    pub(super) fn none() -> Self {
        Self { lines: Box::default(), hasher: RandomState::new(), complete: AtomicBool::new(false) }
    }

    /// All that is stored was given to it.
    pub(super) fn complete(&self) {
        self.complete.store(true, Ordering::Release);
    }

    pub(super) fn add(&self, digest: InboundDigest) {
        for (word, bit) in self.bits(digest) {
            word.fetch_or(bit, Ordering::Relaxed);
        }
    }

    pub(super) fn may_have(&self, digest: InboundDigest) -> bool {
        let is_set = |(word, bit): (&AtomicU64, u64)| word.load(Ordering::Relaxed) & bit != 0;
        !self.complete.load(Ordering::Acquire) || self.bits(digest).all(is_set)
    }

    /// Its bits, each with its word of the line: parts of one hash that have nothing in common.
    fn bits(&self, digest: InboundDigest) -> impl Iterator<Item = (&AtomicU64, u64)> {
        let hash = self.hasher.hash_one(digest);
        let line = self.lines.get((hash % LINES) as usize).into_iter();
        let bit = move |number| (hash >> (64 - 9 * (number + 1))) as usize % 512;
        line.flat_map(move |Line(words)| {
            (0..EACH).map(move |number| (&words[bit(number) / 64], 1 << (bit(number) % 64)))
        })
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
