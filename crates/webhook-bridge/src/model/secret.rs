//! What must not be seen: signing secrets, in the clear and as they are stored.

use std::fmt;
use std::time::Duration;

use eventbus::Timestamp;
use serde::Deserialize;

/// A signing secret in the clear; its text is hidden in `Debug`, and it has no `Display`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a secret; its form is the signature format's business.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The secret itself: for signing, for sealing, and for the one answer that shows it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret as the store keeps it: encrypted, with what is needed to decrypt it but the key.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// What is asked for when a secret is rotated.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// The new one.
    pub secret: Sealed,
    /// For how long the former ones sign beside it.
    pub overlap: Duration,
    /// When it begins to sign.
    pub now: Timestamp,
}

/// A secret of an endpoint, without the secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretVersion {
    /// Its number, from 1.
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops signing, once there is a newer one.
    pub expires_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ApiKey, Mode};

    /// However deep it lies in what somebody logs.
    #[test]
    fn neither_a_secret_nor_a_key_shows_in_debug() {
        let (secret, key) = (Secret::new("whsec_abc"), ApiKey::generate(Mode::Live));
        let shown =
            format!("{:?} {:#?}", (&secret, &key, key.digest()), Some(vec![(secret.clone(), key.clone())]));
        assert!(!shown.contains("abc") && !shown.contains(key.reveal()), "{shown}");
        let digest: Vec<_> = key.digest().0.iter().map(u8::to_string).collect();
        assert!(!shown.contains(&digest.join(", ")), "{shown}");
        let rotation =
            Rotation { secret: Sealed(b"sealed".to_vec()), overlap: Duration::ZERO, now: Timestamp::now() };
        assert!(!format!("{rotation:?}").contains("115, 101"), "{rotation:?}");
    }
}
