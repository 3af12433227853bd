//! The states of an idempotency guard in Redis, shared by all members of a group.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eventbus::{Claim, Error, ErrorKind, IdempotencyStore, Result};
use rand::RngExt as _;

use crate::config::RedisConfig;
use crate::connection::{Dialler, Line, unreachable};
use crate::error::transient;
use crate::message::number;
use crate::script::GUARD;

/// Claimed, done or free, in one key per event: `SET` with a time to live, and a script that only ever changes the
/// caller's own claim.
///
/// ```no_run
/// # async fn example() -> eventbus::Result<()> {
/// use eventbus::Idempotency;
/// use eventbus_redis::{RedisConfig, RedisIdempotency};
/// let store = RedisIdempotency::connect(RedisConfig::new("redis://localhost")).await?;
/// let guard = Idempotency::new(store);
/// # Ok(())
/// # }
/// ```
pub struct RedisIdempotency {
    line: Arc<Line>,
    prefix: String,
    patience: Duration,
}

impl RedisIdempotency {
    /// Connects; of the settings, those of the connection and the name count.
    ///
    /// # Errors
    /// As [`RedisTransport::connect`](crate::RedisTransport::connect).
    pub async fn connect(config: RedisConfig) -> Result<Self> {
        config.check()?;
        let dialler = Arc::new(Dialler::new(&config)?);
        let line = Arc::new(Line::new(&dialler, Some(config.response_timeout)));
        line.first().await.map_err(|error| unreachable(&dialler, error))?;
        Ok(Self { line, prefix: format!("eventbus:{}:done", config.name), patience: config.response_timeout })
    }

    async fn run(&self, key: &str, (what, claim, time): (&str, u64, Duration)) -> Result<i64> {
        let mut command = GUARD.command(&[format!("{}:{key}", self.prefix)]);
        command
            .arg(what)
            .arg(claim)
            .arg(u64::try_from(time.as_millis()).unwrap_or(u64::MAX).clamp(1, LONGEST));
        let answer = tokio::time::timeout(self.patience, GUARD.run(&self.line, &command)).await;
        let answer =
            answer.map_err(|_| Error::new(ErrorKind::NotSent, "the idempotency store does not answer"))?;
        let answer = answer.map_err(|error| transient("the idempotency store", error))?;
        Ok(number(&answer).unwrap_or(0))
    }
}

/// The longest time to live in ms that Redis takes.
const LONGEST: u64 = 1 << 52;
const CLAIMED: i64 = -1;
const DONE: i64 = -2;

#[async_trait]
impl IdempotencyStore for RedisIdempotency {
    async fn claim(&self, key: &str, lease: Duration) -> Result<Claim> {
        let claim = rand::rng().random::<u64>();
        Ok(match self.run(key, ("claim", claim, lease)).await? {
            CLAIMED => Claim::Claimed(claim),
            DONE => Claim::Done,
            left => Claim::InProgress(Duration::from_millis(u64::try_from(left).unwrap_or(1))),
        })
    }

    async fn done(&self, key: &str, claim: u64, keep: Duration) -> Result<()> {
        self.run(key, ("done", claim, keep)).await.map(drop)
    }

    async fn free(&self, key: &str, claim: u64) -> Result<()> {
        self.run(key, ("free", claim, Duration::ZERO)).await.map(drop)
    }
}

impl fmt::Debug for RedisIdempotency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisIdempotency on {:?}", self.line)
    }
}
