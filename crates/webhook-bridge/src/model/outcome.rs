//! What became of one request.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

/// What became of one request, as far as the retry decision is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Headers of an answer came in time.
    Answered {
        /// Its status.
        status: u16,
        /// `Retry-After`, where the answer named one.
        retry_after: Option<Duration>,
        /// What else it asked for.
        wish: Option<Wish>,
    },
    /// No answer.
    Failed(Trouble),
}

/// What an answer asks for by a header `webhook-delivery`, as Svix has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wish {
    /// `abort-message`: this delivery is not sent again.
    Abort,
    /// `disable`: nothing is sent any more.
    Disable,
}

impl Wish {
    /// What the header's value asks for; words that are not known ask for nothing.
    pub fn parse(value: &str) -> Option<Self> {
        match value.trim() {
            "abort-message" => Some(Self::Abort),
            "disable" => Some(Self::Disable),
            _ => None,
        }
    }
}

/// Why there was no answer: stable words for logs, displays and filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// The egress guard refused the target.
    Blocked,
    /// The name was not resolved.
    Dns,
    /// No connection was made.
    Connect,
    /// The connection could not be secured.
    Tls,
    /// The deadline passed.
    Timeout,
    /// The connection broke, or spoke no HTTP.
    Reset,
    /// The process that made the attempt ended before it knew.
    Interrupted,
    /// A defect of the bridge; never charged to the endpoint.
    Internal,
}

impl Trouble {
    /// Every trouble.
    pub const ALL: [Self; 8] = [
        Self::Blocked,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Reset,
        Self::Interrupted,
        Self::Internal,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blocked => "blocked_target",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Reset => "reset",
            Self::Interrupted => "interrupted",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Outcome {
    /// Tells whether the endpoint took it: any 2xx.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Answered { status: 200..=299, .. })
    }

    /// The status of the answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            Self::Failed(_) => None,
        }
    }

    /// What went wrong instead of an answer.
    pub fn trouble(&self) -> Option<Trouble> {
        match self {
            Self::Answered { .. } => None,
            Self::Failed(trouble) => Some(*trouble),
        }
    }

    /// What the endpoint asked for beside its status.
    pub fn wish(&self) -> Option<Wish> {
        match self {
            Self::Answered { wish, .. } => *wish,
            Self::Failed(_) => None,
        }
    }

    /// Tells whether the bridge is to blame: such an attempt counts for nothing.
    pub fn is_fault(&self) -> bool {
        matches!(self, Self::Failed(Trouble::Internal | Trouble::Interrupted))
    }

    /// How long the endpoint asked to be left alone: `Retry-After` on 429 and 503, at most a day.
    pub fn hold(&self) -> Option<Duration> {
        const LONGEST: Duration = Duration::from_secs(24 * 3600);
        match self {
            Self::Answered { status: 429 | 503, retry_after, .. } => {
                retry_after.map(|wait| wait.min(LONGEST))
            }
            _ => None,
        }
    }
}

/// What is kept of an answer beside its status.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The beginning of the body, as opaque bytes.
    pub body: Bytes,
    /// A note for whom looks at it: what was refused, what broke.
    pub note: Option<String>,
}
