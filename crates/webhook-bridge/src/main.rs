//! The bridge as a program: `webhook-bridge serve`.

use std::io::Write as _;
use std::process::ExitCode;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use webhook_bridge::{Config, Error, ErrorKind, Result};

const USAGE: &str = "Usage: webhook-bridge serve";

#[tokio::main]
async fn main() -> ExitCode {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let ended = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve().await,
        _ => Err(Error::invalid(USAGE)),
    };
    let Err(error) = ended else { return ExitCode::SUCCESS };
    // Nothing can be said where standard error is closed.
    let _ = writeln!(std::io::stderr(), "{error}");
    ExitCode::FAILURE
}

async fn serve() -> Result<()> {
    open_files();
    webhook_bridge::run(Config::from_env()?, stopped()?).await
}

/// As many files as the system lets this process have: each request under way is one.
fn open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where it may not, it goes on with what it has.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Done at SIGTERM or SIGINT.
fn stopped() -> Result<impl Future<Output = ()>> {
    let failed = |cause| Error::new(ErrorKind::Internal, "signals cannot be waited for").with_source(cause);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
