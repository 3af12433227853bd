//! `keys`: API keys, made in the folder of the store by whoever may write there.

use clap::{Args, Subcommand};
use serde_json::json;
use webhook_bridge::model::Mode;
use webhook_bridge::store::SqliteStore;

use super::failure::Failure;
use super::folder::Folder;

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
    #[command(flatten)]
    folder: Folder,
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
        let key = SqliteStore::add_key(&wish.folder.store(), Mode::from(wish.live), &wish.name)?;
        let json = json!({ "key": key.reveal(), "livemode": wish.live, "name": wish.name });
        Ok(wish.folder.show(&json, || format!("export WEBHOOK_BRIDGE_KEY={}", key.reveal())))
    }
}
