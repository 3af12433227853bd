//! README.md's lines about the bridge, run as they stand there by a shell, in which `cargo` finds what was built.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test helper that fails is a test that fails")]

use std::io::{BufRead as _, BufReader, Lines};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};

const README: &str = include_str!("../../../../README.md");

/// `cargo run -qp webhook-bridge [--example NAME] -- …` without building; and what is in the background ends with the shell.
const CARGO: &str = r#"trap 'kill $(jobs -p)' EXIT
cargo() {
    while [ "$1" != -- ]; do
        case "$1" in
            --example) program="examples/$2"; shift ;;
            run | -qp | -p | webhook-bridge) ;;
            *) echo "cargo $1: not known to this test" >&2; return 2 ;;
        esac
        shift
    done
    shift
    "$BUILT/${program:-webhook-bridge}" "$@"
}
"#;

/// A shell and all that it started; killed with its value.
struct Shell {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Shell {
    fn start(script: &str, folder: &Path) -> Self {
        let built = Path::new(env!("CARGO_BIN_EXE_webhook-bridge")).parent().unwrap();
        let receiver = built.join("examples/receiver");
        assert!(receiver.exists(), "{} is not built: cargo build --examples", receiver.display());
        let mut child = Command::new("timeout")
            .args(["120", "bash", "-euc", &format!("{CARGO}{script}")])
            .current_dir(folder)
            .env("BUILT", built)
            // A port of its own; everything else is as the page says.
            .env("WEBHOOK_BRIDGE_LISTEN", "127.0.0.1:0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What it prints until it has printed all of these, each in some line, in whatever order.
    fn until(&mut self, parts: &[&str]) -> Vec<String> {
        let (mut missing, mut printed) = (parts.to_vec(), Vec::new());
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            missing.retain(|part| !line.contains(part));
            printed.push(line);
            if missing.is_empty() {
                return printed;
            }
        }
        panic!("it ended before {missing:?}: {printed:#?}");
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

#[test]
fn one_command_starts_the_bridge_and_three_lines_show_an_event_delivered_and_signed() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!((block("bridge").lines().count(), block("deliver").lines().count()), (1, 3));
    let mut bridge = Shell::start(&block("bridge"), folder.path());
    let printed = bridge.until(&["webhook-bridge listens on "]);
    let pasted: Vec<_> = printed.iter().filter(|line| line.starts_with("export ")).cloned().collect();
    assert!(pasted[0].starts_with("export WEBHOOK_BRIDGE_KEY=whb_test_"), "{pasted:?}");

    // What was started with `&` is waited for, so that its output is seen.
    let script = format!("{}\n{}wait\n", pasted.join("\n"), block("deliver"));
    let mut shell = Shell::start(&script, folder.path());
    let shown = shown();
    // The receiver and the command line say what they saw at the same time.
    let printed = shell.until(&["checkout.session.completed: ", " is stored", "dlv_1_1"]);
    let delivered = printed.iter().find(|line| line.starts_with("checkout.session.completed: ")).unwrap();
    let id = delivered.split("webhook-id ").nth(1).unwrap().split(',').next().unwrap();
    assert_eq!(delivered.replace(id, "evt_…"), shown);
    assert!(printed.iter().any(|line| line.starts_with(&format!("{id} is stored"))), "{printed:#?}");
}

/// The `sh` block after its marker.
fn block(name: &str) -> String {
    let (_, rest) = README.split_once(&format!("<!-- command: {name} -->\n```sh\n")).expect(name);
    rest.split_once("```").unwrap().0.to_owned()
}

/// What the receiver prints, as the page has it.
fn shown() -> String {
    let (_, rest) = README.split_once("The receiver prints `").unwrap();
    rest.split_once('`').unwrap().0.to_owned()
}
