//! One waiting read, on a connection that does nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, RedisResult, Value};
use tokio::time::timeout;

use crate::connection::Connection;
use crate::member::{BLOCK, Member, lock};
use crate::message::{list, number};
use crate::script::READ;

/// What became of a read, and on which connection.
pub(crate) type Answer = (Connection, RedisResult<Value>);

/// A read under way. It is polled to its end: what an answer brings that nobody waits for would be pending for ever.
pub(crate) struct Reading {
    pub(crate) answer: BoxFuture<'static, Answer>,
    pub(crate) shards: Vec<usize>,
    connection: Arc<Mutex<Option<Connection>>>,
}

impl Reading {
    /// Asks for this many entries of each stream of some shards: those that come again, and the log.
    pub(crate) fn begin(member: &Arc<Member>, shards: Vec<usize>, count: u32) -> Self {
        let connection: Arc<Mutex<Option<Connection>>> = Arc::default();
        let (place, member, of) = (Arc::clone(&connection), Arc::clone(member), shards.clone());
        let answer = Box::pin(async move {
            let connection = member.shards[of[0]].line.connection().await;
            *lock(&place) = Some(connection.clone());
            let mut inner = connection.inner.clone();
            let answer = match member.ordered {
                true => owned(&member, of[0], count, &mut inner).await,
                false => ask(&member, &shared(&member, &of, count), &mut inner).await,
            };
            (connection, answer)
        });
        Self { answer, shards, connection }
    }

    /// The client that the server knows this read by.
    pub(crate) fn client(&self) -> Option<i64> {
        lock(&self.connection).as_ref().and_then(|connection| connection.client)
    }
}

/// Reads a shard that is this member's alone: what is there, or else what comes in a while.
async fn owned(
    member: &Member,
    shard: usize,
    count: u32,
    connection: &mut MultiplexedConnection,
) -> RedisResult<Value> {
    let command = member.command(&READ, shard, |command| {
        command.arg(count);
    });
    for again in [true, false] {
        let run = READ.run_on(connection, &command);
        let mut told = list(limited(member, Duration::ZERO, run).await?).unwrap_or_default().into_iter();
        if told.next().as_ref().and_then(number) != Some(1) {
            member.oust();
            break;
        }
        match told.next() {
            Some(found @ Value::Array(_)) => return Ok(found),
            _ if again => drop(ask(member, &wait(member, shard, told), connection).await?),
            _ => {}
        }
    }
    Ok(Value::Nil)
}

/// Waits until there is something behind these ids, and takes nothing.
fn wait(member: &Member, shard: usize, last: impl Iterator<Item = Value>) -> Cmd {
    let keys = &member.shards[shard].keys;
    let mut command = redis::cmd("XREAD");
    command.arg("COUNT").arg(1).arg("BLOCK").arg(BLOCK.as_millis() as u64);
    command.arg("STREAMS").arg(keys.again()).arg(keys.log());
    for id in last {
        command.arg(crate::message::bytes(id).unwrap_or_default());
    }
    command
}

/// Reads shards that all members read.
fn shared(member: &Member, shards: &[usize], count: u32) -> Cmd {
    let mut command = Cmd::with_capacity(9 + shards.len() * 4, 256 + shards.len() * 128);
    command.arg("XREADGROUP").arg("GROUP").arg(&member.group).arg(&member.name);
    command.arg("COUNT").arg(count).arg("BLOCK").arg(BLOCK.as_millis() as u64).arg("STREAMS");
    for shard in shards {
        let keys = &member.shards[*shard].keys;
        command.arg(keys.again()).arg(keys.log());
    }
    for _ in shards {
        command.arg(">").arg(">");
    }
    command
}

/// Sends a command that may wait.
async fn ask(member: &Member, command: &Cmd, connection: &mut MultiplexedConnection) -> RedisResult<Value> {
    limited(member, BLOCK, command.query_async(connection)).await
}

/// Waits for an answer no longer than the server may take for it.
async fn limited(
    member: &Member,
    wait: Duration,
    answer: impl Future<Output = RedisResult<Value>>,
) -> RedisResult<Value> {
    match timeout(wait + member.shared.config.response_timeout, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))),
    }
}
