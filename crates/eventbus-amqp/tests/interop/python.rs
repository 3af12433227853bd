//! A program in another language, as a process.

use std::io::{BufRead as _, BufReader, Lines, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// A client in Python. It is killed with its value.
pub(crate) struct Python {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Python {
    /// Consumes so many messages; it is bound when this returns.
    pub(crate) fn consume(url: &str, exchange: &str, key: &str, count: usize) -> Self {
        let mut client = Self::start(&["consume", url, exchange, key, &count.to_string()]);
        assert_eq!(client.line(), "ready");
        client
    }

    /// Publishes what it is told to.
    pub(crate) fn publisher(url: &str, exchange: &str) -> Self {
        Self::start(&["publish", url, exchange])
    }

    fn start(arguments: &[&str]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/client.py");
        let mut child = Command::new(interpreter())
            .arg(script)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        Self { child, input, output }
    }

    /// The next message it was given.
    pub(crate) fn message(&mut self) -> Value {
        serde_json::from_str(&self.line()).expect("it prints JSON")
    }

    /// Has it publish a message, with properties as pika names them, and waits until the broker has confirmed it.
    pub(crate) fn publish(&mut self, key: &str, body: &[u8], properties: &Value) {
        let message = json!({"key": key, "body": text(body), "properties": properties});
        writeln!(self.input, "{message}").expect("it reads");
        assert_eq!(self.line(), "confirmed");
    }

    fn line(&mut self) -> String {
        self.output.next().expect("it goes on: its errors are above").expect("it prints text")
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The body of a message.
pub(crate) fn body(message: &Value) -> Vec<u8> {
    let text = message["body"].as_str().expect("it prints the body");
    text.chars().map(|byte| u8::try_from(byte).expect("it prints bytes")).collect()
}

/// Any bytes as a text, a character each, because JSON has no other.
fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Python with pika, which `tests/brokers` installs beside what tests write.
fn interpreter() -> PathBuf {
    let python = PathBuf::from(concat!(env!("CARGO_TARGET_TMPDIR"), "/pika/bin/python"));
    assert!(python.exists(), "pika is not installed: run `tests/brokers`");
    python
}
