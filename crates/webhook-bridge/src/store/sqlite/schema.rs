//! The tables, as a list of migrations: number n takes a file from version n to n + 1, and is never edited once released.

use rusqlite::{Connection, Result, TransactionBehavior};

/// What a delivery's `state` is. The numbers are in the file; 1 is leased, which only `claim` writes.
pub(super) mod state {
    pub(in crate::store) const PENDING: u8 = 0;
    pub(in crate::store) const SUCCEEDED: u8 = 2;
    pub(in crate::store) const EXHAUSTED: u8 = 3;
    pub(in crate::store) const EXPIRED: u8 = 4;
}

const MIGRATIONS: &[&str] = &[include_str!("schema/0001_begin.sql")];

/// Brings a file to the newest version, one transaction per migration.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    let version: usize = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(version) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(migration)?;
        transaction.pragma_update(None, "user_version", number + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

/// The newest version this program knows.
pub(super) fn newest() -> usize {
    MIGRATIONS.len()
}
