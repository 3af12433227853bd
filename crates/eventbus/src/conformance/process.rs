//! A process that does not outlive the one that started it, and the signals it is sent.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::time::sleep;

/// A process that is killed when this value is dropped, and on Linux also when the process that holds it dies.
#[derive(Debug)]
pub struct Process {
    child: Mutex<Child>,
    pid: u32,
    /// Ends the thread that started the process, by being dropped after the process was killed.
    _keeper: mpsc::Sender<()>,
}

impl Process {
    /// A command for [`spawn`](Self::spawn): arguments, environment and streams are the caller's to add.
    pub fn command(program: impl AsRef<OsStr>) -> Command {
        // The kernel kills it when its parent dies. Elsewhere than on Linux a killed test leaves its processes behind.
        let mut command = if cfg!(target_os = "linux") {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.process_group(0);
        command
    }

    /// Starts a process of a command made by [`command`](Self::command).
    ///
    /// # Errors
    /// When it cannot be started, or no thread can.
    pub fn spawn(mut command: Command) -> io::Result<Self> {
        // "The parent dies" means that the thread that started the process ends, so that thread is kept.
        let (keeper, kept) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        thread::Builder::new().name("process keeper".to_owned()).spawn(move || {
            let _ = tell.send(command.spawn());
            let _ = kept.recv();
        })?;
        let child = told.recv().map_err(io::Error::other)??;
        Ok(Self { pid: child.id(), child: Mutex::new(child), _keeper: keeper })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended; `None` while it lives.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.child().try_wait().ok().flatten()
    }

    /// Kills it as `SIGKILL` does, with the processes it started, and returns when it is gone.
    pub fn kill(&self) {
        self.signal(Signal::KILL);
        let _ = self.child().wait();
    }

    /// Stops it where it stands (`SIGSTOP`), until [`resume`](Self::resume).
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (`SIGCONT`).
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Asks it to end (`SIGTERM`) and waits for that; `None` when it still lives after this time.
    pub async fn terminate(&self, within: Duration) -> Option<ExitStatus> {
        self.signal(Signal::TERM);
        self.wait(within).await
    }

    /// Waits until it has ended; `None` when it still lives after this time.
    pub async fn wait(&self, within: Duration) -> Option<ExitStatus> {
        let end = Instant::now() + within;
        loop {
            let ended = self.ended();
            if ended.is_some() || Instant::now() >= end {
                return ended;
            }
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Its streams, where the command made pipes of them; the first call takes them.
    pub fn streams(&self) -> (Option<ChildStdin>, Option<ChildStdout>) {
        let mut child = self.child();
        (child.stdin.take(), child.stdout.take())
    }

    /// Signals it and its group. While the lock is held nobody reaps it, so its id is not another's.
    fn signal(&self, signal: Signal) {
        let mut child = self.child();
        if let Ok(None) = child.try_wait() {
            let _ = kill_process_group(Pid::from_child(&child), signal);
        }
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Where a program is, by the `PATH`.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(program)).find(|file| file.is_file())
}
