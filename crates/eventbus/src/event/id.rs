//! Event ids: `evt_` and 24 letters and digits, sortable by time.

use std::fmt;
use std::str::FromStr;

use rand::Rng as _;

use super::name::shorten;
use super::timestamp::Timestamp;
use crate::error::{Error, Result};

/// The most characters an id that came from outside may have.
pub const MAX_ID: usize = 128;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const TIME: usize = 8;
const RANDOM: usize = 16;

/// The identity of an event, the same on every transport, every attempt and every webhook of it.
///
/// A generated id is `evt_`, eight characters of time in milliseconds and sixteen random ones (95 bits): ids sort by
/// the millisecond they were made in. An id from outside is kept as it is: visible ASCII, at most [`MAX_ID`] characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(Box<str>);

impl EventId {
    /// Makes a fresh id for an event of this time.
    pub fn generate(time: Timestamp) -> Self {
        let mut text = String::with_capacity(4 + TIME + RANDOM);
        text.push_str("evt_");
        let mut rest = u64::try_from(time.as_millis()).unwrap_or(0);
        let mut digits = [b'0'; TIME];
        for digit in digits.iter_mut().rev() {
            *digit = ALPHABET[(rest % 62) as usize];
            rest /= 62;
        }
        text.extend(digits.iter().map(|&digit| char::from(digit)));
        push_random(&mut text);
        Self(text.into_boxed_str())
    }

    /// Parses an id that somebody else made.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when it is empty, too long or not visible ASCII.
    pub fn new(id: impl Into<String>) -> Result<Self> {
        let id = id.into();
        let rule = if id.is_empty() {
            "must not be empty"
        } else if id.len() > MAX_ID {
            "must have at most 128 characters"
        } else if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            "may only have visible ASCII characters"
        } else {
            return Ok(Self(id.into_boxed_str()));
        };
        Err(Error::invalid(format!("id {:?}: {rule}", shorten(&id))))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Appends sixteen random characters, eight to a 64-bit draw: 62^8 is below 2^48, so the bias is under one in 65,536.
fn push_random(text: &mut String) {
    let mut rng = rand::rng();
    for chunk in [RANDOM / 2, RANDOM / 2] {
        let mut rest = rng.next_u64();
        for _ in 0..chunk {
            text.push(char::from(ALPHABET[(rest % 62) as usize]));
            rest /= 62;
        }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for EventId {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Self::new(text)
    }
}

impl AsRef<str> for EventId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_ids_have_the_documented_form_and_sort_by_time() {
        let (early, late) =
            (Timestamp::from_millis(1_767_225_600_000), Timestamp::from_millis(1_767_225_600_001));
        let (first, second) = (EventId::generate(early), EventId::generate(late));
        assert!(first < second);
        for id in [&first, &second] {
            assert_eq!(id.as_str().len(), 28);
            assert!(
                id.as_str().strip_prefix("evt_").unwrap().bytes().all(|byte| byte.is_ascii_alphanumeric())
            );
        }
        assert_ne!(EventId::generate(early), EventId::generate(early));
    }

    #[test]
    fn foreign_ids_are_kept_or_refused_with_the_rule() {
        assert_eq!(EventId::new("evt_abc:1").unwrap().as_str(), "evt_abc:1");
        for bad in ["", "a b", "é", &"x".repeat(129)] {
            assert!(EventId::new(bad).unwrap_err().to_string().starts_with("id "), "{bad:?}");
        }
    }
}
