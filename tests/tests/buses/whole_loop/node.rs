//! Payment Kit's published client, and its verifier as a merchant has it: each a process.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// The component that the client takes for Payment Kit.
const PAYMENT_KIT: &str = "z2qaCNvKMv5GjouKdcDWexv6WqtHbpNPQDnAk";

/// Node with `@blocklet/payment-js`. It is killed with its value.
pub(super) struct Node {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Node {
    /// A component of the application with this key, which calls the server at this port.
    pub(super) fn start(server: u16, key: &str) -> Self {
        let mounted = json!([{
            "did": PAYMENT_KIT, "name": "payment", "title": "Payment", "mountPoint": "/payment",
            "status": 6, "port": server,
        }]);
        let mut child = Command::new("node")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/webhook-bridge/tests/payment_kit/client.js"))
            .arg(installed())
            .env("BLOCKLET_MODE", "test")
            .env("BLOCKLET_APP_SK", key)
            .env("BLOCKLET_MOUNT_POINTS", mounted.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Node is not installed: run `tests/brokers`");
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { _child: child, input, output }
    }

    /// What a method of `webhookEndpoints` resolves to, in the test mode.
    pub(super) async fn get(&mut self, method: &str, parameters: Value) -> Value {
        self.tell(&json!({ "method": method, "livemode": false, "parameters": parameters })).await;
        let answer = timeout(Duration::from_secs(60), self.next()).await;
        let mut answer =
            answer.expect("an answer within a minute").expect("it goes on: its errors are above");
        assert!(answer.get("value").is_some(), "{method}: {answer}");
        answer["value"].take()
    }

    /// Starts a receiver that says of each request whether its signature is right; gives its port.
    pub(super) async fn receive(&mut self) -> u64 {
        self.tell(&json!({ "method": "verify" })).await;
        self.next().await.expect("it goes on: its errors are above")["port"].as_u64().unwrap()
    }

    /// The next thing it says.
    pub(super) async fn next(&mut self) -> Option<Value> {
        let line = self.output.next_line().await.unwrap()?;
        Some(serde_json::from_str(&line).unwrap())
    }

    async fn tell(&mut self, wish: &Value) {
        self.input.write_all(format!("{wish}\n").as_bytes()).await.unwrap();
    }
}

/// Where `tests/brokers` installed it.
fn installed() -> PathBuf {
    let folder = PathBuf::from(concat!(env!("CARGO_TARGET_TMPDIR"), "/payment-js"));
    assert!(folder.exists(), "@blocklet/payment-js is not installed: run `tests/brokers`");
    folder
}
