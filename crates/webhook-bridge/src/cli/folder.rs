//! The folder of the store, for the commands that work in it beside the bridge, or without one.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;
use webhook_bridge::store::SqliteStore;

/// Where the store is, and how what was done there is shown.
#[derive(Args)]
pub(super) struct Folder {
    /// The folder of the bridge's store
    #[arg(long, value_name = "FOLDER", env = "WEBHOOK_BRIDGE_DATA", default_value = "webhook-bridge-data")]
    pub(super) data: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Folder {
    /// The file that the store is in.
    pub(super) fn store(&self) -> PathBuf {
        self.data.join(SqliteStore::FILE)
    }

    /// What is printed: a line of JSON, or a line for people.
    pub(super) fn show(&self, json: &Value, line: impl FnOnce() -> String) -> String {
        format!("{}\n", if self.json { json.to_string() } else { line() })
    }
}
