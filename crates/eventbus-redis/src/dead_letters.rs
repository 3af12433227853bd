//! Dead letters on Redis: numbers by time, kept out of the log, handed out again through the group's own stream.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use eventbus::transport::{Body, DeadLetter, DeadLetters, Group, History, Reason};
use eventbus::{Error, ErrorKind, Result, Timestamp};
use redis::Value;

use crate::error::transient;
use crate::message::{body, bytes, list, number, read_history};
use crate::script::{LIST, REDRIVE};
use crate::shared::Shared;
use crate::transport::instances;

/// The bits of a number that name the shard.
const SHARD_BITS: u32 = 6;

/// The dead letters of a group.
pub(crate) struct RedisDeadLetters {
    shared: Arc<Shared>,
    group: Group,
}

impl RedisDeadLetters {
    pub(crate) fn new(shared: &Arc<Shared>, group: &Group) -> Self {
        Self { shared: Arc::clone(shared), group: group.clone() }
    }

    async fn names(&self) -> Result<Vec<String>> {
        let names = instances(&self.shared, &self.group).await?;
        match names.is_empty() {
            true => Err(Error::new(ErrorKind::NotFound, format!("there is no group {}", self.group))),
            false => Ok(names),
        }
    }

    /// Takes a dead letter out, to hand it out again or for good.
    async fn take(&self, id: u64, what: &str) -> Result<bool> {
        let (number_in_shard, shard) = (id >> SHARD_BITS, (id & ((1 << SHARD_BITS) - 1)) as usize);
        if shard >= self.shared.shards.len() {
            return Ok(false);
        }
        for name in instances(&self.shared, &self.group).await? {
            let mut command = self.shared.command(&REDRIVE, (&name, shard));
            command.arg(number_in_shard).arg(what);
            let answer = REDRIVE.run(&self.shared.commands, &command).await;
            if number(&answer.map_err(|error| transient(what, error))?) == Some(1) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn letter(&self, shard: usize, entry: Value) -> Option<DeadLetter> {
        let mut parts = list(entry)?.into_iter();
        let micros = parts.next().as_ref().and_then(number).and_then(|number| u64::try_from(number).ok())?;
        let attempts =
            parts.next().as_ref().and_then(number).and_then(|number| u32::try_from(number).ok())?;
        let history: History =
            read_history(&bytes(parts.next()?)?).map(|history| *history).unwrap_or_default();
        let holds_key = parts.next().as_ref().and_then(number) == Some(1);
        let body = body(list(parts.next()?)?, self.shared.config.max_event_size);
        let unknown =
            if matches!(body, Body::Undecodable(_)) { Reason::Undecodable } else { Reason::Transient };
        let last = history.last();
        Some(DeadLetter {
            id: (micros << SHARD_BITS) | shard as u64,
            reason: last.map_or(unknown, |failure| failure.reason),
            time: last.map_or_else(Timestamp::now, |failure| failure.time),
            body,
            attempts,
            history,
            holds_key,
        })
    }
}

#[async_trait]
impl DeadLetters for RedisDeadLetters {
    async fn list(&self, after: Option<u64>, limit: usize) -> Result<Vec<DeadLetter>> {
        let mut letters = Vec::new();
        for name in self.names().await? {
            for shard in 0..self.shared.shards.len() {
                let from = after.map_or("-1".to_owned(), |after| first_after(after, shard));
                let mut command = self.shared.command(&LIST, (&name, shard));
                command.arg(&from).arg(limit.min(1000));
                let answer = LIST.ask(&self.shared.commands, &command).await;
                let answer = answer.map_err(|error| transient("listing dead letters", error))?;
                letters.extend(
                    list(answer).unwrap_or_default().into_iter().filter_map(|one| self.letter(shard, one)),
                );
            }
        }
        letters.sort_by_key(|letter| letter.id);
        letters.truncate(limit);
        Ok(letters)
    }

    async fn redrive(&self, id: u64) -> Result<bool> {
        self.take(id, "redrive").await
    }

    async fn purge(&self, id: u64) -> Result<bool> {
        self.take(id, "purge").await
    }
}

/// The last number of a shard that is not above an id.
fn first_after(after: u64, shard: usize) -> String {
    let (number, of) = (after >> SHARD_BITS, (after & ((1 << SHARD_BITS) - 1)) as usize);
    // Of the same number, shards with a greater index come after.
    if shard > of { (number as i64 - 1).to_string() } else { number.to_string() }
}

impl fmt::Debug for RedisDeadLetters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisDeadLetters of {}", self.group)
    }
}
