//! The bridge as a program: `webhook-bridge --help` has its commands.

mod cli;

use std::process::ExitCode;

/// What a delivery needs it needs for a moment, on threads that pass it on to one another.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    cli::run().await
}
