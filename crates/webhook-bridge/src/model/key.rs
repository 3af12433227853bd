//! API keys: made once, shown once, kept as a digest.

use std::fmt;

use eventbus::Timestamp;
use rand::Rng as _;
use ring::digest;

use super::mode::Mode;

/// A bearer key of the native API, `whb_test_…` or `whb_live_…`; hidden in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(String);

/// What is kept of a key: its SHA-256. A key has 190 random bits, so a plain digest cannot be searched.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyDigest(pub [u8; 32]);

/// What is stored of a key when it is made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What is kept of it.
    pub digest: KeyDigest,
    /// What it is for.
    pub mode: Mode,
    /// Whose it is, or what for.
    pub name: String,
    /// When it runs out.
    pub expires_at: Option<Timestamp>,
}

/// A key, as it is told of.
#[derive(Debug, Clone)]
pub struct KeyRecord {
    /// Its id, `key_…`: not the key.
    pub id: String,
    /// What it is for.
    pub mode: Mode,
    /// Whose it is, or what for.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it runs out.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl KeyRecord {
    /// A fresh id.
    pub fn generate_id() -> String {
        format!("key_{}", random_text(24))
    }
}

impl ApiKey {
    const RANDOM: usize = 32;

    /// Makes a fresh key for a mode.
    pub fn generate(mode: Mode) -> Self {
        Self(format!("whb_{mode}_{}", random_text(Self::RANDOM)))
    }

    /// The key itself: for whom it was made for.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of(&self.0)
    }
}

impl KeyDigest {
    /// The digest of a key that somebody sent. Looking it up leaks nothing: who can choose a digest's first bytes at
    /// will cannot choose a key for them.
    pub fn of(key: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, key.as_bytes()).as_ref());
        Self(bytes)
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(…)")
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyDigest(…)")
    }
}

/// Random letters and digits, without bias.
pub(super) fn random_text(length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut rng = rand::rng();
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let draws = rng.next_u64().to_le_bytes();
        let fair = draws.iter().map(|byte| usize::from(byte & 63)).filter(|&at| at < ALPHABET.len());
        text.extend(fair.take(length - text.len()).map(|at| char::from(ALPHABET[at])));
    }
    text
}
