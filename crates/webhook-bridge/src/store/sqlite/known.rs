//! What the writer knows beside the file, so that a delivery costs few statements.
//!
//! Only the writer changes the file, so what it knows is never older than its transaction; when one is undone, all of it is
//! forgotten and read again.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use rusqlite::{Connection, Result, Row, params};

use super::contents::Contents;
use super::statements::Statements;
use crate::model::{DeliveryKey, EndpointKey};

/// Counters and findings of endpoints; bounded by their number.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// How far each endpoint's deliveries have come.
    numbers: HashMap<EndpointKey, Numbers, RandomState>,
    /// Whose changed in this transaction.
    counted: HashSet<EndpointKey, RandomState>,
    /// Who has no row of trouble.
    pub(super) well: HashSet<EndpointKey, RandomState>,
    /// What is sent of events.
    pub(super) contents: Contents,
}

/// How far an endpoint's deliveries have come.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    /// The number of the next one.
    next: u64,
    /// The highest number that was ever sent.
    sent_to: u64,
}

impl Known {
    /// The next number of an endpoint's deliveries; it is counted.
    pub(super) fn number(&mut self, connection: &Connection, endpoint: EndpointKey) -> Result<u64> {
        let numbers = self.numbers(connection, endpoint)?;
        let number = numbers.next;
        numbers.next += 1;
        self.counted.insert(endpoint);
        Ok(number)
    }

    /// Counts a delivery as sent; before it is leased.
    pub(super) fn sent(&mut self, connection: &Connection, delivery: DeliveryKey) -> Result<()> {
        let DeliveryKey { endpoint, sequence } = delivery;
        let numbers = self.numbers(connection, endpoint)?;
        if sequence > numbers.sent_to {
            numbers.sent_to = sequence;
            self.counted.insert(endpoint);
        }
        Ok(())
    }

    fn numbers(&mut self, connection: &Connection, endpoint: EndpointKey) -> Result<&mut Numbers> {
        match self.numbers.entry(endpoint) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let mut find =
                    connection.prepare_cached("SELECT next, sent_to FROM sequence WHERE endpoint_no = ?1")?;
                let read = |row: &Row<'_>| Ok(Numbers { next: row.get(0)?, sent_to: row.get(1)? });
                Ok(unknown.insert(find.query_row([endpoint.0], read)?))
            }
        }
    }

    /// Stores what was counted: once for each endpoint, however many deliveries it got. Before each commit.
    pub(super) fn store(&mut self, statements: &mut Statements<'_>) -> Result<()> {
        let update = statements.find("UPDATE sequence SET next = ?2, sent_to = ?3 WHERE endpoint_no = ?1")?;
        for endpoint in self.counted.drain() {
            if let Some(Numbers { next, sent_to }) = self.numbers.get(&endpoint) {
                update.execute(params![endpoint.0, next, sent_to])?;
            }
        }
        Ok(())
    }
}
