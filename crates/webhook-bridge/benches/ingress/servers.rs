//! Who answers: the bridge's program, and a handler that only verifies.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::json;
use tokio::net::TcpListener;
use webhook_bridge::ingress::{Source, SourceConfig, Webhook};
use webhook_bridge::model::Mode;

use crate::requests::SECRET;

/// The argument that makes this program the handler.
pub(crate) const VERIFY: &str = "--verify";

/// A server in a process of its own, ended with its value.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    _folder: Option<tempfile::TempDir>,
}

impl Server {
    pub(crate) fn bridge(bus: &str, subscribe: &str) -> Self {
        if subscribe == "false" {
            // Of whoever would deliver, somewhere else.
            drop(Self::bridge(bus, "true"));
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let sources = json!({ "shop": { "scheme": "standard", "secrets": [SECRET], "mode": "live" } });
        let mut command = Command::new(env!("CARGO_BIN_EXE_webhook-bridge"));
        command.arg("serve").env("WEBHOOK_BRIDGE_DATA", folder.path()).env("WEBHOOK_BRIDGE_BUS", bus);
        command.env("WEBHOOK_BRIDGE_LISTEN", "127.0.0.1:0").env("WEBHOOK_BRIDGE_LOG", "error");
        command.env("WEBHOOK_BRIDGE_SOURCES", sources.to_string());
        command.env("WEBHOOK_BRIDGE_SUBSCRIBE", subscribe).env("TOKIO_WORKER_THREADS", "2");
        Self::start(&mut command, Some(folder))
    }

    pub(crate) fn bare() -> Self {
        let program = std::env::current_exe().expect("the system tells");
        Self::start(Command::new(program).arg(VERIFY), None)
    }

    fn start(command: &mut Command, folder: Option<tempfile::TempDir>) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("the program is built");
        let mut lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
        let address = loop {
            let line = lines.next().expect("it says where it listens").expect("a line");
            if let Some((_, address)) = line.split_once("listens on http://") {
                break address.trim().parse().expect("an address");
            }
        };
        // Whatever else it prints is read, so that it never waits for that.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address, _folder: folder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A handler that verifies, and does nothing else.
pub(crate) async fn verify() {
    let source = SourceConfig::new("standard", SECRET).mode(Mode::Live);
    let source = Source::new("shop", source).expect("it is right");
    let handler = async |Webhook(_): Webhook| StatusCode::OK;
    let app = Router::new().route("/in/shop", post(handler)).with_state(source);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
    let address = listener.local_addr().expect("it is bound");
    let mut out = std::io::stdout();
    writeln!(out, "listens on http://{address}").and_then(|()| out.flush()).expect("somebody reads");
    axum::serve(listener, app).await.expect("it does not end");
}
