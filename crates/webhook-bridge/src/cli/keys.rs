//! `keys`: API keys, made in the folder of the store by whoever may write there.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use webhook_bridge::model::Mode;
use webhook_bridge::store::SqliteStore;

use super::failure::Failure;

/// Make an API key when all are lost
#[derive(Args)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a key in the store of a bridge, which may run meanwhile, and takes it at once
    Create(Create),
}

#[derive(Args)]
struct Create {
    /// The folder of the bridge's store
    #[arg(long, value_name = "FOLDER", env = "WEBHOOK_BRIDGE_DATA", default_value = "webhook-bridge-data")]
    data: PathBuf,
    /// For live events: whoever gets one takes it for money
    #[arg(long)]
    live: bool,
    /// Whose it is, or what for
    #[arg(long, default_value = "made by hand")]
    name: String,
}

impl Keys {
    pub(super) fn run(self) -> Result<String, Failure> {
        let Command::Create(wish) = self.command;
        let key =
            SqliteStore::add_key(&wish.data.join(SqliteStore::FILE), Mode::from(wish.live), &wish.name)?;
        Ok(format!("export WEBHOOK_BRIDGE_KEY={}\n", key.reveal()))
    }
}
