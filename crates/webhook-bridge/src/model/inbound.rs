//! A webhook that came in, as it is remembered.

use std::fmt;

use eventbus::Timestamp;
use ring::digest::{Context, SHA256};

use super::Mode;

/// What makes a webhook of others one that came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Inbound {
    /// What it is known by.
    pub digest: InboundDigest,
    /// Until when it is remembered.
    pub expires_at: Timestamp,
}

/// Half of the SHA-256 of the source's name, the event's mode and its id: short, since it is where a store has to look, and
/// long enough that no two are ever the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboundDigest(pub [u8; 16]);

impl Inbound {
    /// A webhook of the source of this name.
    pub fn new((source, mode, event): (&str, Mode, &str), expires_at: Timestamp) -> Self {
        let mut context = Context::new(&SHA256);
        // The length, so that no end of a name is ever a beginning of an id.
        context.update(&(source.len() as u64).to_be_bytes());
        context.update(source.as_bytes());
        context.update(&[mode.is_live().into()]);
        context.update(event.as_bytes());
        let mut digest = [0; 16];
        digest.copy_from_slice(&context.finish().as_ref()[..16]);
        Self { digest: InboundDigest(digest), expires_at }
    }
}

impl fmt::Debug for InboundDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
