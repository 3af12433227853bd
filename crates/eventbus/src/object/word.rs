//! Sets of words that stay open: the macro `open_enum!`.

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, Visitor};

/// Makes an open set of words: the provider's, and `Other` for any it adds.
macro_rules! open_enum {
    ($(
        $(#[$meta:meta])*
        pub enum $Enum:ident {
            $( $(#[$doc:meta])* $Variant:ident = $wire:literal, )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $Enum {
            $( #[doc = concat!("`", $wire, "`")] $(#[$doc])* $Variant, )*
            /// Any other word: the provider may add one at any time.
            Other(String),
        }

        impl $Enum {
            /// The word the provider uses.
            pub fn as_str(&self) -> &str {
                match self {
                    $( Self::$Variant => $wire, )*
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $Enum {
            fn from(word: &str) -> Self {
                match word {
                    $( $wire => Self::$Variant, )*
                    _ => Self::Other(word.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $Enum {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $Enum {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::object::word::decode(deserializer)
            }
        }
    )*};
}

pub(crate) use open_enum;

/// Decodes one word of an open set.
pub(crate) fn decode<'de, T: for<'a> From<&'a str>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(Word(|word: &str| T::from(word)))
}

/// Reads a string by a function, without keeping it.
pub(super) struct Word<F>(pub(super) F);

impl<T, F: FnOnce(&str) -> T> Visitor<'_> for Word<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok((self.0)(text))
    }
}

#[cfg(test)]
mod tests {
    use crate::gstable::SessionStatus;

    #[test]
    fn a_word_that_is_not_known_is_kept() {
        let text = r#"["paid","settlement_pending","frozen"]"#;
        let words: Vec<SessionStatus> = serde_json::from_str(text).unwrap();
        let frozen = SessionStatus::Other("frozen".to_owned());
        assert_eq!(words, [SessionStatus::Paid, SessionStatus::SettlementPending, frozen]);
        assert_eq!(serde_json::to_string(&words).unwrap(), text);
        assert_eq!(SessionStatus::from("paid").to_string(), "paid");
        assert!(serde_json::from_str::<SessionStatus>("1").is_err());
    }
}
