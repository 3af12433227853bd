//! The bridge as a program: `webhook-bridge --help` has its commands.

mod cli;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    cli::run().await
}
