//! The program, running as a bridge, and called as a command line.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A process that a test began. It is killed with its value, also where the test fails.
pub(crate) struct Begun(pub(crate) Child);

/// A bridge of the program.
pub(crate) struct Serving {
    child: Begun,
    /// What it printed until it listened.
    pub(crate) printed: String,
    pub(crate) url: String,
    /// Of the test and the live mode; none where there were some before.
    pub(crate) keys: Vec<String>,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) errors: String,
}

/// The program with nothing of a bridge in its environment.
pub(crate) fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_webhook-bridge"));
    for (name, _) in
        std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WEBHOOK_BRIDGE_"))
    {
        command.env_remove(name);
    }
    command.args(arguments);
    command
}

pub(crate) fn run(mut command: Command) -> Said {
    let output = command.stdin(Stdio::null()).output().unwrap();
    said(&output)
}

pub(crate) fn run_with(mut command: Command, input: &str) -> Said {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    said(&child.wait_with_output().unwrap())
}

fn said(output: &std::process::Output) -> Said {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    Said { code: output.status.code().unwrap(), out: text(&output.stdout), errors: text(&output.stderr) }
}

impl Serving {
    /// Over this folder, with whatever else; on a free port.
    pub(crate) fn start(folder: &Path, more: &[&str]) -> Self {
        Self::logging(folder, more, Stdio::null())
    }

    /// The same, with its log there.
    pub(crate) fn logging(folder: &Path, more: &[&str], log: impl Into<Stdio>) -> Self {
        let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--data"]);
        let child = command.arg(folder).args(more).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut serving =
            Self { child: Begun(child), printed: String::new(), url: String::new(), keys: Vec::new() };
        let mut lines = BufReader::new(serving.child.0.stdout.take().unwrap()).lines();
        while serving.url.is_empty() {
            let line = lines.next().expect("it starts").unwrap();
            serving.printed += &format!("{line}\n");
            if let Some((_, rest)) = line.split_once("export WEBHOOK_BRIDGE_KEY=") {
                serving.keys.push(rest.split(' ').next().unwrap().to_owned());
            }
            if let Some(url) = line.strip_prefix("webhook-bridge listens on ") {
                serving.url = url.to_owned();
            }
        }
        serving
    }

    /// Calls it with the key of the test mode.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program(arguments);
        command.env("WEBHOOK_BRIDGE_URL", &self.url).env("WEBHOOK_BRIDGE_KEY", &self.keys[0]);
        command
    }

    /// What a command prints that ends well.
    pub(crate) fn call(&self, arguments: &[&str]) -> String {
        let said = run(self.command(arguments));
        assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
        said.out
    }

    /// What the API answers to a command.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.call(&[arguments, &["--json"]].concat())).unwrap()
    }

    /// SIGTERM; gives how it ended.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.child.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.0.wait().unwrap().code()
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The standard error of a bridge that ran with these arguments until it listened.
pub(crate) fn logged(folder: &Path, more: &[&str]) -> String {
    let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    let mut child =
        command.arg(folder).args(more).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    while !lines.next().expect("it starts").unwrap().starts_with("webhook-bridge listens on ") {}
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    text
}
