//! The processes that are killed: this program again, as the bridge or as an application with a handler.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use eventbus::Event;
use eventbus::conformance;
use eventbus::gstable::SessionPaid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::unix::pipe;
use webhook_bridge::{Bridge, Config};

use super::KEY;
use super::ledger::Ledger;
use super::provider::SECRET;

/// Which one it is to be.
const ROLE: &str = "WEBHOOK_LOOP_ROLE";
/// The bus that a handler subscribes to.
const BUS: &str = "WEBHOOK_LOOP_BUS";
/// What a handler says first.
const SUBSCRIBED: &str = "subscribed";
/// What the bridge says last of its start.
const LISTENS: &str = "webhook-bridge listens on ";
/// How much a handler has in its hands.
pub(super) const CONCURRENCY: usize = 8;

/// A process that is killed with its value, if it is not before.
pub(super) struct Process(conformance::Process);

/// An application: a process that notes on its standard output what it handles.
pub(super) struct Handler(Process);

/// How the bridge is started, each time alike.
pub(super) struct Serve {
    pub(super) port: u16,
    /// The port of the merchant's endpoint.
    pub(super) receives: u64,
    pub(super) bus: String,
    pub(super) folder: PathBuf,
}

type Lines = tokio::io::Lines<BufReader<pipe::Receiver>>;

impl Process {
    /// Starts this program in a role, and gives what it says.
    fn start(role: &str, arrange: impl FnOnce(&mut Command)) -> (Self, Lines) {
        let mut command = conformance::Process::command(std::env::current_exe().unwrap());
        command.args(["--exact", "whole_loop::role::a_role_that_this_program_has_again", "--nocapture"]);
        command.env(ROLE, role).stdin(Stdio::null()).stdout(Stdio::piped());
        arrange(&mut command);
        let process = conformance::Process::spawn(command).unwrap();
        let (_, out) = process.streams();
        let out = pipe::Receiver::from_owned_fd(out.unwrap().into()).unwrap();
        (Self(process), BufReader::new(out).lines())
    }

    /// SIGKILL: nothing is cleaned up.
    pub(super) fn kill(self) {
        self.0.kill();
    }
}

impl Handler {
    /// When it has subscribed; from then on what it handles goes into the ledger.
    pub(super) async fn start(bus: &str, ledger: &Ledger) -> Self {
        let (process, mut lines) = Process::start("handler", |command| {
            command.env(BUS, bus);
        });
        said(&mut lines, SUBSCRIBED).await;
        ledger.handler(lines);
        Self(process)
    }

    pub(super) fn kill(self) {
        self.0.kill();
    }
}

impl Serve {
    /// When it listens.
    pub(super) async fn start(&self) -> Process {
        let sources = format!(r#"{{"stable":{{"scheme":"gstable","secrets":["{SECRET}"],"mode":"test"}}}}"#);
        let (process, mut lines) = Process::start("bridge", |command| {
            command
                // For another test, not for a bridge.
                .env_remove("WEBHOOK_BRIDGE_KILLS")
                .env("WEBHOOK_BRIDGE_DATA", &self.folder)
                .env("WEBHOOK_BRIDGE_LISTEN", format!("127.0.0.1:{}", self.port))
                .env("WEBHOOK_BRIDGE_BUS", &self.bus)
                .env("WEBHOOK_BRIDGE_APP_KEY", KEY)
                .env("WEBHOOK_BRIDGE_SOURCES", sources)
                .env(
                    "WEBHOOK_BRIDGE_ALLOW_TARGETS",
                    format!("127.0.0.1/32:{}, 127.0.0.1/32:1", self.receives),
                );
        });
        said(&mut lines, LISTENS).await;
        process
    }
}

/// Waits until a process has said a line that begins so.
async fn said(lines: &mut Lines, beginning: &str) {
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains(beginning) {
            return;
        }
    }
    panic!("it ended before it said {beginning:?}: its errors are above");
}

/// Nothing, but where it was started to be one.
#[tokio::test]
async fn a_role_that_this_program_has_again() {
    match std::env::var(ROLE).as_deref() {
        Ok("bridge") => {
            let bridge = Bridge::start(Config::from_env().unwrap()).await.unwrap();
            say(&format!("{LISTENS}\n"));
            bridge.run(std::future::pending()).await.unwrap();
        }
        Ok("handler") => handle().await,
        _ => {}
    }
}

async fn handle() {
    let bus = webhook_bridge::transports::connect(&std::env::var(BUS).unwrap()).await.unwrap();
    let note = |paid: Event<SessionPaid>| async move {
        // What a pipe has taken is read, however this process ends.
        say(&format!("handled {} {}\n", paid.id(), paid.object().session_id));
        Ok(())
    };
    bus.subscribe("entitlements").on(note).concurrency(CONCURRENCY).start().await.unwrap();
    say(&format!("{SUBSCRIBED}\n"));
    std::future::pending::<()>().await;
}

/// One write, so that no other line gets into this one.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).unwrap();
}
