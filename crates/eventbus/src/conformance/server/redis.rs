//! A Redis server of one's own.

use std::io;
use std::process::Command;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;

use super::resp::{self, Reply};
use super::{Broker, Place, Server};
use crate::conformance::faults::Fault;

/// A running Redis server of one's own.
pub type RedisServer = Server<Redis>;

/// The settings of a private Redis server.
///
/// ```no_run
/// # async fn doc() -> std::io::Result<()> {
/// use eventbus::conformance::{AppendOnly, Redis, Server};
///
/// let redis = Redis::new().append_only(AppendOnly::Always).set("maxmemory", ["64mb"]);
/// let server = Server::start(redis).await?;
/// server.command(&["CONFIG", "GET", "maxmemory"]).await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Redis {
    append_only: AppendOnly,
    password: Option<String>,
    settings: Vec<String>,
}

/// When Redis writes to disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AppendOnly {
    /// Never: a server that dies has nothing left.
    #[default]
    No,
    /// Every second (`appendfsync everysec`).
    EverySecond,
    /// Before it answers (`appendfsync always`).
    Always,
}

impl Redis {
    /// A server that keeps everything in memory and demands no password.
    pub fn new() -> Self {
        Self::default()
    }

    /// When it writes to disk. Default: never.
    #[must_use]
    pub fn append_only(self, append_only: AppendOnly) -> Self {
        Self { append_only, ..self }
    }

    /// Demands this password (`requirepass`). Default: none.
    #[must_use]
    pub fn password(self, password: impl Into<String>) -> Self {
        Self { password: Some(password.into()), ..self }
    }

    /// Any other setting of `redis.conf` with its values: `set("replicaof", ["127.0.0.1", "6379"])`,
    /// `set("user", ["alice", "on", ">secret", "~*", "+@all"])`, `set("tls-port", ["16379"])`.
    #[must_use]
    pub fn set<V: Into<String>>(mut self, name: &str, values: impl IntoIterator<Item = V>) -> Self {
        self.settings.push(format!("--{name}"));
        self.settings.extend(values.into_iter().map(Into::into));
        self
    }

    async fn command(&self, port: u16, words: &[&str]) -> io::Result<Reply> {
        let password = self.password.as_deref();
        let answered = timeout(Duration::from_secs(5), resp::command(port, password, words)).await;
        answered.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[async_trait]
impl Broker for Redis {
    fn program(&self) -> &'static str {
        "redis-server"
    }

    fn install(&self) -> &'static str {
        "run `tests/brokers`, or `apt-get install redis-server`"
    }

    fn arrange(&self, command: &mut Command, place: &Place) -> io::Result<()> {
        let port = place.port().to_string();
        let (append, sync) = match self.append_only {
            AppendOnly::No => ("no", "everysec"),
            AppendOnly::EverySecond => ("yes", "everysec"),
            AppendOnly::Always => ("yes", "always"),
        };
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", append, "--appendfsync", sync]);
        command.arg("--dir").arg(place.folder()).arg("--logfile").arg(place.log());
        if let Some(password) = &self.password {
            command.args(["--requirepass", password]);
        }
        command.args(&self.settings);
        Ok(())
    }

    async fn is_ready(&self, place: &Place) -> bool {
        // An error is an answer too, such as one about a right that is missing; but not while data is loaded.
        match self.command(place.port(), &["PING"]).await {
            Ok(Reply::Error(text)) => !text.starts_with("LOADING"),
            Ok(_) => true,
            Err(_) => false,
        }
    }

    fn can(&self) -> &[Fault] {
        &[Fault::Kill, Fault::Cut, Fault::HalfOpen, Fault::Stall, Fault::Throttle, Fault::Stop, Fault::Vanish]
    }

    async fn vanish(&self, place: &Place) -> io::Result<()> {
        match self.command(place.port(), &["FLUSHALL"]).await? {
            Reply::Error(text) => Err(io::Error::other(text)),
            _ => Ok(()),
        }
    }
}

impl Server<Redis> {
    /// Its URL, with the password where there is one.
    pub fn url(&self) -> String {
        self.broker().url(self.port())
    }

    /// Runs a command on a connection of its own and returns the answer.
    ///
    /// # Errors
    /// When the server cannot be reached or does not answer within 5 s. What it refuses is a [`Reply::Error`].
    pub async fn command(&self, words: &[&str]) -> io::Result<Reply> {
        self.broker().command(self.port(), words).await
    }
}

impl Redis {
    /// The URL of such a server on this port of loopback, which may be a proxy's.
    pub fn url(&self, port: u16) -> String {
        match &self.password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{port}"),
            None => format!("redis://127.0.0.1:{port}"),
        }
    }
}
