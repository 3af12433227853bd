//! What the writer knows beside the file, so that a delivery costs few statements.
//!
//! Only the writer changes the file, so what it knows is never older than its transaction; when one is undone, all of it is
//! forgotten and read again.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use rusqlite::{Connection, Result, params};

use super::contents::Contents;
use super::statements::Statements;
use crate::model::EndpointKey;

/// Counters and findings of endpoints; bounded by their number.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// The next number of each endpoint's deliveries.
    next: HashMap<EndpointKey, u64, RandomState>,
    /// Whose changed in this transaction.
    counted: HashSet<EndpointKey, RandomState>,
    /// Who has no row of trouble.
    pub(super) well: HashSet<EndpointKey, RandomState>,
    /// What is sent of events.
    pub(super) contents: Contents,
}

impl Known {
    /// The next number of an endpoint's deliveries; it is counted.
    pub(super) fn number(&mut self, connection: &Connection, endpoint: EndpointKey) -> Result<u64> {
        let next = match self.next.get_mut(&endpoint) {
            Some(next) => next,
            None => {
                let mut find =
                    connection.prepare_cached("SELECT next FROM sequence WHERE endpoint_no = ?1")?;
                self.next.entry(endpoint).or_insert(find.query_row([endpoint.0], |row| row.get(0))?)
            }
        };
        let number = *next;
        *next += 1;
        self.counted.insert(endpoint);
        Ok(number)
    }

    /// Stores what was counted: once for each endpoint, however many deliveries it got. Before each commit.
    pub(super) fn store(&mut self, statements: &mut Statements<'_>) -> Result<()> {
        let update = statements.find("UPDATE sequence SET next = ?2 WHERE endpoint_no = ?1")?;
        for endpoint in self.counted.drain() {
            update.execute(params![endpoint.0, self.next.get(&endpoint)])?;
        }
        Ok(())
    }
}
