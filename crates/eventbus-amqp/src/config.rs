//! The settings of the AMQP transport, in code and in its URL.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use eventbus::{Error, ErrorKind, Result};
use jiff::SignedDuration;
use url::Url;

/// The settings of the AMQP transport.
///
/// In a URL: `amqp://user:password@host:5672/vhost?name=shop&heartbeat=10s`; `amqps://` is TLS. The vhost `/`, which is
/// the default, is written `%2f` or left out. Times are written as `500ms`, `10s`, `1h`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AmqpConfig {
    /// Where the broker is: scheme, user, password, host, port, vhost.
    pub url: String,
    /// Other nodes of its cluster, as `host` or `host:port`, which are tried in turn when one cannot be reached.
    pub nodes: Vec<String>,
    /// The name of the bus, which is its exchange's; buses of different names share a vhost and nothing else.
    /// Default `bus`.
    pub name: String,
    /// What the queues of durable groups are. Default [`Queues::Quorum`].
    pub queues: Queues,
    /// Over how many shards a group with order per key spreads its keys, 1 to 64: as many of its members work at a time. A
    /// group keeps the number that it was made with. Default 1.
    pub shards: u16,
    /// How often each side shows that it lives, in whole seconds; a peer that is silent for twice as long is lost.
    /// Default 10 s.
    pub heartbeat: Duration,
    /// How long an answer may take before the connection counts as lost. Default 5 s.
    pub response_timeout: Duration,
    /// The broker's `consumer_timeout`, which no client can ask for: a message unacknowledged for longer is taken back with
    /// all others of its member. Handlers that could take so long are refused. Default 30 min, as the broker's.
    pub consumer_timeout: Duration,
    /// The largest event in bytes, published or received. Default 16 MiB.
    pub max_event_size: usize,
    /// The most events that are scheduled at once, nearly; at most 60,000. Default 50,000.
    pub scheduled: u64,
    /// What becomes of an event that no group wants. Default [`Unrouted::Drop`].
    pub unrouted: Unrouted,
    /// A file with certificates (PEM) that the broker's is checked against, beside the system's.
    pub ca: Option<PathBuf>,
    /// A file with this client's certificate (PEM), together with [`key`](Self::key).
    pub cert: Option<PathBuf>,
    /// A file with this client's private key (PEM).
    pub key: Option<PathBuf>,
}

/// What the queues of durable groups are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Queues {
    /// Quorum queues: replicated where the broker has several nodes, synced to disk before an event is confirmed.
    Quorum,
    /// Classic queues, durable, on one node. Messages lost with a member count one attempt, however often that happens.
    Classic,
}

/// What becomes of an event that no group wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unrouted {
    /// It is gone: nobody asked for it.
    Drop,
    /// It is kept in the queue `<bus>/unrouted`, for somebody to look at.
    Keep,
}

const OPTIONS: &str = "name, nodes (host:port, …), queues (quorum, classic), shards, heartbeat, response_timeout, consumer_timeout, max_event_size, scheduled, unrouted (drop, keep), ca, cert, key";

impl AmqpConfig {
    /// The defaults, for the broker with this URL, which has no options in it.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            nodes: Vec::new(),
            name: "bus".to_owned(),
            queues: Queues::Quorum,
            shards: 1,
            heartbeat: Duration::from_secs(10),
            response_timeout: Duration::from_secs(5),
            consumer_timeout: Duration::from_secs(30 * 60),
            max_event_size: 16 << 20,
            scheduled: 50_000,
            unrouted: Unrouted::Drop,
            ca: None,
            cert: None,
            key: None,
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
            "nodes" => self.nodes = value.split(',').map(str::to_owned).collect(),
            "queues" => self.queues = queues(value)?,
            "shards" => self.shards = number(name, value)?,
            "heartbeat" => self.heartbeat = time(name, value)?,
            "response_timeout" => self.response_timeout = time(name, value)?,
            "consumer_timeout" => self.consumer_timeout = time(name, value)?,
            "max_event_size" => self.max_event_size = number(name, value)?,
            "scheduled" => self.scheduled = number(name, value)?,
            "unrouted" => self.unrouted = unrouted(value)?,
            "ca" => self.ca = Some(value.into()),
            "cert" => self.cert = Some(value.into()),
            "key" => self.key = Some(value.into()),
            _ => return Err(invalid(&format!("does not know the option {name:?}; it knows {OPTIONS}"))),
        }
        Ok(())
    }

    pub(crate) fn check(&self) -> Result<()> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        let url = Url::parse(&self.url).map_err(|error| invalid(&format!("cannot be read: {error}")))?;
        let secure = url.scheme() == "amqps";
        let files = self.ca.is_some() || self.cert.is_some() || self.key.is_some();
        let heartbeat = self.heartbeat;
        let beats = heartbeat.subsec_nanos() == 0 && (1..=3600).contains(&heartbeat.as_secs());
        let rules = [
            (!matches!(url.scheme(), "amqp" | "amqps"), "url: must begin with amqp:// or amqps://"),
            (url.host_str().is_none_or(str::is_empty), "url: names no host"),
            (url.query().is_some(), "url: has options in it; AmqpConfig::parse reads those"),
            (url.path().matches('/').count() > 1, "vhost: a '/' in it is written %2f"),
            (self.name.is_empty() || self.name.len() > 64, "name: must have 1 to 64 characters"),
            (!self.name.bytes().all(legal), "name: may only have letters, digits, '_', '-' and '.'"),
            (self.name.starts_with("amq."), "name: must not begin with amq., which is the broker's own"),
            (!(1..=64).contains(&self.shards), "shards: must be from 1 to 64"),
            (!beats, "heartbeat: must be whole seconds, from 1s to 1h"),
            (self.response_timeout < Duration::from_millis(100), "response_timeout: must be at least 100ms"),
            (self.consumer_timeout.is_zero(), "consumer_timeout: must be above 0"),
            (self.max_event_size == 0, "max_event_size: must be above 0"),
            (!(1..=60_000).contains(&self.scheduled), "scheduled: must be from 1 to 60000"),
            (self.cert.is_some() != self.key.is_some(), "cert and key: must be given together"),
            (files && !secure, "ca, cert and key: are for amqps:// only"),
        ];
        match rules.into_iter().find(|(broken, _)| *broken) {
            Some((_, rule)) => Err(invalid(&format!("option {rule}"))),
            None => self.nodes.iter().try_for_each(|node| at(&url, node).map(drop)),
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $field:ident: $type:ty;)*) => {
        impl AmqpConfig {
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
    /// Sets what the queues of durable groups are.
    queues: Queues;
    /// Sets over how many shards a group with order per key spreads its keys.
    shards: u16;
    /// Sets how often each side shows that it lives.
    heartbeat: Duration;
    /// Sets how long an answer may take.
    response_timeout: Duration;
    /// Sets what the broker's own setting of this name is.
    consumer_timeout: Duration;
    /// Sets the largest event in bytes.
    max_event_size: usize;
    /// Sets how many events may be scheduled at once.
    scheduled: u64;
    /// Sets what becomes of an event that no group wants.
    unrouted: Unrouted;
}

impl AmqpConfig {
    /// Sets other nodes of the cluster.
    #[must_use]
    pub fn nodes(self, nodes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { nodes: nodes.into_iter().map(Into::into).collect(), ..self }
    }

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

fn queues(value: &str) -> Result<Queues> {
    match value {
        "quorum" => Ok(Queues::Quorum),
        "classic" => Ok(Queues::Classic),
        _ => Err(invalid(&format!("option queues: {value:?} is none of quorum, classic"))),
    }
}

fn unrouted(value: &str) -> Result<Unrouted> {
    match value {
        "drop" => Ok(Unrouted::Drop),
        "keep" => Ok(Unrouted::Keep),
        _ => Err(invalid(&format!("option unrouted: {value:?} is none of drop, keep"))),
    }
}

/// The URL of another node, which has everything else in common.
pub(crate) fn at(url: &Url, node: &str) -> Result<Url> {
    let wrong = || invalid(&format!("option nodes: {node:?} is not a host, or host:port"));
    let place = Url::parse(&format!("amqp://{node}")).map_err(|_| wrong())?;
    let only = place.username().is_empty() && place.path().is_empty() && place.query().is_none();
    let host = place.host_str().filter(|host| only && !host.is_empty()).ok_or_else(wrong)?;
    let mut url = url.clone();
    url.set_host(Some(host)).map_err(|_| wrong())?;
    url.set_port(place.port()).map_err(|()| wrong())?;
    Ok(url)
}

pub(crate) fn invalid(rule: &str) -> Error {
    Error::new(ErrorKind::Invalid, format!("AMQP URL {rule}"))
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

impl fmt::Debug for AmqpConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpConfig")
            .field("url", &without_secrets(&self.url))
            .field("name", &self.name)
            .field("queues", &self.queues)
            .field("heartbeat", &self.heartbeat)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_sets_what_it_names_and_nothing_else() {
        let plain = AmqpConfig::parse("amqp://host:1/%2f").unwrap();
        assert_eq!(plain, AmqpConfig::new("amqp://host:1/%2f"));
        let url =
            "amqp://host?heartbeat=2s&queues=classic&unrouted=keep&name=shop&shards=4&nodes=b,[::1]:5673";
        let expected = AmqpConfig::new("amqp://host")
            .name("shop")
            .nodes(["b", "[::1]:5673"])
            .heartbeat(Duration::from_secs(2))
            .queues(Queues::Classic)
            .shards(4)
            .unrouted(Unrouted::Keep);
        assert_eq!(AmqpConfig::parse(url).unwrap(), expected);
    }

    #[test]
    fn bad_options_name_themselves_and_the_rule() {
        for (query, part) in [
            ("speed=11", "it knows name"),
            ("max_event_size=0", "above 0"),
            ("max_event_size=x", "\"x\""),
            ("scheduled=60001", "60000"),
            ("shards=0", "1 to 64"),
            ("shards=x", "\"x\""),
            ("heartbeat=soon", "10s"),
            ("heartbeat=1500ms", "whole seconds"),
            ("queues=fast", "quorum, classic"),
            ("unrouted=no", "drop, keep"),
            ("name=a%20b", "letters"),
            ("name=amq.x", "broker's own"),
            ("nodes=b,c%20d", "host:port"),
            ("nodes=", "host:port"),
            ("nodes=b/x", "host:port"),
            ("ca=x", "amqps"),
            ("cert=x", "together"),
        ] {
            let error = AmqpConfig::parse(&format!("amqp://me:secret@host?{query}")).unwrap_err();
            assert!(error.to_string().contains(part), "{query}: {error}");
            assert!(!error.to_string().contains("secret"));
        }
        assert!(AmqpConfig::parse("amqp://host//").unwrap_err().to_string().contains("%2f"));
        assert!(AmqpConfig::parse("http://host").unwrap_err().to_string().contains("amqps://"));
    }

    #[test]
    fn secrets_are_hidden() {
        let config = AmqpConfig::parse("amqps://me:secret@host/shop").unwrap();
        let text = format!("{config:?}");
        assert!(!text.contains("secret") && text.contains("host"), "{text}");
    }
}
