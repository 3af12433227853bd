//! The command line: a file per noun. What a command has to say is a text, printed here, as is every failure.

mod backup;
mod bus;
mod client;
mod completions;
mod deliveries;
mod dlq;
mod doctor;
mod draft;
mod endpoints;
mod events;
mod exchange;
mod failure;
mod folder;
mod input;
mod keys;
mod lag;
mod listen;
mod progress;
mod publish;
mod recover;
mod sample;
mod serve;
mod sign;
mod table;
mod tail;
mod time;
mod trigger;
mod verify;

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
    Listen(listen::Listen),
    Trigger(trigger::Trigger),
    Events(events::Events),
    Endpoints(endpoints::Endpoints),
    Deliveries(deliveries::Deliveries),
    Recover(recover::Recover),
    Tail(tail::Tail),
    Publish(publish::Publish),
    Lag(lag::Lag),
    Dlq(dlq::Dlq),
    Sign(sign::Sign),
    Verify(verify::Verify),
    Doctor(doctor::Doctor),
    Keys(keys::Keys),
    Backup(backup::Backup),
    Rewrap(backup::Rewrap),
    Completions(completions::Completions),
}

/// Runs what the arguments of the process say.
pub(crate) async fn run() -> ExitCode {
    let said = match Cli::parse().command {
        Command::Serve(serve) => serve.run().await,
        Command::Listen(listen) => listen.run().await,
        Command::Trigger(trigger) => trigger.run().await,
        Command::Events(events) => events.run(),
        Command::Endpoints(endpoints) => endpoints.run().await,
        Command::Deliveries(deliveries) => deliveries.run().await,
        Command::Recover(recover) => recover.run().await,
        Command::Tail(tail) => tail.run().await,
        Command::Publish(publish) => publish.run().await,
        Command::Lag(lag) => lag.run().await,
        Command::Dlq(dlq) => dlq.run().await,
        Command::Sign(sign) => sign.run(),
        Command::Verify(verify) => verify.run(),
        Command::Doctor(doctor) => doctor.run().await,
        Command::Keys(keys) => keys.run(),
        Command::Backup(backup) => backup.run(),
        Command::Rewrap(rewrap) => rewrap.run(),
        Command::Completions(completions) => completions.run(),
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
    goes_on(text).map(drop)
}

/// Prints something, and tells whether anybody still reads.
fn goes_on(text: &str) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        // Whoever reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::Failed(format!("standard output: {error}"))),
    }
}

/// Says something beside the answer.
fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "note: {text}");
}
