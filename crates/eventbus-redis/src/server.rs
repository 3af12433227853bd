//! What is found out about the server at the start: its version, what its data survives, what it may throw away.

use eventbus::transport::Durability as Stated;
use eventbus::{Error, ErrorKind, Result};
use redis::Value;

use crate::config::{Durability, Eviction, RedisConfig};
use crate::connection::{Dialler, Line, unreachable};
use crate::message::bytes;

/// What this transport knows of its server.
#[derive(Debug)]
pub(crate) struct Server {
    /// What a stored event survives.
    pub(crate) durability: Stated,
    /// What a publish waits for.
    pub(crate) confirmation: Confirmation,
    /// What is wrong with it, for the health.
    pub(crate) warning: Option<String>,
}

/// What follows the events of a pipeline, and says that they are safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmation {
    /// The answer itself.
    Answer,
    /// `WAIT`, for this many replicas.
    Replicas(u8),
    /// `WAITAOF`, for the server's own disk.
    Disk,
}

/// The oldest version that has what this transport needs, and the first with `WAITAOF`.
const OLDEST: (u32, u32) = (7, 0);
const WAITAOF: (u32, u32) = (7, 2);

impl Server {
    /// Asks the server, and refuses one that cannot keep what the settings promise.
    pub(crate) async fn examine(line: &Line, dialler: &Dialler, config: &RedisConfig) -> Result<Self> {
        line.first().await.map_err(|error| unreachable(dialler, error))?;
        let info = line.query(redis::cmd("INFO").arg("everything")).await;
        let info = info.map_err(|error| unreachable(dialler, error))?;
        let info = String::from_utf8(bytes(info).unwrap_or_default()).unwrap_or_default();
        let fact = |name: &str| field(&info, name).unwrap_or_default();
        let version = version(fact("redis_version"));
        if version < OLDEST {
            return Err(lack(&format!("Redis {} is older than 7.0", fact("redis_version"))));
        }
        if fact("cluster_enabled") == "1" {
            return Err(lack("clusters are not supported yet; use a server, or sentinels"));
        }
        let sync = line.query(redis::cmd("CONFIG").arg("GET").arg("appendfsync")).await;
        // Not every user may ask; then it is taken for the lesser.
        let disk = match (fact("aof_enabled"), sync.is_ok_and(|answer| holds(answer, b"always"))) {
            ("1", true) => Disk::Always,
            ("1", false) => Disk::Sometimes,
            _ => Disk::Never,
        };
        let (stated, confirmation) = durability(config, disk, version)?;
        let warning = eviction(config, fact("maxmemory_policy"))?;
        Ok(Self { durability: stated, confirmation, warning })
    }
}

/// When the server writes to its disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Disk {
    Never,
    Sometimes,
    /// Before it answers.
    Always,
}

fn durability(config: &RedisConfig, disk: Disk, version: (u32, u32)) -> Result<(Stated, Confirmation)> {
    match (config.durability, disk) {
        (Durability::Replicas(count), _) => {
            Ok((Stated::Replicated(count.saturating_add(1)), Confirmation::Replicas(count)))
        }
        (_, Disk::Always) => Ok((Stated::Synced, Confirmation::Answer)),
        (Durability::Fsync, Disk::Sometimes) if version >= WAITAOF => {
            Ok((Stated::Synced, Confirmation::Disk))
        }
        (Durability::Fsync, _) => {
            Err(lack("durability=fsync needs appendonly yes, with appendfsync always or Redis 7.2 (WAITAOF)"))
        }
        (Durability::Server, Disk::Sometimes) => Ok((Stated::Disk, Confirmation::Answer)),
        (Durability::Server, Disk::Never) => Ok((Stated::Memory, Confirmation::Answer)),
    }
}

/// Policies that evict any key may evict a stream, and with it events and what groups have not read.
fn eviction(config: &RedisConfig, policy: &str) -> Result<Option<String>> {
    if !policy.starts_with("allkeys") {
        return Ok(None);
    }
    let text = format!("the server's maxmemory-policy {policy} may evict events; it should be noeviction");
    match config.eviction {
        Eviction::Refuse => Err(Error::new(ErrorKind::Refused, text)),
        Eviction::Warn => {
            tracing::error!("{text}");
            Ok(Some(text))
        }
    }
}

fn lack(text: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("the redis transport: {text}"))
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn version(text: &str) -> (u32, u32) {
    let mut parts = text.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

fn holds(answer: Value, text: &[u8]) -> bool {
    match answer {
        Value::Array(parts) => parts.into_iter().any(|part| bytes(part).as_deref() == Some(text)),
        Value::Map(pairs) => pairs.into_iter().any(|(_, value)| bytes(value).as_deref() == Some(text)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_from_info() {
        let info = "# Server\r\nredis_version:7.0.15\r\nredis_mode:standalone\r\n";
        assert_eq!(field(info, "redis_version"), Some("7.0.15"));
        assert_eq!(version("7.0.15"), (7, 0));
        assert!(version("6.2.1") < OLDEST && version("10.0") > WAITAOF);
    }
}
