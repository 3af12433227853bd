//! The settings of the Redis transport, in code and in its URL.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use eventbus::{Error, ErrorKind, Result};
use jiff::SignedDuration;
use url::Url;

/// The settings of the Redis transport.
///
/// In a URL: `redis://user:password@host:6379/0?name=shop&shards=4&durability=fsync`. Times are written as `500ms`,
/// `10s`, `1h`. `rediss://` is TLS; `redis-sentinel://host:26379/service/0?node=host2:26379` asks sentinels for the
/// master (`rediss-sentinel://` with TLS to the master and to them).
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RedisConfig {
    /// Where the server is: scheme, user, password, host, port, database number.
    pub url: String,
    /// The name of the bus: buses of different names share a server and nothing else. Default `bus`.
    pub name: String,
    /// Into how many streams events are spread by key, 1 to 64; the same in every process of the bus, for good. A group
    /// with order per key has at most this many members at work. Default 1.
    pub shards: u16,
    /// What a publish waits for. Default [`Durability::Server`].
    pub durability: Durability,
    /// How long a member that gives no sign of life keeps its messages. Default 10 s, at least 500 ms.
    pub lease: Duration,
    /// How many events each shard's log keeps although every group has settled them, for groups that start in the past.
    /// Default 10,000.
    pub keep: u64,
    /// For how long the log keeps events although every group has settled them. Default 0.
    pub keep_for: Duration,
    /// The most dead letters a group keeps in each shard. Default 1,000,000.
    pub dead_letters: u64,
    /// The most scheduled events in each shard. Default 1,000,000.
    pub scheduled: u64,
    /// The largest event in bytes, published or received. Default 16 MiB.
    pub max_event_size: usize,
    /// How long an answer may take before the connection counts as lost. Default 5 s.
    pub response_timeout: Duration,
    /// What to do about a server that may evict keys when its memory is full. Default [`Eviction::Warn`].
    pub eviction: Eviction,
    /// A file with the certificates (PEM) that the server's is checked against, instead of the system's.
    pub ca: Option<PathBuf>,
    /// A file with this client's certificate (PEM), together with [`key`](Self::key).
    pub cert: Option<PathBuf>,
    /// A file with this client's private key (PEM).
    pub key: Option<PathBuf>,
    /// More sentinels, as `host:port`.
    pub nodes: Vec<String>,
}

/// What a publish waits for before it says `Ok`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// The server has it, and what it survives is the server's own setting, which the capabilities tell.
    Server,
    /// The server has written it to its disk. It must run with `appendfsync always`, or offer `WAITAOF` (7.2).
    Fsync,
    /// This many replicas have it in memory.
    Replicas(u8),
}

/// What to do about a server that may evict keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// Warn in the log, and in the health of the bus.
    Warn,
    /// Refuse to start.
    Refuse,
}

const OPTIONS: &str = "name, shards, durability (server, fsync, replicas:N), lease, keep, keep_for, dead_letters, \
    scheduled, max_event_size, response_timeout, eviction (warn, refuse), ca, cert, key, node";

impl RedisConfig {
    /// The defaults, for the server with this URL, which has no options in it.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            name: "bus".to_owned(),
            shards: 1,
            durability: Durability::Server,
            lease: Duration::from_secs(10),
            keep: 10_000,
            keep_for: Duration::ZERO,
            dead_letters: 1_000_000,
            scheduled: 1_000_000,
            max_event_size: 16 << 20,
            response_timeout: Duration::from_secs(5),
            eviction: Eviction::Warn,
            ca: None,
            cert: None,
            key: None,
            nodes: Vec::new(),
        }
    }

    /// Reads a URL with options.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid), naming the option and the rule; never with the password.
    pub fn parse(url: &str) -> Result<Self> {
        let mut parsed = Url::parse(url).map_err(|error| invalid(&format!("cannot be read: {error}")))?;
        let options: Vec<(String, String)> =
            parsed.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        parsed.set_query(None);
        let mut config = Self::new(parsed.as_str());
        for (name, value) in options {
            config.set(&name, &value)?;
        }
        config.check()?;
        Ok(config)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "name" => self.name = value.to_owned(),
            "shards" => self.shards = number(name, value)?,
            "durability" => self.durability = durability(value)?,
            "lease" => self.lease = time(name, value)?,
            "keep" => self.keep = number(name, value)?,
            "keep_for" => self.keep_for = time(name, value)?,
            "dead_letters" => self.dead_letters = number(name, value)?,
            "scheduled" => self.scheduled = number(name, value)?,
            "max_event_size" => self.max_event_size = number(name, value)?,
            "response_timeout" => self.response_timeout = time(name, value)?,
            "eviction" => self.eviction = eviction(value)?,
            "ca" => self.ca = Some(value.into()),
            "cert" => self.cert = Some(value.into()),
            "key" => self.key = Some(value.into()),
            "node" => self.nodes.push(value.to_owned()),
            _ => return Err(invalid(&format!("does not know the option {name:?}; it knows {OPTIONS}"))),
        }
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<()> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let options = Url::parse(&self.url).is_ok_and(|url| url.query().is_some());
        let rules = [
            (options, "url: has options in it; RedisConfig::parse reads those"),
            (self.name.is_empty() || self.name.len() > 100, "name: must have 1 to 100 characters"),
            (!self.name.bytes().all(legal), "name: may only have letters, digits, '_', '-' and '.'"),
            (!(1..=64).contains(&self.shards), "shards: must be from 1 to 64"),
            (self.lease < Duration::from_millis(500), "lease: must be at least 500ms"),
            (self.response_timeout < Duration::from_millis(100), "response_timeout: must be at least 100ms"),
            (self.dead_letters == 0, "dead_letters: must be above 0"),
            (self.scheduled == 0, "scheduled: must be above 0"),
            (self.max_event_size == 0, "max_event_size: must be above 0"),
            (self.durability == Durability::Replicas(0), "durability: replicas must be above 0"),
            (self.cert.is_some() != self.key.is_some(), "cert and key: must be given together"),
        ];
        match rules.into_iter().find(|(broken, _)| *broken) {
            Some((_, rule)) => Err(invalid(&format!("option {rule}"))),
            None => Ok(()),
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident: $type:ty;)*) => {
        impl RedisConfig {
            $(
                $(#[$doc])*
                #[must_use]
                pub fn $field(self, $field: $type) -> Self {
                    Self { $field, ..self }
                }
            )*
        }
    };
}

setters! {
    /// Sets how many streams events are spread over.
    shards: u16;
    /// Sets what a publish waits for.
    durability: Durability;
    /// Sets how long a member that gives no sign of life keeps its messages.
    lease: Duration;
    /// Sets how many settled events each log keeps.
    keep: u64;
    /// Sets for how long the log keeps settled events.
    keep_for: Duration;
    /// Sets how many dead letters a group keeps in each shard.
    dead_letters: u64;
    /// Sets how many events may be scheduled in each shard.
    scheduled: u64;
    /// Sets the largest event in bytes.
    max_event_size: usize;
    /// Sets how long an answer may take.
    response_timeout: Duration;
    /// Sets what to do about a server that may evict keys.
    eviction: Eviction;
}

impl RedisConfig {
    /// Sets the name of the bus.
    #[must_use]
    pub fn name(self, name: impl Into<String>) -> Self {
        Self { name: name.into(), ..self }
    }
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| invalid(&format!("option {name}: {value:?} is not a number that fits")))
}

fn time(name: &str, value: &str) -> Result<Duration> {
    let time = value.parse::<SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    time.ok_or_else(|| invalid(&format!("option {name}: {value:?} is not a time such as 500ms, 10s or 1h")))
}

fn durability(value: &str) -> Result<Durability> {
    match value.split_once(':') {
        None if value == "server" => Ok(Durability::Server),
        None if value == "fsync" => Ok(Durability::Fsync),
        Some(("replicas", count)) => Ok(Durability::Replicas(number("durability", count)?)),
        _ => Err(invalid(&format!("option durability: {value:?} is none of server, fsync, replicas:N"))),
    }
}

fn eviction(value: &str) -> Result<Eviction> {
    match value {
        "warn" => Ok(Eviction::Warn),
        "refuse" => Ok(Eviction::Refuse),
        _ => Err(invalid(&format!("option eviction: {value:?} is none of warn, refuse"))),
    }
}

pub(crate) fn invalid(rule: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("Redis URL {rule}"))
}

/// The URL without its password.
pub(crate) fn without_secrets(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut url) if url.password().is_some() => {
            // A URL that has a password can have another one.
            let _ = url.set_password(Some("***"));
            url.into()
        }
        Ok(url) => url.into(),
        Err(_) => "a URL that cannot be read".to_owned(),
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("url", &without_secrets(&self.url))
            .field("name", &self.name)
            .field("shards", &self.shards)
            .field("durability", &self.durability)
            .field("lease", &self.lease)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_sets_what_it_names_and_nothing_else() {
        let plain = RedisConfig::parse("redis://host:1/3").unwrap();
        assert_eq!(plain, RedisConfig::new("redis://host:1/3"));
        let url = "redis://host?shards=4&lease=2s&durability=replicas:2&keep_for=1h&eviction=refuse";
        let config = RedisConfig::parse(url).unwrap();
        let expected = RedisConfig::new("redis://host")
            .shards(4)
            .lease(Duration::from_secs(2))
            .durability(Durability::Replicas(2))
            .keep_for(Duration::from_secs(3600))
            .eviction(Eviction::Refuse);
        assert_eq!(config, expected);
    }

    #[test]
    fn bad_options_name_themselves_and_the_rule() {
        for (query, part) in [
            ("speed=11", "it knows name"),
            ("shards=0", "1 to 64"),
            ("shards=x", "\"x\""),
            ("lease=soon", "10s"),
            ("lease=1ms", "at least 500ms"),
            ("durability=maybe", "replicas:N"),
            ("durability=replicas:0", "above 0"),
            ("eviction=no", "refuse"),
            ("name=a%20b", "letters"),
            ("cert=x", "together"),
        ] {
            let error = RedisConfig::parse(&format!("redis://:secret@host?{query}")).unwrap_err();
            assert!(error.to_string().contains(part), "{query}: {error}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn secrets_are_hidden() {
        let config = RedisConfig::parse("rediss://me:secret@host/1").unwrap();
        let text = format!("{config:?}");
        assert!(!text.contains("secret") && text.contains("host"), "{text}");
    }
}
