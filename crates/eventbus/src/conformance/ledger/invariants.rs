//! The invariants, as pure functions over a book.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::report::{Breach, Invariant};
use super::{Book, Bounds, End, Entry, Outcome, Wanted, What};
use crate::engine::OnDeadLetter;
use crate::event::{AnyEvent, EventId};

pub(super) fn breaches(book: &Book, bounds: &Bounds) -> Vec<Breach> {
    let mut found = Vec::new();
    let mut named: Vec<&str> = book.log.iter().map(|entry| entry.group.as_str()).collect();
    named.extend(book.groups.keys().map(String::as_str));
    named.sort_unstable();
    named.dedup();
    for name in named {
        let group = Group::new(book, name);
        group.missing(bounds, &mut found);
        group.foreign(&mut found);
        group.duplicates(bounds, &mut found);
        group.attempts(bounds, &mut found);
        group.after_end(&mut found);
        if let Some(then) = bounds.order {
            group.order(then, &mut found);
        }
    }
    found
}

/// What one group saw.
struct Group<'a> {
    book: &'a Book,
    name: &'a str,
    wanted: Option<&'a Wanted>,
    log: Vec<&'a Entry>,
    /// The same by event, events in the order they were first seen.
    by_event: BTreeMap<&'a EventId, Vec<&'a What>>,
    /// How often each event was published for this group.
    publications: HashMap<&'a EventId, usize>,
}

impl<'a> Group<'a> {
    fn new(book: &'a Book, name: &'a str) -> Self {
        let log: Vec<&Entry> = book.log.iter().filter(|entry| entry.group == name).collect();
        let mut by_event: BTreeMap<&EventId, Vec<&What>> = BTreeMap::new();
        for entry in &log {
            by_event.entry(&entry.event).or_default().push(&entry.what);
        }
        let group =
            Self { book, name, wanted: book.groups.get(name), log, by_event, publications: HashMap::new() };
        let mut publications = HashMap::new();
        for (event, _) in group.due() {
            *publications.entry(event.id()).or_default() += 1;
        }
        Self { publications, ..group }
    }

    fn publications(&self, event: &EventId) -> usize {
        self.publications.get(event).copied().unwrap_or(1)
    }

    fn breach(&self, invariant: Invariant, event: Option<&EventId>, text: String) -> Breach {
        Breach { invariant, group: self.name.to_owned(), event: event.cloned(), text }
    }

    /// The events this group has to get, in order of publication, with what became of their publishing.
    fn due(&self) -> impl Iterator<Item = (&'a AnyEvent, Outcome)> + use<'a> {
        let wanted = self.wanted;
        let book = self.book;
        let published = wanted.map_or(&[][..], |wanted| &book.published[wanted.since..]);
        let wants = move |event: &AnyEvent| {
            let (source, event_type) = (event.source().as_str(), event.event_type().as_str());
            wanted
                .is_some_and(|wanted| wanted.filters.iter().any(|filter| filter.matches(source, event_type)))
        };
        published
            .iter()
            .map(|publication| (&publication.event, publication.outcome))
            .filter(move |(event, _)| wants(event))
    }

    fn missing(&self, bounds: &Bounds, found: &mut Vec<Breach>) {
        if bounds.unfinished {
            return;
        }
        let over = |event: &EventId| {
            self.by_event.get(event).is_some_and(|all| all.iter().any(|what| is_over(what)))
        };
        let stored: HashSet<&EventId> = self
            .due()
            .filter(|(_, outcome)| *outcome == Outcome::Stored)
            .map(|(event, _)| event.id())
            .collect();
        let mut missing: Vec<&EventId> = stored.into_iter().filter(|event| !over(event)).collect();
        missing.sort_unstable();
        let told = self.book.told(self.name);
        if missing.len() as u64 == told {
            return;
        }
        let text = format!(
            "{} confirmed events were neither handled nor dead-lettered, {told} were told to be lost",
            missing.len()
        );
        found.push(self.breach(Invariant::NoneMissing, missing.first().copied(), text));
    }

    fn foreign(&self, found: &mut Vec<Breach>) {
        let mut known: HashMap<&EventId, Outcome> = HashMap::new();
        for (event, outcome) in self.due() {
            let best = known.entry(event.id()).or_insert(outcome);
            if outcome != Outcome::NotStored {
                *best = outcome;
            }
        }
        for event in self.by_event.keys() {
            let text = match known.get(event) {
                None => "it was not published for this group",
                Some(Outcome::NotStored) => {
                    "its publishing was answered with an error that says it is not stored"
                }
                Some(_) => continue,
            };
            found.push(self.breach(Invariant::NoneForeign, Some(event), text.to_owned()));
        }
    }

    fn duplicates(&self, bounds: &Bounds, found: &mut Vec<Breach>) {
        let mut duplicates = 0;
        let mut last = None;
        for (event, all) in &self.by_event {
            let acked = all.iter().filter(|what| matches!(what, What::Ended { end: End::Acked, .. })).count();
            let redriven = all.iter().filter(|what| matches!(what, What::Redriven)).count();
            let extra = acked.saturating_sub(self.publications(event) + redriven);
            duplicates += extra;
            last = if extra > 0 { Some(*event) } else { last };
        }
        if duplicates > bounds.duplicates {
            let text = format!("{duplicates} handlings succeeded again, at most {} may", bounds.duplicates);
            found.push(self.breach(Invariant::Duplicates, last, text));
        }
    }

    fn attempts(&self, bounds: &Bounds, found: &mut Vec<Breach>) {
        let mut unseen = 0;
        for (event, all) in &self.by_event {
            // Several messages of one event have attempts of their own.
            if self.publications(event) > 1 {
                continue;
            }
            match count_attempts(all) {
                Ok(skipped) => unseen += skipped,
                Err(text) => found.push(self.breach(Invariant::Attempts, Some(event), text)),
            }
        }
        if unseen > bounds.unseen_attempts {
            let text = format!(
                "{unseen} attempts were counted that no handler saw, at most {} may",
                bounds.unseen_attempts
            );
            found.push(self.breach(Invariant::Attempts, None, text));
        }
    }

    fn after_end(&self, found: &mut Vec<Breach>) {
        for (event, all) in &self.by_event {
            let mut over = 0;
            for what in all {
                match what {
                    What::Settled => over += 1,
                    What::Redriven => over = 0,
                    What::Started { .. } if over >= self.publications(event) => {
                        let text = "it was handed out after its final settlement was applied".to_owned();
                        found.push(self.breach(Invariant::NothingAfterEnd, Some(event), text));
                        break;
                    }
                    _ => {}
                }
            }
        }
    }

    fn order(&self, then: OnDeadLetter, found: &mut Vec<Breach>) {
        let mut keys = Keys::new(then);
        for (event, outcome) in self.due() {
            if outcome != Outcome::NotStored {
                keys.due(event);
            }
        }
        for entry in &self.log {
            if let Err(text) = keys.turn(&entry.event, &entry.what) {
                found.push(self.breach(Invariant::OrderPerKey, Some(&entry.event), text));
            }
        }
    }
}

fn is_over(what: &What) -> bool {
    matches!(what, What::Ended { end: End::Acked | End::Dead, .. } | What::Settled | What::Purged)
}

/// Counts the attempts that no handler saw; an error when the numbers make no sense.
///
/// After a handling that succeeded each further one is a duplicate, which has a bound of its own: where a transport moves
/// messages by a copy, a cut may leave two, and each counts its attempts.
fn count_attempts(all: &[&What]) -> Result<usize, String> {
    let (mut expected, mut unseen, mut succeeded) = (1, 0, false);
    for what in all {
        match what {
            What::Started { attempt, .. } if *attempt < expected && succeeded => {}
            What::Started { attempt, .. } if *attempt < expected => {
                return Err(format!("attempt {attempt} came where {expected} was next"));
            }
            What::Started { attempt, .. } => {
                unseen += (*attempt - expected) as usize;
                expected = attempt + 1;
            }
            What::Ended { end: End::Returned, .. } => expected = expected.saturating_sub(1),
            What::Ended { end: End::Acked, .. } => succeeded = true,
            What::Redriven => (expected, succeeded) = (1, false),
            _ => {}
        }
    }
    Ok(unseen)
}

/// The order of the keys of a group, turned forward one entry at a time.
struct Keys<'a> {
    then: OnDeadLetter,
    /// The events of each key that are not over, in order.
    open: HashMap<&'a str, VecDeque<&'a EventId>>,
    key_of: HashMap<&'a EventId, &'a str>,
    /// Events that were published more than once.
    repeated: HashSet<&'a EventId>,
    /// What is being handled of each key.
    running: HashMap<&'a str, u64>,
    seen: HashSet<&'a EventId>,
}

impl<'a> Keys<'a> {
    fn new(then: OnDeadLetter) -> Self {
        Self {
            then,
            open: HashMap::new(),
            key_of: HashMap::new(),
            repeated: HashSet::new(),
            running: HashMap::new(),
            seen: HashSet::new(),
        }
    }

    fn due(&mut self, event: &'a AnyEvent) {
        let Some(key) = event.key() else { return };
        if self.key_of.insert(event.id(), key.as_str()).is_some() {
            self.repeated.insert(event.id());
        }
        self.open.entry(key.as_str()).or_default().push_back(event.id());
    }

    fn turn(&mut self, event: &'a EventId, what: &What) -> Result<(), String> {
        let Some(key) = self.key_of.get(event).copied() else { return Ok(()) };
        let over = match what {
            What::Started { handling, .. } => return self.start(key, event, *handling),
            What::Ended { handling, end } => {
                if self.running.get(key) == Some(handling) {
                    self.running.remove(key);
                }
                *end == End::Acked || (*end == End::Dead && self.then == OnDeadLetter::Skip)
            }
            What::Purged => true,
            _ => false,
        };
        if over && let Some(open) = self.open.get_mut(key) {
            // Mostly it is the first one of its key, and keys may have many.
            if open.front() == Some(&event) && !self.repeated.contains(event) {
                open.pop_front();
            } else {
                open.retain(|other| *other != event);
            }
        }
        Ok(())
    }

    fn start(&mut self, key: &'a str, event: &'a EventId, handling: u64) -> Result<(), String> {
        let overlaps = self.running.insert(key, handling).is_some();
        let first = self.seen.insert(event);
        let before = self.open.get(key).and_then(|open| open.front());
        match before {
            _ if overlaps => Err(format!("another message of key {key:?} was still being handled")),
            Some(before) if first && *before != event => {
                Err(format!("it overtook {before} of the same key {key:?}"))
            }
            _ => Ok(()),
        }
    }
}
