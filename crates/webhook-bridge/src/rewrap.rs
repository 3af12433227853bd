//! The vault's key is replaced: every secret in the store is sealed with a new one, while no bridge has the store.
//!
//! The new key is beside the former one before the store is changed, and takes its place afterwards. Whoever finds both, because
//! this ended in between, takes the one that opens the store's secrets: [`Vault::open`].

use std::path::Path;

use crate::error::Result;
use crate::model::Sealed;
use crate::store::SqliteStore;
use crate::vault::Vault;

/// Gives the store in this folder a new key; tells how many secrets it has. What was owed is delivered and signed as before.
///
/// # Errors
/// [`Conflict`](crate::ErrorKind::Conflict) when a bridge has the store; [`Invalid`](crate::ErrorKind::Invalid) when the key
/// beside it is missing, or not its own.
pub fn rewrap(folder: &Path) -> Result<usize> {
    let key = folder.join(Vault::FILE);
    let reseal = |sealed: Vec<Sealed>| {
        let former = Vault::open(&key, sealed.first())?;
        let new = Vault::replacing(&key)?;
        sealed.iter().map(|sealed| new.seal(&former.open_secret(sealed)?)).collect()
    };
    SqliteStore::reseal(&folder.join(SqliteStore::FILE), reseal, || Vault::replaced(&key))
}
