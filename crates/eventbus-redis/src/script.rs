//! The scripts: what must happen at once on the server. Each is a file in `lua/`.

use std::sync::LazyLock;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisResult, Script, ServerErrorKind, Value};

use crate::connection::Line;
use crate::error::is_broken;

macro_rules! scripts {
    ($($(#[$doc:meta])* $name:ident = [$($file:literal),+];)*) => {
        $(
            $(#[$doc])*
            pub(crate) static $name: LazyLock<Lua> =
                LazyLock::new(|| Lua::new(concat!($(include_str!(concat!("lua/", $file)), "\n"),+)));
        )*
    };
}

scripts! {
    /// Settles messages.
    SETTLE = ["full.lua", "group.lua", "settle.lua"];
    /// Makes a group and joins it.
    JOIN = ["full.lua", "group.lua", "join.lua"];
    /// Renews a lease, hands out what is due.
    BEAT = ["full.lua", "group.lua", "beat.lua"];
    /// Reads a shard of a group with order.
    READ = ["full.lua", "group.lua", "read.lua"];
    /// Takes over pending messages.
    CLAIM = ["full.lua", "group.lua", "claim.lua"];
    /// Ends a membership.
    LEAVE = ["full.lua", "group.lua", "leave.lua"];
    /// Removes a group.
    FORGET = ["full.lua", "group.lua", "forget.lua"];
    /// Counts what a group holds.
    BACKLOG = ["group.lua", "backlog.lua"];
    /// Lists dead letters.
    LIST = ["group.lua", "list.lua"];
    /// Redrives or purges a dead letter.
    REDRIVE = ["full.lua", "group.lua", "redrive.lua"];
    /// Takes back a scheduled event.
    CANCEL = ["cancel.lua"];
    /// Moves scheduled events that are due to the log.
    LATER = ["later.lua"];
    /// Keeps an event until its time.
    SCHEDULE = ["schedule.lua"];
    /// Trims a log.
    TEND = ["full.lua", "tend.lua"];
    /// An idempotency guard.
    GUARD = ["full.lua", "guard.lua"];
}

/// A script and its hash.
pub(crate) struct Lua {
    code: &'static str,
    hash: String,
}

impl Lua {
    fn new(code: &'static str) -> Self {
        Self { code, hash: Script::new(code).get_hash().to_owned() }
    }

    /// The command that runs the script with these keys; arguments follow.
    pub(crate) fn command<K: AsRef<str>>(&self, keys: &[K]) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.hash).arg(keys.len());
        for key in keys {
            command.arg(key.as_ref());
        }
        command
    }

    /// The command that teaches a server the script.
    pub(crate) fn load(&self) -> Cmd {
        redis::cmd("SCRIPT").arg("LOAD").arg(self.code).to_owned()
    }

    /// Runs the command, which [`command`](Self::command) made; a server that does not know the script is taught it.
    pub(crate) async fn run(&self, line: &Line, command: &Cmd) -> RedisResult<Value> {
        let answer = line.query(command).await;
        if is_unknown(&answer) {
            line.query(&self.load()).await?;
            return line.query(command).await;
        }
        answer
    }

    /// The same on a connection of its own.
    pub(crate) async fn run_on(&self, on: &mut MultiplexedConnection, command: &Cmd) -> RedisResult<Value> {
        let answer = command.query_async(on).await;
        if is_unknown(&answer) {
            self.load().query_async::<Value>(on).await?;
            return command.query_async(on).await;
        }
        answer
    }

    /// Runs a command that may be carried out twice, and once more when the connection breaks under it.
    pub(crate) async fn ask(&self, line: &Line, command: &Cmd) -> RedisResult<Value> {
        match self.run(line, command).await {
            Err(error) if is_broken(&error) => self.run(line, command).await,
            answer => answer,
        }
    }
}

/// Whether the server does not know a script.
fn is_unknown(answer: &RedisResult<Value>) -> bool {
    let unknown = redis::ErrorKind::Server(ServerErrorKind::NoScript);
    answer.as_ref().is_err_and(|error| error.kind() == unknown)
}
