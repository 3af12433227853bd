//! What is said about a broken invariant.

use std::fmt;

use super::{Book, What};
use crate::event::EventId;

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Which one.
    pub invariant: Invariant,
    /// In which group.
    pub group: String,
    /// By which event; `None` when by several together.
    pub event: Option<EventId>,
    /// What was expected, and what was seen.
    pub text: String,
}

/// What must hold of every ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Invariant {
    /// A confirmed event is handled, dead-lettered, or told to be lost.
    NoneMissing,
    /// Only what was published, and is wanted, is handled.
    NoneForeign,
    /// No more handlings after a success than the case allows.
    Duplicates,
    /// Within a key, nothing starts before everything earlier is over.
    OrderPerKey,
    /// Attempts are numbered from 1 without holes and repetitions.
    Attempts,
    /// Nothing is heard of a message after its final settlement.
    NothingAfterEnd,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in group {:?}: {}", self.invariant, self.group, self.text)
    }
}

/// How many breaches are told in full.
const TOLD: usize = 8;

pub(super) fn of(book: &Book, breaches: &[Breach]) -> String {
    let mut text = format!("{} breaches, seed {}\n", breaches.len(), book.seed);
    for breach in breaches.iter().take(TOLD) {
        text.push_str(&format!("- {breach}\n"));
        if let Some(event) = &breach.event {
            text.push_str(&format!("  event {event}: {}\n", story(book, &breach.group, event)));
        }
    }
    if breaches.len() > TOLD {
        text.push_str("- and more\n");
    }
    text
}

/// What a group saw of an event, in order.
fn story(book: &Book, group: &str, event: &EventId) -> String {
    let of = book.log.iter().filter(|entry| entry.group == group && entry.event == *event);
    let told: Vec<String> = of
        .map(|entry| {
            let what = match &entry.what {
                What::Started { member, attempt, .. } => format!("attempt {attempt} started by {member}"),
                What::Ended { end, .. } => format!("{end:?}").to_lowercase(),
                What::Settled => "settled for good".to_owned(),
                What::Redriven => "redriven".to_owned(),
                What::Purged => "purged".to_owned(),
                What::Lost(count) => format!("told of {count} lost"),
            };
            format!("+{:?} {what}", entry.at.duration_since(book.since))
        })
        .collect();
    if told.is_empty() { "never seen".to_owned() } else { told.join(", ") }
}
