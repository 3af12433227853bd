//! Payment Kit's published client, and its verifier as a merchant has it, as a process. The whole loop's tests have it too.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;
use webhook_bridge::model::Mode;

/// The component that the client takes for Payment Kit.
const PAYMENT_KIT: &str = "z2qaCNvKMv5GjouKdcDWexv6WqtHbpNPQDnAk";

/// Node with `@blocklet/payment-js`. It is killed with its value.
pub(crate) struct Node {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Node {
    /// A component of the application with this key, which calls the server at this address.
    pub(crate) fn start(server: SocketAddr, key: &str) -> Self {
        let mounted = json!([{
            "did": PAYMENT_KIT, "name": "payment", "title": "Payment", "mountPoint": "/payment",
            "status": 6, "port": server.port(),
        }]);
        let mut child = Command::new("node")
            .args(["-e", include_str!("client.js")])
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

    /// Calls a method of `webhookEndpoints` and gives what it resolves to, or the status and body it was refused with.
    pub(crate) async fn call(&mut self, mode: Mode, method: &str, parameters: Value) -> Value {
        let mut wish = json!({ "method": method, "livemode": mode.is_live() });
        wish["parameters"] = parameters;
        self.tell(&wish).await;
        self.next().await
    }

    /// What the method resolves to.
    pub(crate) async fn get(&mut self, mode: Mode, method: &str, parameters: Value) -> Value {
        let mut answer = self.call(mode, method, parameters).await;
        assert!(answer.get("value").is_some(), "{method}: {answer}");
        answer["value"].take()
    }

    /// Starts a receiver that verifies what it gets; gives its port.
    pub(crate) async fn receive(&mut self) -> u64 {
        self.listen("receive").await
    }

    /// Starts one that says of each request whether its signature is right; gives its port.
    pub(crate) async fn verify(&mut self) -> u64 {
        self.listen("verify").await
    }

    async fn listen(&mut self, method: &str) -> u64 {
        self.tell(&json!({ "method": method })).await;
        self.next().await["port"].as_u64().unwrap()
    }

    /// Signs a request as the client does, and gives signature and times.
    pub(crate) async fn sign(&mut self, request: Value) -> Value {
        let mut wish = json!({ "method": "sign" });
        wish["parameters"] = request;
        self.tell(&wish).await;
        self.next().await
    }

    /// The next thing it says.
    pub(crate) async fn next(&mut self) -> Value {
        let line = timeout(Duration::from_secs(60), self.later()).await;
        line.expect("a line within a minute").expect("it goes on: its errors are above")
    }

    /// The next thing it says, whenever that is; nothing when it ended.
    pub(crate) async fn later(&mut self) -> Option<Value> {
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
