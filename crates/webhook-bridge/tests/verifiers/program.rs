//! Verifiers of others, as processes.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::receiver::Request;

/// A program that verifies. It is killed with its value.
pub(crate) struct Program {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// npm's `standardwebhooks`, and schemes written down in Node.
    pub(crate) fn node() -> Self {
        Self::start(Command::new("node").arg(script("verify.js")).arg(installed("standardwebhooks-js")))
    }

    /// PyPI's `standardwebhooks` and `PyNaCl`, and schemes written down in Python.
    pub(crate) fn python() -> Self {
        let python = installed("standardwebhooks-py").join("bin/python");
        Self::start(Command::new(python).arg(script("verify.py")))
    }

    fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("it is not installed: run `tests/brokers`");
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { _child: child, input, output }
    }

    /// Why it refuses a request when that arrives this many seconds later; `None` when it accepts it.
    pub(crate) async fn refusal(
        &mut self,
        scheme: &str,
        secret: &str,
        (request, later): (&Request, u32),
    ) -> Option<String> {
        let wish = json!({
            "scheme": scheme, "secret": secret, "later": later,
            "headers": request.headers, "body": request.body,
        });
        self.input.write_all(format!("{wish}\n").as_bytes()).await.unwrap();
        let line = timeout(Duration::from_secs(60), self.output.next_line()).await;
        let line = line.expect("a line within a minute").unwrap().expect("it goes on: its errors are above");
        let answer: Value = serde_json::from_str(&line).unwrap();
        answer["refusal"].as_str().map(str::to_owned)
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verifiers").join(name)
}

/// Where `tests/brokers` installed it.
fn installed(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    assert!(folder.exists(), "{name} is not installed: run `tests/brokers`");
    folder
}
