//! `completions`: for shells.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;
use super::failure::Failure;

/// Print what a shell needs to complete these commands
#[derive(Args)]
#[command(after_help = "For bash: source <(webhook-bridge completions bash)")]
pub(super) struct Completions {
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self) -> Result<String, Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "webhook-bridge", &mut script);
        String::from_utf8(script).map_err(|error| Failure::Failed(error.to_string()))
    }
}
