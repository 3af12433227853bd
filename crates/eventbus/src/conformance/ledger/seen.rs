//! Handlings, each with its beginning and its end.

use std::collections::HashMap;

use tokio::time::Instant;

use super::{Ledger, What};
use crate::event::EventId;

/// A handling, as it is in the book.
pub(in crate::conformance) struct Seen {
    pub(in crate::conformance) event: EventId,
    pub(in crate::conformance) member: String,
    pub(in crate::conformance) began: Instant,
    pub(in crate::conformance) ended: Option<Instant>,
}

impl Ledger {
    /// Every handling in a group, in the order of their beginnings.
    pub(in crate::conformance) fn seen(&self, group: &str) -> Vec<Seen> {
        let book = self.book();
        let mut seen: Vec<Seen> = Vec::new();
        let mut places = HashMap::new();
        for entry in book.log.iter().filter(|entry| entry.group == group) {
            match &entry.what {
                What::Started { handling, member, .. } => {
                    places.insert(*handling, seen.len());
                    let (event, member) = (entry.event.clone(), member.clone());
                    seen.push(Seen { event, member, began: entry.at, ended: None });
                }
                What::Ended { handling, .. } => {
                    let seen = places.get(handling).and_then(|place| seen.get_mut(*place));
                    seen.into_iter().for_each(|seen| seen.ended = Some(entry.at));
                }
                _ => {}
            }
        }
        seen
    }
}
