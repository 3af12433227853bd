//! What comes on a channel, in the order in which it was sent: its consumers are read one beside the other, and one of
//! them may be behind.

use std::collections::BTreeMap;

/// Puts what comes on a channel in order again, by delivery tags: they count up without a gap.
#[derive(Debug)]
pub(super) struct Sequence<T> {
    /// The tag of what is next.
    next: u64,
    /// What came before what was sent before it.
    ahead: BTreeMap<u64, T>,
}

impl<T> Sequence<T> {
    /// The tag that comes next, when others were read before.
    pub(super) fn new(next: u64) -> Self {
        Self { next, ahead: BTreeMap::new() }
    }

    pub(super) fn came(&mut self, tag: u64, what: T) {
        self.ahead.insert(tag, what);
    }

    /// Takes what is next, unless something that was sent before it has not come.
    pub(super) fn pop(&mut self) -> Option<T> {
        let first = self.ahead.first_entry().filter(|first| *first.key() <= self.next)?;
        self.next += u64::from(*first.key() == self.next);
        Some(first.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(sequence: &mut Sequence<char>) -> String {
        std::iter::from_fn(|| sequence.pop()).collect()
    }

    #[test]
    fn nothing_is_taken_before_what_was_sent_before_it() {
        let mut sequence = Sequence::new(2);
        // A mark comes on the short stream; what was sent before it is still on the long one.
        sequence.came(4, 'm');
        assert_eq!(all(&mut sequence), "");
        sequence.came(2, 'a');
        assert_eq!(all(&mut sequence), "a");
        sequence.came(5, 'c');
        sequence.came(3, 'b');
        assert_eq!(all(&mut sequence), "bmc");
    }
}
