//! The figures of a ledger, for reports.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use super::{Book, End, Ledger, Outcome, What};
use crate::event::EventId;

/// The figures of a ledger; all groups together where it is about handlings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Events that were published.
    pub published: usize,
    /// Those of them whose publishing was confirmed.
    pub confirmed: usize,
    /// Times that publishing was answered with an error that leaves open whether it is stored, or not at all.
    pub unknown: usize,
    /// Events that were handled with success, counted once for each group.
    pub handled: usize,
    /// Successes after the first one of an event in a group.
    pub duplicates: usize,
    /// Handlings that were cut off with their members.
    pub cut: usize,
    /// The longest time from there until the message was handed out again.
    pub slowest_return: Duration,
    /// The longest time until work went on after an outage; 0 when there was none.
    pub slowest_recovery: Duration,
}

impl Ledger {
    /// Work went on after an outage, this long after the server was there again.
    pub fn recovered(&self, after: Duration) {
        let mut book = self.book();
        book.recovery = book.recovery.max(after);
    }

    /// The figures so far.
    pub fn summary(&self) -> Summary {
        Summary::of(&self.book())
    }
}

impl Summary {
    fn of(book: &Book) -> Self {
        let distinct = |wanted: Option<Outcome>| {
            let of = book.published.iter().filter(|one| wanted.is_none_or(|outcome| one.outcome == outcome));
            of.map(|one| one.event.id()).collect::<HashSet<_>>().len()
        };
        let mut summary = Self {
            published: distinct(None),
            confirmed: distinct(Some(Outcome::Stored)),
            unknown: book.published.iter().filter(|one| one.outcome == Outcome::Unknown).count(),
            slowest_recovery: book.recovery,
            ..Self::default()
        };
        summary.count_handlings(book);
        summary
    }

    fn count_handlings(&mut self, book: &Book) {
        let mut handled: HashSet<(&str, &EventId)> = HashSet::new();
        let mut lost: HashMap<(&str, &EventId), Instant> = HashMap::new();
        for entry in &book.log {
            let of = (entry.group.as_str(), &entry.event);
            match entry.what {
                What::Ended { end: End::Acked, .. } if handled.insert(of) => self.handled += 1,
                What::Ended { end: End::Acked, .. } => self.duplicates += 1,
                What::Ended { end: End::Cut, .. } => {
                    self.cut += 1;
                    lost.insert(of, entry.at);
                }
                What::Started { .. } => {
                    let took = lost.remove(&of).map_or(Duration::ZERO, |since| entry.at - since);
                    self.slowest_return = self.slowest_return.max(took);
                }
                _ => {}
            }
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { published, confirmed, unknown, handled, duplicates, cut, .. } = self;
        write!(f, "published {published}, confirmed {confirmed}, unknown {unknown}, handled {handled}, ")?;
        write!(f, "duplicates {duplicates}, cut {cut}, slowest return {:.1?}, ", self.slowest_return)?;
        write!(f, "slowest recovery {:.1?}", self.slowest_recovery)
    }
}
