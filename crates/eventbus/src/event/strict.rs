//! What JSON leaves open and money cannot: duplicate keys, depth, lone surrogates, numbers out of range.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::name::{brief, shorten};
use crate::error::{Error, Result};

/// How deep arrays and objects of an event may nest, the event itself included.
pub const MAX_DEPTH: usize = 64;

/// Above this many keys in one object, a set beats comparing with each.
const FEW: usize = 16;

/// Checks a whole document in one pass.
pub(crate) fn check(json: &[u8]) -> Result<()> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let checked = Strict { left: MAX_DEPTH }.deserialize(&mut reader).and_then(|()| reader.end());
    checked.map_err(|cause| {
        let path = path(json);
        let rule = if is_half_a_pair(json, &cause) { "half of a surrogate pair: " } else { "" };
        let text = format!("{rule}{}", brief(&cause));
        match (path.as_str(), cause.is_data()) {
            ("", true) => Error::undecodable(format!("event: {text}")),
            ("", false) => Error::undecodable(format!("not valid JSON: {text}")),
            (path, _) => Error::undecodable(format!("{}: {text}", shorten(path))),
        }
    })
}

/// Walks a document once more, slowly, for the name of the field at which it fails; empty for the document itself.
pub(crate) fn path(json: &[u8]) -> String {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let mut track = serde_path_to_error::Track::new();
    let traced = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let strict = Strict { left: MAX_DEPTH };
    if strict.deserialize(traced).is_ok() {
        return String::new();
    }
    // A `?` stands for a key that could not be read, a lone `.` for the document.
    track.path().to_string().trim_end_matches(['?', '.']).to_owned()
}

/// Tells whether an error is about a surrogate without its other half: then the line has one up to there.
fn is_half_a_pair(json: &[u8], cause: &serde_json::Error) -> bool {
    let line = json.split(|byte| *byte == b'\n').nth(cause.line().saturating_sub(1)).unwrap_or_default();
    let mut rest = &line[..cause.column().min(line.len())];
    while let Some(first) = rest.first() {
        let escape = if *first == b'\\' { 2 } else { 1 };
        let length = match (surrogate(rest), rest.get(6..).and_then(surrogate)) {
            (Some(true), Some(false)) => 12,
            (Some(_), _) => return cause.is_syntax(),
            (None, _) => escape,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    false
}

/// Tells whether a text begins with an escaped surrogate, and whether that is the leading one of a pair.
fn surrogate(text: &[u8]) -> Option<bool> {
    match text.strip_prefix(b"\\u")? {
        [b'd' | b'D', b'8' | b'9' | b'a' | b'b' | b'A' | b'B', ..] => Some(true),
        [b'd' | b'D', b'c'..=b'f' | b'C'..=b'F', ..] => Some(false),
        _ => None,
    }
}

#[derive(Clone, Copy)]
struct Strict {
    left: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        let left = self.left.checked_sub(1).ok_or_else(|| E::custom("is nested deeper than 64 levels"))?;
        Ok(Self { left })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut keys = Keys::default();
        while let Some(name) = members.next_key_seed(Name)? {
            if let Some(twice) = keys.insert(name) {
                return Err(A::Error::custom(format_args!("has the key {:?} twice", shorten(&twice))));
            }
            members.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// The keys of one object: a short list for most, a set for large ones, so that many keys cost no more than linear time.
#[derive(Default)]
struct Keys<'de> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Keys<'de> {
    /// Adds a name, or gives it back when it was there.
    fn insert(&mut self, name: Cow<'de, str>) -> Option<Cow<'de, str>> {
        if self.few.len() < FEW {
            if self.few.contains(&name) {
                return Some(name);
            }
            self.few.push(name);
            return None;
        }
        if self.many.is_empty() {
            self.many.extend(self.few.iter().cloned());
        }
        if self.many.contains(&name) {
            return Some(name);
        }
        self.many.insert(name);
        None
    }
}

/// A key, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
