//! Errors of Redis become the bus's own here.

use eventbus::{Error, ErrorKind};
use redis::{ErrorKind as Redis, RedisError, ServerErrorKind};

/// The error for a call that changes nothing when it fails, or can be repeated.
pub(crate) fn transient(what: &str, error: RedisError) -> Error {
    Error::new(kind(&error), format!("{what}: {error}")).with_source(error)
}

/// What a caller can do about an answer of the server.
pub(crate) fn kind(error: &RedisError) -> ErrorKind {
    match (error.kind(), error.code()) {
        (Redis::AuthenticationFailed | Redis::Server(ServerErrorKind::NoPerm), _) => ErrorKind::Refused,
        (Redis::InvalidClientConfig, _) => ErrorKind::Invalid,
        (_, Some("WRONGTYPE" | "WRONGPASS" | "NOAUTH")) => ErrorKind::Refused,
        (_, Some("OOM")) => ErrorKind::Full,
        (Redis::Server(ServerErrorKind::ResponseError), _) => ErrorKind::Refused,
        _ => ErrorKind::NotSent,
    }
}

/// Tells whether this connection is of no use any more.
pub(crate) fn is_broken(error: &RedisError) -> bool {
    match error.kind() {
        Redis::Io | Redis::Parse => true,
        // The server became a replica, or is not ready: another connection may lead to one that is.
        Redis::Server(kind) => matches!(
            kind,
            ServerErrorKind::ReadOnly | ServerErrorKind::BusyLoading | ServerErrorKind::MasterDown
        ),
        _ => error.is_unrecoverable_error(),
    }
}

/// Tells whether the group, or the stream it reads, is not there any more.
pub(crate) fn is_vanished(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOGROUP" | "UNBLOCKED"))
}

/// The outcome of one `XADD` that the server refused.
pub(crate) fn refused(error: RedisError) -> Error {
    let text = match kind(&error) {
        ErrorKind::Full => "the server is out of memory",
        ErrorKind::Refused => "the server refused the event",
        _ => "the server could not store the event at this moment",
    };
    transient(text, error)
}

/// The server has the event, and nobody knows whether its copies are safe.
pub(crate) fn unconfirmed() -> Error {
    Error::new(ErrorKind::Unknown, "the server has the event, but its copies were not confirmed in time")
}

/// A lost answer: nobody knows what became of the event.
pub(crate) fn unknown(error: &RedisError) -> Error {
    let text = "the answer was lost; publish again with the same id";
    Error::new(ErrorKind::Unknown, format!("{text}: {error}")).with_source(error.clone())
}
