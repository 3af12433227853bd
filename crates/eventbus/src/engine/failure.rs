//! What a handler returns, and what its error means.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// What a handler returns: `Ok` acknowledges the message, for good.
pub type HandlerResult = Result<(), HandlerError>;

/// A handler's error: any error, with a [class](Class) that says what becomes of the message.
///
/// `?` makes one of any error; it is transient, so the message is tried again. Say [`permanent`](Self::permanent) when
/// trying again cannot help, [`retry_after`](Self::retry_after) when it is known when it can. Errors of this library
/// bring their own class: what can never succeed is permanent.
///
/// ```
/// use eventbus::{HandlerError, HandlerResult};
/// fn post(amount: &str) -> HandlerResult {
///     let amount: u64 = amount.parse().map_err(HandlerError::permanent)?;
///     std::fs::write("/ledger", amount.to_string())?; // transient
///     Ok(())
/// }
/// assert!(post("ten").is_err());
/// ```
pub struct HandlerError(Box<Repr>);

struct Repr {
    class: Class,
    source: Box<dyn StdError + Send + Sync>,
}

/// What becomes of a message whose handler failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Tried again by the retry policy.
    Transient,
    /// Tried again after this time, by the provider's word rather than the policy's.
    RetryAfter(Duration),
    /// Dead-lettered at once.
    Permanent,
}

impl HandlerError {
    /// An error that may be gone next time.
    pub fn transient(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Class::Transient, source)
    }

    /// An error that no retry can help.
    pub fn permanent(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Class::Permanent, source)
    }

    /// An error that names its delay, such as an answer with `Retry-After`.
    pub fn retry_after(delay: Duration, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Class::RetryAfter(delay), source)
    }

    /// An error of any class.
    pub fn new(class: Class, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(Box::new(Repr { class, source: source.into() }))
    }

    /// What becomes of the message.
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// The error as the type it was made from.
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.0.source.downcast_ref()
    }

    /// The error this was made from.
    pub fn source(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0.source
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for HandlerError {
    fn from(source: E) -> Self {
        let class = (&source as &dyn Any).downcast_ref::<Error>().map_or(Class::Transient, class_of);
        Self::new(class, source)
    }
}

/// An error of this library is permanent when the same call can never succeed.
fn class_of(error: &Error) -> Class {
    match error.kind() {
        ErrorKind::Invalid | ErrorKind::Undecodable | ErrorKind::Unsupported | ErrorKind::Refused => {
            Class::Permanent
        }
        _ => Class::Transient,
    }
}

impl fmt::Display for HandlerError {
    /// The error and what caused it, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.source)?;
        let mut cause = self.0.source.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.class)
    }
}
