//! The one error type of this library: a kind that tells the caller what to do, and a source for the reader.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// A result whose error is this library's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as the caller's next step is concerned.
///
/// Match on this, never on the text of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument breaks a rule that the message names; repeating the call cannot help.
    Invalid,
    /// An event's bytes are not what its type says they are.
    Undecodable,
    /// The transport cannot do what was asked; the message names the capability.
    Unsupported,
    /// What was asked contradicts what already exists, such as a group that runs with other patterns.
    Conflict,
    /// A bounded queue had no room; nothing was stored.
    Full,
    /// The transport could not be reached; nothing was stored, publishing again is safe.
    NotSent,
    /// The transport may or may not hold the event; publishing again with the same id is safe.
    Unknown,
    /// The transport said no for good, for instance because the event is over its size limit.
    Refused,
    /// The bus, or the subscription, was shut down.
    Closed,
    /// What was named does not exist: a group, an event to start with, a dead letter, a settled message.
    NotFound,
}

/// An error of the bus: a [kind](ErrorKind), one sentence, and the cause where there is one.
///
/// One word wide, because it stands in the outcome of every event of a batch.
pub struct Error(Box<Repr>);

struct Repr {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Makes an error of this kind; transports outside this crate use it too.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Repr { kind, message: message.into(), source: None }))
    }

    /// Adds what caused it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Tells whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Full | ErrorKind::NotSent | ErrorKind::Unknown)
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub(crate) fn undecodable(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Undecodable, message)
    }

    /// The error for everything after the end of a bus, a transport or a subscription.
    pub fn closed(what: &str) -> Self {
        Self::new(ErrorKind::Closed, format!("{what} is closed"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.kind, self.0.message)?;
        self.0.source.as_ref().map_or(Ok(()), |source| write!(f, " ({source})"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
