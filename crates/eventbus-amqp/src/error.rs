//! Errors of AMQP become the bus's own here.

use eventbus::{Error, ErrorKind};
use lapin::ErrorKind as Amqp;

/// `ACCESS_REFUSED`: no right to it, or a name that is the broker's own.
const ACCESS_REFUSED: u16 = 403;
/// `NOT_FOUND`: there is no such queue or exchange.
const NOT_FOUND: u16 = 404;
/// `RESOURCE_LOCKED`: an exclusive queue of another connection.
const RESOURCE_LOCKED: u16 = 405;
/// `PRECONDITION_FAILED`: it exists with other arguments, among others.
const PRECONDITION_FAILED: u16 = 406;
/// `NOT_ALLOWED`: a vhost that does not exist, or is closed to the user.
const NOT_ALLOWED: u16 = 530;

/// The broker's code, where it is the broker that said no.
fn code(error: &lapin::Error) -> Option<u16> {
    match error.kind() {
        Amqp::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

/// What a caller can do about it.
pub(crate) fn kind(error: &lapin::Error) -> ErrorKind {
    match code(error) {
        Some(ACCESS_REFUSED | NOT_ALLOWED) => ErrorKind::Refused,
        Some(PRECONDITION_FAILED) => ErrorKind::Conflict,
        _ => ErrorKind::NotSent,
    }
}

pub(crate) fn is_missing(error: &lapin::Error) -> bool {
    code(error) == Some(NOT_FOUND)
}

pub(crate) fn is_locked(error: &lapin::Error) -> bool {
    code(error) == Some(RESOURCE_LOCKED)
}

/// Whether an error ends a channel, and not its connection.
pub(crate) fn is_of_channel(error: &lapin::Error) -> bool {
    matches!(code(error), Some(ACCESS_REFUSED | NOT_FOUND | RESOURCE_LOCKED | PRECONDITION_FAILED))
}

/// An answer that took too long.
pub(crate) fn late() -> lapin::Error {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

/// The error for a call that changes nothing when it fails, or can be repeated.
pub(crate) fn transient(what: &str, error: lapin::Error) -> Error {
    let advice = match kind(&error) {
        ErrorKind::Conflict => {
            "; it exists with other arguments: delete it, or use the settings it was made with"
        }
        ErrorKind::Refused => "; the user needs the rights to configure, write and read it",
        _ => "",
    };
    Error::new(kind(&error), format!("{what}: {error}{advice}")).with_source(error)
}

/// A lost answer: nobody knows what became of the event.
pub(crate) fn unknown(error: &lapin::Error) -> Error {
    let text = "the confirm was lost; publish again with the same id";
    Error::new(ErrorKind::Unknown, format!("{text}: {error}")).with_source(error.clone())
}
