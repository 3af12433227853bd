//! The statements of a transaction, each looked for once.

use rusqlite::{CachedStatement, Connection, Result};

/// Statements that were used in this transaction, given back after it.
///
/// The cache of the connection hashes a statement's text and moves it out and back at each use: a delivery needs several.
pub(super) struct Statements<'a> {
    connection: &'a Connection,
    used: Vec<(&'static str, CachedStatement<'a>)>,
}

impl<'a> Statements<'a> {
    pub(super) fn of(connection: &'a Connection) -> Self {
        Self { connection, used: Vec::new() }
    }

    /// The statement with this text.
    pub(super) fn find(&mut self, text: &'static str) -> Result<&mut CachedStatement<'a>> {
        let place = match self.used.iter().position(|(known, _)| *known == text) {
            Some(place) => place,
            None => {
                self.used.push((text, self.connection.prepare_cached(text)?));
                self.used.len() - 1
            }
        };
        Ok(&mut self.used[place].1)
    }
}
