//! One blocking read, on a connection that does nothing else.

use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use redis::{Cmd, RedisError, RedisResult, Value};
use tokio::time::timeout;

use crate::connection::Connection;
use crate::member::{BLOCK, Member, lock};

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
        let command = command(member, &shards, count);
        let connection: Arc<Mutex<Option<Connection>>> = Arc::default();
        let (place, member, first) = (Arc::clone(&connection), Arc::clone(member), shards[0]);
        let answer = Box::pin(async move {
            let connection = member.shards[first].line.connection().await;
            *lock(&place) = Some(connection.clone());
            let mut inner = connection.inner.clone();
            let limit = BLOCK + member.shared.config.response_timeout;
            let answer = match timeout(limit, command.query_async::<Value>(&mut inner)).await {
                Ok(answer) => answer,
                Err(_) => Err(RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))),
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

fn command(member: &Member, shards: &[usize], count: u32) -> Cmd {
    let mut command = Cmd::with_capacity(9 + shards.len() * 4, 256 + shards.len() * 128);
    command.arg("XREADGROUP").arg("GROUP").arg(&member.group).arg(&member.name);
    command.arg("COUNT").arg(count).arg("BLOCK").arg(member.block().as_millis() as u64).arg("STREAMS");
    for shard in shards {
        let keys = &member.shards[*shard].keys;
        command.arg(keys.again()).arg(keys.log());
    }
    for _ in shards {
        command.arg(">").arg(">");
    }
    command
}
