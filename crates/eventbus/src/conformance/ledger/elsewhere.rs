//! What a member in another process did: told later than it happened, and written down where it belongs.

use tokio::time::Instant;

use super::{End, Ledger, Open, What};
use crate::event::EventId;

/// Writes for a member in another process.
#[derive(Debug, Clone)]
pub(in crate::conformance) struct Elsewhere {
    ledger: Ledger,
    group: String,
    member: String,
}

impl Ledger {
    /// Writes for this member of a group.
    pub(in crate::conformance) fn elsewhere(&self, group: &str, member: &str) -> Elsewhere {
        Elsewhere { ledger: self.clone(), group: group.to_owned(), member: member.to_owned() }
    }
}

impl Elsewhere {
    /// A handling began at this time; it returns its number.
    pub(in crate::conformance) fn begin(&self, event: &EventId, attempt: u32, at: Instant) -> u64 {
        let mut book = self.ledger.book();
        book.handlings += 1;
        let handling = book.handlings;
        let (group, member) = (self.group.clone(), self.member.clone());
        book.open.insert(handling, Open { group, member, event: event.clone(), since: at });
        let what = What::Started { handling, member: self.member.clone(), attempt };
        book.write_at(at, (&self.group, event), what);
        handling
    }

    /// A handling succeeded at this time.
    pub(in crate::conformance) fn acked(&self, handling: u64, at: Instant) {
        self.ledger.book().end_at(at, handling, End::Acked);
    }

    /// The member was lost at this time, with everything it was handling.
    pub(in crate::conformance) fn crash(&self, at: Instant) {
        self.ledger.book().crash_at(at, &self.group, &self.member);
    }
}
