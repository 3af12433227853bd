//! The names an event is routed by: [`EventType`], [`Source`] and [`Key`], each parsed once at the border.

use std::borrow::Cow;

/// The most characters an event type may have; Blocklet Server's rule for declarable events.
pub const MAX_TYPE: usize = 128;
/// The most characters a source may have; Blocklet Server's rule.
pub const MAX_SOURCE: usize = 80;
/// The most bytes an order key may have.
pub const MAX_KEY: usize = 256;

/// Makes a newtype over text that is checked by a rule once and never again.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $rule:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(std::borrow::Cow<'static, str>);

        impl $name {
            /// Parses a name.
            ///
            /// # Errors
            /// [`Invalid`](crate::ErrorKind::Invalid), naming the rule that is broken.
            pub fn new(name: impl Into<std::borrow::Cow<'static, str>>) -> $crate::Result<Self> {
                let name = name.into();
                match $rule(name.as_bytes()) {
                    Ok(()) => Ok(Self(name)),
                    Err(rule) => Err($crate::Error::new(
                        $crate::ErrorKind::Invalid,
                        format!("{} {:?}: {rule}", Self::FIELD, $crate::event::shorten(&name)),
                    )),
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;
            fn from_str(text: &str) -> $crate::Result<Self> {
                Self::new(text.to_owned())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }
    };
}

pub(crate) use name;

name! {
    /// A dotted event type such as `customer.subscription.renewed`.
    ///
    /// Open: a type that no catalogue lists passes through unchanged. Segments of letters, digits, `_` and `-`,
    /// joined by single dots, at most [`MAX_TYPE`] characters.
    EventType, type_rule
}

name! {
    /// Whose catalogue a type belongs to: `payment-kit`, `gstable`, or an application's own name.
    ///
    /// Letters, digits, `_` and `-`, at most [`MAX_SOURCE`] characters. It is part of the address: `product.created`
    /// of one source never reaches a subscription to the other's.
    Source, source_rule
}

name! {
    /// What must stay in order: events of one key reach a group in the order they were published.
    ///
    /// Any text without control characters, at most [`MAX_KEY`] bytes; an event's `object_id` unless set.
    Key, key_rule
}

impl EventType {
    const FIELD: &str = "type";

    /// A type from a constant that [`type_rule`] has already accepted.
    pub(crate) const fn constant(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }
}

impl Source {
    const FIELD: &str = "source";

    /// A source from a constant that [`source_rule`] has already accepted.
    pub(crate) const fn constant(name: &'static str) -> Self {
        Self(Cow::Borrowed(name))
    }
}

impl Key {
    const FIELD: &str = "key";
}

/// Checks the grammar of an event type; `const`, so that a wrong constant is a compile error.
pub(crate) const fn type_rule(name: &[u8]) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("must not be empty");
    }
    if name.len() > MAX_TYPE {
        return Err("must have at most 128 characters");
    }
    let (mut index, mut segment) = (0, 0);
    while index < name.len() {
        if name[index] == b'.' {
            if segment == 0 {
                return Err("must not have an empty segment");
            }
            segment = 0;
        } else if is_word(name[index]) {
            segment += 1;
        } else {
            return Err("may only have letters, digits, '_', '-' and '.'");
        }
        index += 1;
    }
    if segment == 0 { Err("must not have an empty segment") } else { Ok(()) }
}

/// Checks the grammar of a source; `const` for the same reason.
pub(crate) const fn source_rule(name: &[u8]) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("must not be empty");
    }
    if name.len() > MAX_SOURCE {
        return Err("must have at most 80 characters");
    }
    let mut index = 0;
    while index < name.len() {
        if !is_word(name[index]) {
            return Err("may only have letters, digits, '_' and '-'");
        }
        index += 1;
    }
    Ok(())
}

fn key_rule(name: &[u8]) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("must not be empty");
    }
    if name.len() > MAX_KEY {
        return Err("must have at most 256 bytes");
    }
    if name.iter().any(u8::is_ascii_control) { Err("must not have control characters") } else { Ok(()) }
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Keeps error messages readable when somebody sends a megabyte as a name.
pub(crate) fn shorten(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(64) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// An error's text with its two ends: what was found, and where.
pub(super) fn brief(cause: &dyn std::fmt::Display) -> String {
    const ENDS: usize = 128;
    let text = cause.to_string();
    let start = text.char_indices().nth(ENDS).map(|(at, _)| at);
    let end = text.char_indices().rev().nth(ENDS).map(|(at, _)| at);
    match (start, end) {
        (Some(start), Some(end)) if start < end => format!("{}…{}", &text[..start], &text[end..]),
        _ => text,
    }
}
