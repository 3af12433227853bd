//! Endpoints: registered URLs and what they want.

use std::fmt;
use std::time::Duration;

use eventbus::json::JsonMap;
use eventbus::transport::Order;
use eventbus::{Pattern, Timestamp};

use super::health::DisabledReason;
use super::key::random_text;
use super::mode::Mode;
use super::schedule::Schedule;
use super::secret::Sealed;
use super::url::EndpointUrl;
use crate::error::{Error, ErrorKind, Result};

/// The public id of an endpoint: `we_` and 24 letters and digits.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct EndpointId(String);

impl EndpointId {
    /// Makes a fresh id.
    pub fn generate() -> Self {
        Self(format!("we_{}", random_text(24)))
    }

    /// An id that somebody sent; whether there is such an endpoint is the store's to say.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether an endpoint gets events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointStatus {
    /// New events are queued and delivered.
    Enabled,
    /// New events are queued, and all wait.
    Paused,
    /// New events are not queued, queued ones wait.
    Disabled,
}

impl EndpointStatus {
    const ALL: [Self; 3] = [Self::Enabled, Self::Paused, Self::Disabled];

    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }

    /// The word on the wire, where Payment Kit has two: what waits is disabled.
    pub fn word(self) -> &'static str {
        if self == Self::Enabled { "enabled" } else { "disabled" }
    }

    /// The status that the store's word is.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for any other word.
    pub fn stored(word: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == word);
        found.ok_or_else(|| Error::invalid("status: must be enabled or disabled"))
    }

    /// The status that somebody asks for, by Payment Kit's words.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for any other word.
    pub fn parse(word: &str) -> Result<Self> {
        Self::stored(word).and_then(|status| match status {
            Self::Paused => Err(Error::invalid("status: must be enabled or disabled")),
            status => Ok(status),
        })
    }
}

/// The types and patterns an endpoint wants, as they were written; `*` alone is everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnabledEvents {
    texts: Vec<String>,
    patterns: Vec<Pattern>,
}

impl EnabledEvents {
    /// The most types and patterns of one endpoint.
    pub const MOST: usize = 512;

    /// Parses types and patterns.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for none, too many, or one that breaks the grammar.
    pub fn parse(texts: Vec<String>) -> Result<Self> {
        if texts.is_empty() || texts.len() > Self::MOST {
            return Err(Error::invalid("enabled_events: must have 1 to 512 types or patterns"));
        }
        let patterns = texts.iter().map(|text| text.parse()).collect::<eventbus::Result<_>>();
        let patterns = patterns.map_err(|error| Error::invalid(format!("enabled_events: {error}")))?;
        Ok(Self { texts, patterns })
    }

    /// As they were written.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// Whether a type is one of them.
    pub fn matches(&self, event_type: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(event_type))
    }

    /// As they are matched.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }
}

/// When an endpoint that answers 410 is disabled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GonePolicy {
    /// After three deliveries, over at least ten minutes: a deploy may be half done.
    #[default]
    Confirmed,
    /// At once, by the letter of Standard Webhooks.
    Immediate,
}

impl GonePolicy {
    /// The word in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Immediate => "immediate",
        }
    }

    /// The policy of this word.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for any other word.
    pub fn parse(word: &str) -> Result<Self> {
        let found = [Self::Confirmed, Self::Immediate].into_iter().find(|policy| policy.as_str() == word);
        found.ok_or_else(|| Error::invalid("gone_policy: must be confirmed or immediate"))
    }
}

/// What is asked for when an endpoint is made.
#[derive(Debug, Clone)]
pub struct NewEndpoint {
    /// The mode it lives in.
    pub mode: Mode,
    /// Where its events go.
    pub url: EndpointUrl,
    /// What it is for, in its owner's words.
    pub description: String,
    /// The events it wants.
    pub enabled_events: EnabledEvents,
    /// The only source whose events it gets; `None` for every source.
    pub source: Option<String>,
    /// Whatever its owner attached.
    pub metadata: JsonMap,
    /// How its requests look and are signed: the name of a row in `signing`.
    pub format: String,
    /// Its first signing secret, sealed.
    pub secret: Sealed,
    /// Whether it gets events from the beginning.
    pub status: EndpointStatus,
    /// The version of the event objects it was written for; kept for its owner.
    pub api_version: String,
    /// Whether what has one key is delivered in order.
    pub order: Order,
    /// When failed deliveries are tried again.
    pub schedule: Schedule,
    /// How many requests may be under way at once.
    pub max_in_flight: u32,
    /// How long a request may take, its answer's body included.
    pub timeout: Duration,
    /// When it is disabled for answering 410.
    pub gone_policy: GonePolicy,
}

impl NewEndpoint {
    /// An endpoint with the defaults, whose requests look and are signed by this format, with this secret.
    pub fn new(
        mode: Mode,
        url: EndpointUrl,
        enabled_events: EnabledEvents,
        (format, secret): (&str, Sealed),
    ) -> Self {
        Self {
            mode,
            url,
            description: String::new(),
            enabled_events,
            source: None,
            metadata: JsonMap::default(),
            format: format.to_owned(),
            secret,
            status: EndpointStatus::Enabled,
            api_version: Self::API_VERSION.to_owned(),
            order: Order::None,
            schedule: Schedule::default(),
            max_in_flight: Self::IN_FLIGHT,
            timeout: Self::TIMEOUT,
            gone_policy: GonePolicy::default(),
        }
    }

    /// The default of [`max_in_flight`](Self::max_in_flight).
    pub const IN_FLIGHT: u32 = 8;
    /// The most that [`max_in_flight`](Self::max_in_flight) may be.
    pub const MOST_IN_FLIGHT: u32 = 64;
    /// The default of [`timeout`](Self::timeout).
    pub const TIMEOUT: Duration = Duration::from_secs(15);
    /// The default of [`api_version`](Self::api_version): the one Payment Kit's documentation shows.
    pub const API_VERSION: &'static str = "2023-09-05";
}

/// Which versions of an endpoint may be changed or deleted: those that the caller saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Expected {
    /// Whatever it is.
    #[default]
    Any,
    /// One of these.
    OneOf(Vec<u64>),
}

impl Expected {
    /// Checks that a version is one of them.
    ///
    /// # Errors
    /// [`Outdated`](crate::ErrorKind::Outdated) when it is not.
    pub fn check(&self, version: u64) -> Result<()> {
        match self {
            Self::OneOf(versions) if !versions.contains(&version) => {
                Err(Error::new(ErrorKind::Outdated, "If-Match: the endpoint was changed meanwhile"))
            }
            _ => Ok(()),
        }
    }
}

/// What is asked for when an endpoint is changed; what is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct EndpointChange {
    /// Where its events go from now on, those that wait too.
    pub url: Option<EndpointUrl>,
    /// What it is for.
    pub description: Option<String>,
    /// The events it wants, in place of all it wanted.
    pub enabled_events: Option<EnabledEvents>,
    /// What its owner attached, in place of all that was.
    pub metadata: Option<JsonMap>,
    /// Whether it gets events.
    pub status: Option<EndpointStatus>,
    /// The version of the event objects.
    pub api_version: Option<String>,
    /// Whether what has one key is delivered in order, of what is stored from now on.
    pub order: Option<Order>,
    /// When failed deliveries are tried again.
    pub schedule: Option<Schedule>,
    /// How many requests may be under way at once.
    pub max_in_flight: Option<u32>,
    /// How long a request may take.
    pub timeout: Option<Duration>,
    /// When it is disabled for answering 410.
    pub gone_policy: Option<GonePolicy>,
    /// What it must be for that.
    pub expected: Expected,
}

/// A registered URL.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its public id.
    pub id: EndpointId,
    /// The mode it lives in.
    pub mode: Mode,
    /// Where its events go.
    pub url: EndpointUrl,
    /// What it is for, in its owner's words.
    pub description: String,
    /// The events it wants.
    pub enabled_events: EnabledEvents,
    /// The only source whose events it gets.
    pub source: Option<String>,
    /// Whatever its owner attached.
    pub metadata: JsonMap,
    /// How its requests look and are signed.
    pub format: String,
    /// Whether it gets events.
    pub status: EndpointStatus,
    /// Why it is disabled, where it was not its owner who said so.
    pub disabled_reason: Option<DisabledReason>,
    /// The version of the event objects it was written for.
    pub api_version: String,
    /// Whether what has one key is delivered in order.
    pub order: Order,
    /// When failed deliveries are tried again.
    pub schedule: Schedule,
    /// How many requests may be under way at once.
    pub max_in_flight: u32,
    /// How long a request may take.
    pub timeout: Duration,
    /// When it is disabled for answering 410.
    pub gone_policy: GonePolicy,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Counts its changes; its health is none.
    pub version: u64,
}
