//! Endpoints: registered URLs and what they want.

use std::fmt;
use std::time::Duration;

use eventbus::json::JsonMap;
use eventbus::{Pattern, Timestamp};

use super::key::random_text;
use super::mode::Mode;
use super::schedule::Schedule;
use super::secret::Sealed;
use super::url::EndpointUrl;
use crate::error::{Error, Result};

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

/// Whether an endpoint gets events: Payment Kit's two words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointStatus {
    /// New events are queued and delivered.
    Enabled,
    /// New events are not queued, queued ones wait.
    Disabled,
}

impl EndpointStatus {
    /// The word on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
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

    /// As they are matched.
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
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
    /// Whatever its owner attached.
    pub metadata: JsonMap,
    /// How its requests look and are signed: the name of a row in `signing`.
    pub format: String,
    /// Its first signing secret, sealed.
    pub secret: Sealed,
    /// When failed deliveries are tried again.
    pub schedule: Schedule,
    /// How many requests may be under way at once.
    pub max_in_flight: u32,
    /// How long a request may take, its answer's body included.
    pub timeout: Duration,
}

impl NewEndpoint {
    /// The default of [`max_in_flight`](Self::max_in_flight).
    pub const IN_FLIGHT: u32 = 8;
    /// The default of [`timeout`](Self::timeout).
    pub const TIMEOUT: Duration = Duration::from_secs(15);
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
    /// Whatever its owner attached.
    pub metadata: JsonMap,
    /// How its requests look and are signed.
    pub format: String,
    /// Whether it gets events.
    pub status: EndpointStatus,
    /// When failed deliveries are tried again.
    pub schedule: Schedule,
    /// How many requests may be under way at once.
    pub max_in_flight: u32,
    /// How long a request may take.
    pub timeout: Duration,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
