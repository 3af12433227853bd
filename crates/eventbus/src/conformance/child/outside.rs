//! The outside of a child: it is started, killed and stopped, and what it says is written down.

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader};
use std::process::{ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout};

use super::{Child, Consumer, Line, MARK, Orders, VARIABLE, clock};
use crate::conformance::ledger::{Elsewhere, Ledger};
use crate::conformance::process::Process;
use crate::event::{EventId, Filter};

/// How long it may take until a child has joined its group.
const START: Duration = Duration::from_secs(30);

/// A consumer in a process of its own; it is killed when this is dropped.
#[derive(Debug)]
pub struct ChildProcess {
    process: Process,
    /// Closing it asks for the end.
    input: Option<ChildStdin>,
    reading: Option<JoinHandle<()>>,
    told: Elsewhere,
}

impl Child {
    /// Starts a member of this name and returns when it has joined its group. What it handles is written into the
    /// ledger, where the group exists from this call on.
    ///
    /// # Errors
    /// When the process cannot be started, or ends before it has joined: with what it printed.
    pub async fn start(
        &self,
        consumer: &Consumer,
        (ledger, member): (&Ledger, &str),
    ) -> io::Result<ChildProcess> {
        let orders = Orders { url: self.url.clone(), consumer: consumer.clone() };
        let mut command = Process::command(std::env::current_exe()?);
        command.args([&self.test, "--exact", "--nocapture"]).env(VARIABLE, serde_json::to_string(&orders)?);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        ledger.group(&consumer.group, &[Filter::all()]);
        let process = Process::spawn(command)?;
        let (input, output) = process.streams();
        let output = output.ok_or_else(|| io::Error::other("a child's output is a pipe"))?;
        let told = ledger.elsewhere(&consumer.group, member);
        let (tell, joined) = oneshot::channel();
        let other = Arc::new(Mutex::new(String::new()));
        let listener = Listener {
            told: told.clone(),
            joined: Some(tell),
            open: HashMap::new(),
            other: Arc::clone(&other),
        };
        let reading = thread::Builder::new().name("child's output".to_owned());
        let reading = reading.spawn(move || listener.listen(output))?;
        let child = ChildProcess { process, input, reading: Some(reading), told };
        match timeout(START, joined).await {
            Ok(Ok(())) => Ok(child),
            _ => {
                let other = other.lock().unwrap_or_else(PoisonError::into_inner);
                Err(io::Error::other(format!("the child {member:?} has not joined its group:\n{other}")))
            }
        }
    }
}

impl ChildProcess {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Kills it as `SIGKILL` does; what it was handling is cut off in the ledger.
    pub fn kill(mut self) {
        self.over();
    }

    /// Stops it where it stands (`SIGSTOP`), until [`resume`](Self::resume).
    pub fn stop(&self) {
        self.process.stop();
    }

    /// Lets it go on (`SIGCONT`).
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Asks it to finish what it handles and to end. One that has not ended after this time is killed, and an error.
    ///
    /// # Errors
    /// When it had to be killed, or failed.
    pub async fn end(mut self, within: Duration) -> io::Result<()> {
        self.input = None;
        let ended = self.process.wait(within).await;
        self.over();
        match ended {
            Some(status) if status.success() => Ok(()),
            ended => Err(io::Error::other(format!(
                "the child was asked to end, and this is how it did: {ended:?}"
            ))),
        }
    }

    /// Makes sure that it is gone, and that all it said is written down before its end is.
    fn over(&mut self) {
        let at = Instant::now();
        self.process.kill();
        if let Some(reading) = self.reading.take() {
            let _ = reading.join();
            self.told.crash(at);
        }
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.over();
    }
}

/// Writes down what a child says.
struct Listener {
    told: Elsewhere,
    joined: Option<oneshot::Sender<()>>,
    /// The ledger's numbers of what it handles, by its own.
    open: HashMap<u64, u64>,
    /// What else was printed, to be shown when the child does not start.
    other: Arc<Mutex<String>>,
}

impl Listener {
    fn listen(mut self, output: ChildStdout) {
        for line in BufReader::new(output).lines() {
            let Ok(line) = line else { return };
            match line.strip_prefix(MARK) {
                // Of the last line a kill may have left a part.
                Some(said) => serde_json::from_str(said).into_iter().for_each(|line| self.note(line)),
                None if line.is_empty() => {}
                None => {
                    let mut other = self.other.lock().unwrap_or_else(PoisonError::into_inner);
                    other.push_str(&line);
                    other.push('\n');
                }
            }
        }
    }

    fn note(&mut self, line: Line) {
        match line {
            Line::Joined => {
                if let Some(joined) = self.joined.take() {
                    let _ = joined.send(());
                }
            }
            Line::Begin { number, at, event, attempt, .. } => {
                let Ok(event) = EventId::new(event) else { return };
                self.open.insert(number, self.told.begin(&event, attempt, clock::instant(at)));
            }
            Line::End { number, at } => {
                if let Some(number) = self.open.remove(&number) {
                    self.told.acked(number, clock::instant(at));
                }
            }
        }
    }
}
