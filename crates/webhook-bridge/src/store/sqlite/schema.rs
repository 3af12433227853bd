//! The tables, as a list of migrations: number n takes a file from version n to n + 1, and is never edited once released.

use rusqlite::{Connection, Result, TransactionBehavior};

/// What a delivery's `state` is. The numbers are in the file, and in its queries.
pub(super) mod state {
    use crate::model::{DeliveryState, Ending};

    const ALL: [DeliveryState; 9] = [
        DeliveryState::Pending,
        DeliveryState::Leased,
        DeliveryState::Succeeded,
        DeliveryState::Failed(Ending::Exhausted),
        DeliveryState::Failed(Ending::Expired),
        DeliveryState::Failed(Ending::Refused),
        DeliveryState::Cancelled,
        DeliveryState::Waiting,
        DeliveryState::Parked,
    ];

    /// The number of a state.
    pub(in crate::store) fn number(of: DeliveryState) -> u8 {
        match of {
            DeliveryState::Pending => 0,
            DeliveryState::Leased => 1,
            DeliveryState::Succeeded => 2,
            DeliveryState::Failed(Ending::Exhausted) => 3,
            DeliveryState::Failed(Ending::Expired) => 4,
            DeliveryState::Failed(Ending::Refused) => 5,
            DeliveryState::Cancelled => 6,
            DeliveryState::Waiting => 7,
            DeliveryState::Parked => 8,
        }
    }

    /// The state with this number.
    pub(in crate::store) fn find(wanted: u8) -> Option<DeliveryState> {
        ALL.into_iter().find(|state| number(*state) == wanted)
    }
}

const MIGRATIONS: &[&str] =
    &[include_str!("schema/0001_begin.sql"), include_str!("schema/0002_publishing.sql")];

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

#[cfg(test)]
mod tests {
    use eventbus::Timestamp;

    use super::super::SqliteStore;
    use super::*;
    use crate::ErrorKind;

    fn version(path: &std::path::Path) -> usize {
        let connection = Connection::open(path).unwrap();
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[tokio::test]
    async fn each_former_version_is_brought_to_the_newest() {
        for former in 0..MIGRATIONS.len() {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("s.sqlite");
            let connection = Connection::open(&path).unwrap();
            MIGRATIONS[..former].iter().for_each(|migration| connection.execute_batch(migration).unwrap());
            connection.pragma_update(None, "user_version", former).unwrap();
            drop(connection);
            drop(SqliteStore::open(&path, Timestamp::now()).unwrap());
            assert_eq!(version(&path), newest());
        }
    }

    #[tokio::test]
    async fn a_store_that_a_newer_bridge_wrote_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s.sqlite");
        drop(SqliteStore::open(&path, Timestamp::now()).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", newest() + 1).unwrap();
        let refused = SqliteStore::open(&path, Timestamp::now()).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused}");
        assert!(refused.to_string().contains("of a newer bridge"), "{refused}");
        assert_eq!(version(&path), newest() + 1);
    }
}
