//! `backup` and `rewrap`: what is done in the folder of the store by whoever may read it.

use std::path::PathBuf;

use clap::Args;
use webhook_bridge::store::SqliteStore;

use super::failure::Failure;

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

#[derive(Args)]
struct Folder {
    /// The folder of the bridge's store
    #[arg(long, value_name = "FOLDER", env = "WEBHOOK_BRIDGE_DATA", default_value = "webhook-bridge-data")]
    data: PathBuf,
}

impl Backup {
    pub(super) fn run(self) -> Result<String, Failure> {
        SqliteStore::backup(&self.folder.data.join(SqliteStore::FILE), &self.file)?;
        super::note("its secrets open with secret.key of that folder only: keep that too, elsewhere");
        Ok(format!("{}\n", self.file.display()))
    }
}

impl Rewrap {
    pub(super) fn run(self) -> Result<String, Failure> {
        let count = webhook_bridge::rewrap::rewrap(&self.folder.data)?;
        super::note("what was copied before opens with the former key only");
        Ok(format!("{count} secrets have a new key\n"))
    }
}
