//! Private servers for tests: on loopback, in a temporary folder, gone with the test whatever becomes of it.

mod cluster;
mod control;
mod faulty;
mod place;
mod rabbitmq;
mod redis;
mod resp;
mod virtual_host;

use std::io;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::time::sleep;

use super::faults::Fault;
use super::process::{Process, find};

pub use cluster::RabbitCluster;
pub use faulty::FaultyServer;
pub use place::Place;
pub use rabbitmq::{RabbitMq, RabbitMqServer};
pub use redis::{AppendOnly, Redis, RedisServer};
pub use resp::Reply;
pub use virtual_host::VirtualHost;

/// What is particular to a kind of server; [`Server`] does the rest. A transport's author implements it for a server
/// that this crate does not know.
#[async_trait]
pub trait Broker: std::fmt::Debug + Send + Sync + 'static {
    /// The program, as it is found by the `PATH`, or its full path.
    fn program(&self) -> &str;

    /// How to install it: the rest of the message when it is missing.
    fn install(&self) -> &str;

    /// Adds arguments and environment, so that the server listens on the port of its place and writes to its folder
    /// only.
    ///
    /// # Errors
    /// When a file for it cannot be written.
    fn arrange(&self, command: &mut Command, place: &Place) -> io::Result<()>;

    /// Tells whether the server answers.
    async fn is_ready(&self, place: &Place) -> bool;

    /// How long it may take until the server answers, and until it has ended when it is asked to. Default 10 s.
    fn patience(&self) -> Duration {
        Duration::from_secs(10)
    }

    /// What can be broken. Default: all that needs no knowledge of the server, which is all but [`Fault::Vanish`].
    fn can(&self) -> &[Fault] {
        &[Fault::Kill, Fault::Cut, Fault::HalfOpen, Fault::Stall, Fault::Throttle, Fault::Stop]
    }

    /// Removes everything the running server holds. Called only where [`can`](Self::can) says [`Fault::Vanish`].
    ///
    /// # Errors
    /// When the server does not do it.
    async fn vanish(&self, place: &Place) -> io::Result<()> {
        let _ = place;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// A running server of one's own.
///
/// ```no_run
/// # async fn doc() -> std::io::Result<()> {
/// use eventbus::conformance::{Redis, Server};
///
/// let server = Server::start(Redis::new()).await?;
/// server.kill();
/// server.restart().await?; // the same port, the same folder
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Server<B> {
    // Before the place: it is killed before its folder is removed.
    process: Mutex<Arc<Process>>,
    broker: B,
    place: Place,
}

impl<B: Broker> Server<B> {
    /// Starts a server on a free port and returns when it answers.
    ///
    /// # Errors
    /// When its program is missing, with how to install it; when it ends or does not answer, with its log.
    pub async fn start(broker: B) -> io::Result<Self> {
        let mut tries = 0;
        loop {
            let place = Place::new()?;
            match launch(&broker, &place).await {
                Ok(process) => return Ok(Self { process: Mutex::new(Arc::new(process)), broker, place }),
                // Between looking for a free port and listening there, somebody else may have taken it.
                Err(_) if tries < 3 && !place.is_free() => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.place.port()
    }

    /// Its process id; another one after a restart.
    pub fn pid(&self) -> u32 {
        self.process().pid()
    }

    /// Its port and its folder.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is particular to it.
    pub fn broker(&self) -> &B {
        &self.broker
    }

    /// Kills it as `SIGKILL` does, and returns when it is gone.
    pub fn kill(&self) {
        self.process().kill();
    }

    /// Stops it where it stands (`SIGSTOP`), until [`resume`](Self::resume).
    pub fn stop(&self) {
        self.process().stop();
    }

    /// Lets it go on (`SIGCONT`).
    pub fn resume(&self) {
        self.process().resume();
    }

    /// Asks it to end (`SIGTERM`), and returns when it is gone.
    ///
    /// # Errors
    /// When it does not end in time; it is killed then.
    pub async fn terminate(&self) -> io::Result<()> {
        let process = self.process();
        if process.terminate(self.broker.patience()).await.is_none() {
            process.kill();
            return Err(io::Error::other(self.place.told("does not end", self.broker.program())));
        }
        Ok(())
    }

    /// Starts it again on the same port with what it had stored, and returns when it answers. One that still runs is
    /// [asked to end](Self::terminate) first.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn restart(&self) -> io::Result<()> {
        if self.process().ended().is_none() {
            self.terminate().await?;
        }
        let process = launch(&self.broker, &self.place).await?;
        *self.current() = Arc::new(process);
        Ok(())
    }

    /// Removes everything it holds, while it runs.
    ///
    /// # Errors
    /// When the server does not do it.
    pub async fn vanish(&self) -> io::Result<()> {
        self.broker.vanish(&self.place).await
    }

    fn process(&self) -> Arc<Process> {
        Arc::clone(&self.current())
    }

    fn current(&self) -> MutexGuard<'_, Arc<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a process and waits until it answers.
async fn launch<B: Broker>(broker: &B, place: &Place) -> io::Result<Process> {
    let program = broker.program();
    if find(program).is_none() {
        let text = format!("`{program}` is not installed: {}", broker.install());
        return Err(io::Error::new(io::ErrorKind::NotFound, text));
    }
    let mut command = Process::command(program);
    command.stdin(Stdio::null()).stdout(place.output()?).stderr(place.output()?);
    broker.arrange(&mut command, place)?;
    let process = Process::spawn(command)?;
    let end = Instant::now() + broker.patience();
    loop {
        if process.ended().is_some() {
            return Err(io::Error::other(place.told("has ended", program)));
        }
        if broker.is_ready(place).await {
            return Ok(process);
        }
        if Instant::now() >= end {
            return Err(io::Error::other(place.told("does not answer", program)));
        }
        sleep(Duration::from_millis(5)).await;
    }
}
