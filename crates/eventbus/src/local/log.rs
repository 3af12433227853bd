//! An append-only log in segments: one writer at a time, any number of readers that take no lock.
//!
//! Groups with the same filters read one log, each with its own [`Cursor`]: publishing costs one append however many
//! groups there are, and a segment goes when the slowest of them has left it.

use std::sync::OnceLock;

use super::sync::{Arc, AtomicU64, Ordering};

/// How many entries a segment has: as many as there are bits in the mask of a [`Run`]'s unsettled entries.
pub(super) const SEGMENT: usize = 64;

/// A piece of the log. Entries are set once, before the position that covers them is published.
///
/// It knows nothing of what comes after it: who holds on to an entry for long holds its segment, not the log behind it.
pub(super) struct Segment<T> {
    entries: [OnceLock<T>; SEGMENT],
    first: u64,
}

impl<T> Segment<T> {
    /// The entry at an offset that was published.
    pub(super) fn entry(&self, offset: usize) -> &T {
        self.entries[offset].get().expect("positions are published after their entries are set")
    }

    /// The position of the entry at an offset.
    pub(super) fn position(&self, offset: usize) -> u64 {
        self.first + offset as u64
    }
}

/// A segment in its place: what cursors and the writing end go along.
struct Link<T> {
    segment: Arc<Segment<T>>,
    next: OnceLock<Arc<Link<T>>>,
}

impl<T> Link<T> {
    fn new(first: u64) -> Arc<Self> {
        let segment = Arc::new(Segment { entries: [const { OnceLock::new() }; SEGMENT], first });
        Arc::new(Self { segment, next: OnceLock::new() })
    }
}

impl<T> Drop for Link<T> {
    /// Lets a chain go link by link; nested drops would overflow the stack on a long backlog.
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(link) = next {
            next = Arc::into_inner(link).and_then(|mut link| link.next.take());
        }
    }
}

/// The writing end; its owner guards it with a lock.
pub(super) struct Tail<T> {
    link: Arc<Link<T>>,
    position: u64,
}

impl<T> Tail<T> {
    pub(super) fn new() -> Self {
        Self { link: Link::new(0), position: 0 }
    }

    /// The position the next entry gets.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Adds an entry; readers see it once its position is [published](Self::publish).
    pub(super) fn append(&mut self, entry: T) {
        let offset = offset(self.position);
        let stored = self.link.segment.entries[offset].set(entry);
        debug_assert!(stored.is_ok(), "each position is written once");
        self.position += 1;
        if offset + 1 == SEGMENT {
            let next = Link::new(self.position);
            let linked = self.link.next.set(Arc::clone(&next));
            debug_assert!(linked.is_ok(), "each segment is linked once");
            self.link = next;
        }
    }

    /// Lets readers see everything appended so far.
    pub(super) fn publish(&self, published: &AtomicU64) {
        published.store(self.position, Ordering::SeqCst);
    }

    /// A cursor at the end: it sees what is appended from now on.
    pub(super) fn cursor(&self) -> Cursor<T> {
        Cursor { link: Arc::clone(&self.link), position: self.position }
    }
}

/// A reader's place in the log.
pub(super) struct Cursor<T> {
    link: Arc<Link<T>>,
    position: u64,
}

/// Some entries of one segment that a reader took together.
pub(super) struct Run<T> {
    pub(super) segment: Arc<Segment<T>>,
    pub(super) from: usize,
    pub(super) len: usize,
}

impl<T> Cursor<T> {
    /// The position of the next entry to read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Takes up to `most` entries below `published`, all of one segment.
    pub(super) fn take(&mut self, published: u64, most: usize) -> Option<Run<T>> {
        let left = usize::try_from(published - self.position).unwrap_or(usize::MAX);
        let from = offset(self.position);
        let len = left.min(most).min(SEGMENT - from);
        if len == 0 {
            return None;
        }
        let run = Run { segment: Arc::clone(&self.link.segment), from, len };
        self.advance(len);
        Some(run)
    }

    /// Passes over entries below `published` until `position`.
    pub(super) fn skip_to(&mut self, position: u64) {
        while self.position < position {
            let left = usize::try_from(position - self.position).unwrap_or(usize::MAX);
            self.advance(left.min(SEGMENT - offset(self.position)));
        }
    }

    fn advance(&mut self, len: usize) {
        self.position += len as u64;
        if offset(self.position) == 0 && len > 0 {
            let next = self.link.next.get().expect("a full segment is linked before it is published");
            self.link = Arc::clone(next);
        }
    }
}

fn offset(position: u64) -> usize {
    (position % SEGMENT as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_see_everything_after_them_in_order() {
        let (mut tail, published) = (Tail::new(), AtomicU64::new(0));
        let mut early = tail.cursor();
        (0..100).for_each(|entry| tail.append(entry));
        tail.publish(&published);
        let mut late = tail.cursor();
        (100..200).for_each(|entry| tail.append(entry));
        tail.publish(&published);
        let read = |cursor: &mut Cursor<u64>| {
            let mut seen = Vec::new();
            while let Some(run) = cursor.take(published.load(Ordering::SeqCst), 7) {
                seen.extend((run.from..run.from + run.len).map(|offset| *run.segment.entry(offset)));
            }
            seen
        };
        assert_eq!(read(&mut early), (0..200).collect::<Vec<_>>());
        assert_eq!(read(&mut late), (100..200).collect::<Vec<_>>());
    }

    #[test]
    fn an_entry_that_is_held_for_long_pins_its_segment_and_no_more() {
        let (mut tail, published) = (Tail::new(), AtomicU64::new(0));
        let mut cursor = tail.cursor();
        let counted = Arc::new(());
        let mut held = None;
        for _ in 0..10 * SEGMENT as u64 {
            tail.append(Arc::clone(&counted));
            tail.publish(&published);
            let run = cursor.take(published.load(Ordering::SeqCst), 1).unwrap();
            held.get_or_insert(run);
        }
        // The held segment and the one under way, which is empty, beside this one.
        assert_eq!(Arc::strong_count(&counted), SEGMENT + 1);
    }

    #[test]
    fn a_long_backlog_is_dropped_without_deep_recursion() {
        let mut tail = Tail::new();
        let cursor = tail.cursor();
        (0..2_000_000).for_each(|entry: u32| tail.append(entry));
        drop(tail);
        drop(cursor);
    }
}
