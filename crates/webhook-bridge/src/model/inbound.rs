//! A webhook that came in, as it is remembered.

use eventbus::Timestamp;

use super::Mode;

/// What makes a webhook of others one that came before.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Inbound {
    /// The name of the source it came from.
    pub source: String,
    /// Its event's mode.
    pub mode: Mode,
    /// Its event's id.
    pub event: String,
    /// Until when it is remembered.
    pub expires_at: Timestamp,
}
