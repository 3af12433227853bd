//! The ledger of a case: every event, every handling of it, every settlement, and the invariants over all of them.
//!
//! Nothing is de-duplicated before it is compared: a repetition is an entry of its own, and is counted.

mod elsewhere;
mod invariants;
mod report;
mod seen;
mod summary;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::OnDeadLetter;
use crate::error::{ErrorKind, Result};
use crate::event::{AnyEvent, EventId, Filter};

pub(super) use elsewhere::Elsewhere;
pub use report::{Breach, Invariant};
pub(super) use seen::Seen;
pub use summary::Summary;

/// The book of everything that happened to the events of a case. Clones write the same book.
#[derive(Clone)]
pub struct Ledger(Arc<Mutex<Book>>);

/// What a case allows; everything that is not allowed is a breach.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bounds {
    /// Messages that may be handled again after a handling that succeeded.
    duplicates: usize,
    /// Attempts no handler saw: those of messages that were held, not started, by a member that was lost.
    unseen_attempts: usize,
    /// Whether keys keep their order, and whether a dead letter holds its key.
    order: Option<OnDeadLetter>,
    /// Whether events may still be on their way.
    unfinished: bool,
}

/// How a handling ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// It succeeded.
    Acked,
    /// It failed and is to be tried again.
    Failed,
    /// It failed for good.
    Dead,
    /// Its member was lost with it: the message comes again and the attempt counts.
    Cut,
    /// It was given back: the message comes again and the attempt does not count.
    Returned,
}

/// One handling of a message, from its start to its end. Dropping it without an end means that it was [`End::Cut`].
#[must_use = "a handling that is dropped counts as cut"]
pub struct Handling {
    ledger: Ledger,
    number: u64,
    open: bool,
}

struct Book {
    seed: u64,
    since: Instant,
    groups: BTreeMap<String, Wanted>,
    published: Vec<Publication>,
    /// In the order of time.
    log: Vec<Entry>,
    /// How many handlings have started and ended in each group, so that waiting for a number is cheap.
    counts: BTreeMap<String, Counts>,
    handlings: u64,
    /// Handlings that have not ended.
    open: BTreeMap<u64, Open>,
    /// The longest time until work went on after an outage.
    recovery: Duration,
}

#[derive(Default)]
struct Counts {
    started: usize,
    ended: [usize; 5],
}

struct Open {
    group: String,
    member: String,
    event: EventId,
    since: Instant,
}

/// What a group wants: what its filters match of everything published from a point on.
struct Wanted {
    filters: Vec<Filter>,
    since: usize,
}

struct Publication {
    event: AnyEvent,
    outcome: Outcome,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Stored,
    NotStored,
    /// Under way, or the answer was lost.
    Unknown,
}

struct Entry {
    group: String,
    event: EventId,
    at: Instant,
    what: What,
}

enum What {
    Started {
        handling: u64,
        member: String,
        attempt: u32,
    },
    Ended {
        handling: u64,
        end: End,
    },
    /// A settlement that ends a message was applied.
    Settled,
    /// Put back from the dead letters.
    Redriven,
    /// Removed from the dead letters.
    Purged,
    /// The group was told of this many dropped events.
    Lost(u32),
}

impl Bounds {
    /// Allows nothing.
    pub fn strict() -> Self {
        Self::default()
    }

    /// Allows this many handlings after one that succeeded.
    #[must_use]
    pub fn duplicates(self, duplicates: usize) -> Self {
        Self { duplicates, ..self }
    }

    /// Allows this many attempts that were counted and that no handler saw.
    #[must_use]
    pub fn unseen_attempts(self, unseen_attempts: usize) -> Self {
        Self { unseen_attempts, ..self }
    }

    /// Demands order per key.
    #[must_use]
    pub fn ordered(self, then: OnDeadLetter) -> Self {
        Self { order: Some(then), ..self }
    }

    /// Allows events to be on their way still: nothing is missing yet.
    #[must_use]
    pub fn unfinished(self) -> Self {
        Self { unfinished: true, ..self }
    }
}

impl Ledger {
    /// An empty book; the seed is for its report.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Book {
            seed,
            since: Instant::now(),
            groups: BTreeMap::new(),
            published: Vec::new(),
            log: Vec::new(),
            counts: BTreeMap::new(),
            handlings: 0,
            open: BTreeMap::new(),
            recovery: Duration::ZERO,
        })))
    }

    /// A group exists from now on: it must get everything these filters match. Later calls for a group change nothing.
    pub fn group(&self, group: &str, filters: &[Filter]) {
        let mut book = self.book();
        let since = book.published.len();
        book.groups.entry(group.to_owned()).or_insert_with(|| Wanted { filters: filters.to_vec(), since });
    }

    /// An event is about to be published. Within a key, the order of these calls is the order to be kept.
    pub fn publishing(&self, event: &AnyEvent) {
        self.book().published.push(Publication { event: event.clone(), outcome: Outcome::Unknown });
    }

    /// The outcome of the latest publishing of an event.
    pub fn published<T>(&self, event: &AnyEvent, outcome: &Result<T>) {
        let outcome = match outcome.as_ref().map_err(crate::Error::kind) {
            Ok(_) => Outcome::Stored,
            Err(ErrorKind::Unknown) => Outcome::Unknown,
            Err(_) => Outcome::NotStored,
        };
        let mut book = self.book();
        if let Some(found) =
            book.published.iter_mut().rev().find(|published| published.event.id() == event.id())
        {
            found.outcome = outcome;
        }
    }

    /// An event was taken back before it was published.
    pub fn cancelled(&self, event: &AnyEvent) {
        self.published::<()>(event, &Err(crate::Error::new(ErrorKind::NotSent, "cancelled")));
    }

    /// A member of a group begins to handle a message.
    pub fn begin(&self, (group, member): (&str, &str), event: &AnyEvent, attempt: u32) -> Handling {
        let mut book = self.book();
        book.handlings += 1;
        let handling = book.handlings;
        let (event, since) = (event.id(), Instant::now());
        let open = Open { group: group.to_owned(), member: member.to_owned(), event: event.clone(), since };
        book.open.insert(handling, open);
        book.write(group, event, What::Started { handling, member: member.to_owned(), attempt });
        Handling { ledger: self.clone(), number: handling, open: true }
    }

    /// Everything a member was handling is cut off now.
    pub fn crash(&self, group: &str, member: &str) {
        self.book().crash_at(Instant::now(), group, member);
    }

    /// A settlement that ends a message was applied: nothing may be heard of the message any more.
    pub fn settled(&self, group: &str, event: &AnyEvent) {
        self.book().write(group, event.id(), What::Settled);
    }

    /// A dead letter is about to be put back.
    pub fn redriven(&self, group: &str, event: &AnyEvent) {
        self.book().write(group, event.id(), What::Redriven);
    }

    /// A dead letter is about to be removed.
    pub fn purged(&self, group: &str, event: &AnyEvent) {
        self.book().write(group, event.id(), What::Purged);
    }

    /// A message told its group of dropped events.
    pub fn lost(&self, group: &str, event: &AnyEvent, count: u32) {
        if count > 0 {
            self.book().write(group, event.id(), What::Lost(count));
        }
    }

    /// How many handlings in a group have ended like this.
    pub fn ended(&self, group: &str, with: End) -> usize {
        self.book().counts.get(group).map_or(0, |counts| counts.ended[with as usize])
    }

    /// How many handlings in a group have started.
    pub fn started(&self, group: &str) -> usize {
        self.book().counts.get(group).map_or(0, |counts| counts.started)
    }

    /// How many events a group was told were dropped.
    pub fn told(&self, group: &str) -> u64 {
        self.book().told(group)
    }

    /// When the handlings of an event in a group started, with their attempts.
    pub fn starts(&self, group: &str, event: &EventId) -> Vec<(Instant, u32)> {
        let book = self.book();
        let of = book.log.iter().filter(|entry| entry.group == group && entry.event == *event);
        of.filter_map(|entry| match entry.what {
            What::Started { attempt, .. } => Some((entry.at, attempt)),
            _ => None,
        })
        .collect()
    }

    /// The ids of the events whose handling succeeded in a group, in the order of success, repetitions included.
    pub fn acked(&self, group: &str) -> Vec<EventId> {
        let book = self.book();
        let acked = |entry: &&Entry| {
            entry.group == group && matches!(entry.what, What::Ended { end: End::Acked, .. })
        };
        book.log.iter().filter(acked).map(|entry| entry.event.clone()).collect()
    }

    /// What breaks an invariant.
    pub fn verify(&self, bounds: &Bounds) -> Vec<Breach> {
        invariants::breaches(&self.book(), bounds)
    }

    /// Fails with a report when an invariant is broken.
    pub fn check(&self, bounds: &Bounds) {
        let breaches = self.verify(bounds);
        assert!(breaches.is_empty(), "{}", report::of(&self.book(), &breaches));
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn write(&mut self, group: &str, event: &EventId, what: What) {
        self.write_at(Instant::now(), (group, event), what);
    }

    /// Writes what happened at this time to where it belongs, which is near the end.
    fn write_at(&mut self, at: Instant, (group, event): (&str, &EventId), what: What) {
        if !self.counts.contains_key(group) {
            self.counts.insert(group.to_owned(), Counts::default());
        }
        if let Some(counts) = self.counts.get_mut(group) {
            match what {
                What::Started { .. } => counts.started += 1,
                What::Ended { end, .. } => counts.ended[end as usize] += 1,
                _ => {}
            }
        }
        let place = self.log.iter().rposition(|entry| entry.at <= at).map_or(0, |before| before + 1);
        self.log.insert(place, Entry { group: group.to_owned(), event: event.clone(), at, what });
    }

    /// Ends a handling; one that has ended stays as it is.
    fn end(&mut self, handling: u64, end: End) {
        self.end_at(Instant::now(), handling, end);
    }

    fn end_at(&mut self, at: Instant, handling: u64, end: End) {
        if let Some(open) = self.open.remove(&handling) {
            self.write_at(at, (&open.group, &open.event), What::Ended { handling, end });
        }
    }

    /// Ends what a member was handling at this time, or began while it was being lost.
    fn crash_at(&mut self, at: Instant, group: &str, member: &str) {
        let of = |open: &Open| open.group == group && open.member == member;
        let cut =
            self.open.iter().filter(|(_, open)| of(open)).map(|(handling, open)| (*handling, open.since));
        let cut: Vec<(u64, Instant)> = cut.collect();
        cut.into_iter().for_each(|(handling, since)| self.end_at(at.max(since), handling, End::Cut));
    }

    fn told(&self, group: &str) -> u64 {
        let of = self.log.iter().filter(|entry| entry.group == group);
        of.map(|entry| if let What::Lost(count) = entry.what { u64::from(count) } else { 0 }).sum()
    }
}

impl Handling {
    /// Writes down how it ended.
    pub fn end(mut self, end: End) {
        self.open = false;
        self.ledger.book().end(self.number, end);
    }
}

impl Drop for Handling {
    fn drop(&mut self) {
        if self.open {
            self.ledger.book().end(self.number, End::Cut);
        }
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let book = self.book();
        write!(f, "Ledger({} published, {} entries)", book.published.len(), book.log.len())
    }
}

impl fmt::Debug for Handling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handling({})", self.number)
    }
}
