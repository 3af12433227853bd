//! The command line: a file per noun. What a command has to say is a text, printed here, as is every failure.

mod client;
mod deliveries;
mod endpoints;
mod failure;
mod keys;
mod sample;
mod serve;
mod table;
mod time;
mod trigger;

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Delivers the events of a bus to HTTP webhooks: signed, retried, logged.
#[derive(Parser)]
#[command(name = "webhook-bridge", version, after_help = failure::CODES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Serve),
    Trigger(trigger::Trigger),
    Endpoints(endpoints::Endpoints),
    Deliveries(deliveries::Deliveries),
    Keys(keys::Keys),
}

/// Runs what the arguments of the process say.
pub(crate) async fn run() -> ExitCode {
    let said = match Cli::parse().command {
        Command::Serve(serve) => serve.run().await,
        Command::Trigger(trigger) => trigger.run().await,
        Command::Endpoints(endpoints) => endpoints.run().await,
        Command::Deliveries(deliveries) => deliveries.run().await,
        Command::Keys(keys) => keys.run(),
    };
    match said.and_then(|text| print(&text)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing can be said where standard error is closed.
            let _ = writeln!(std::io::stderr(), "webhook-bridge: {failure}");
            failure.code()
        }
    }
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Failure::Failed(format!("standard output: {error}"))),
    }
}

/// Says something beside the answer.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {text}");
}
