//! The one error type of the bridge: a kind that tells the caller what to do, and a source for the reader.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;

/// A result whose error is the bridge's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as the caller's next step is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument breaks a rule that the message names; repeating the call cannot help.
    Invalid,
    /// No key, or one that is not known.
    Unauthorized,
    /// A key that is known, for something it may not do.
    Forbidden,
    /// What was named does not exist, or not for whom asks.
    NotFound,
    /// What was asked contradicts what already exists.
    Conflict,
    /// What was to be changed is not what the caller saw: somebody else changed it meanwhile.
    Outdated,
    /// More was sent than is taken.
    TooLarge,
    /// The store or the bus cannot take it at present; the same call may succeed later.
    Unavailable,
    /// The bridge was shut down.
    Closed,
    /// What was read is not what was written, or a part of the bridge failed: a defect, not the caller's.
    Internal,
}

/// An error of the bridge: a [kind](ErrorKind), one sentence, and the cause where there is one.
pub struct Error {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Makes an error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    /// Makes an error for a rule that an argument breaks.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Adds what caused it.
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { source: Some(source.into()), ..self }
    }

    /// What the caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Tells whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        self.kind == ErrorKind::Unavailable
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.message)?;
        self.source.as_ref().map_or(Ok(()), |source| write!(f, " ({source})"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<eventbus::Error> for Error {
    fn from(error: eventbus::Error) -> Self {
        use eventbus::ErrorKind as Bus;
        let kind = match error.kind() {
            Bus::Invalid | Bus::Undecodable | Bus::Unsupported | Bus::Refused => ErrorKind::Invalid,
            Bus::Conflict => ErrorKind::Conflict,
            Bus::NotFound => ErrorKind::NotFound,
            Bus::Closed => ErrorKind::Closed,
            _ => ErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string()).with_source(error)
    }
}
