//! `backup` and `rewrap`: what is done in the folder of the store by whoever may read it.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use webhook_bridge::store::SqliteStore;

use super::failure::Failure;
use super::folder::Folder;

/// Copy the store to a file, whether a bridge runs on it or not
#[derive(Args)]
pub(super) struct Backup {
    /// Where to; it must not be there
    file: PathBuf,
    #[command(flatten)]
    folder: Folder,
}

/// Encrypt the secrets in the store with a new key, while no bridge runs on it
#[derive(Args)]
pub(super) struct Rewrap {
    #[command(flatten)]
    folder: Folder,
}

impl Backup {
    pub(super) fn run(self) -> Result<String, Failure> {
        SqliteStore::backup(&self.folder.store(), &self.file)?;
        super::note("its secrets open with secret.key of that folder only: keep that too, elsewhere");
        let file = self.file.display().to_string();
        Ok(self.folder.show(&json!({ "file": file }), || file.clone()))
    }
}

impl Rewrap {
    pub(super) fn run(self) -> Result<String, Failure> {
        let count = webhook_bridge::rewrap::rewrap(&self.folder.data)?;
        super::note("what was copied before opens with the former key only");
        Ok(self.folder.show(&json!({ "secrets": count }), || format!("{count} secrets have a new key")))
    }
}
