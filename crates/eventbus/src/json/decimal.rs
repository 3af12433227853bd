//! A number that is never rounded.

use std::fmt;
use std::str::FromStr;

use serde::de::Unexpected;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Json;
use crate::error::{Error, Result};

/// A JSON number, kept as its text: `1.10` stays `1.10`.
///
/// Only a number decodes; a string does not, and JSON has no other spelling of one. Equality is of the text.
#[derive(Clone, PartialEq)]
pub struct Decimal(Json);

impl Decimal {
    /// The number's text, exactly as it came.
    pub fn as_str(&self) -> &str {
        self.0.text()
    }

    /// The integer, or `None` when the number is written as a fraction or does not fit.
    pub fn as_i64(&self) -> Option<i64> {
        self.0.as_i64()
    }

    /// The nearest `f64`, or `None` when the number is out of its range. Not for amounts of money.
    pub fn as_f64(&self) -> Option<f64> {
        self.0.as_f64()
    }

    /// Takes a value that is a number.
    fn check<E: serde::de::Error>(value: Json) -> Result<Self, E> {
        match value.kind() {
            "number" => Ok(Self(value)),
            kind => Err(E::invalid_type(Unexpected::Other(kind), &"a number")),
        }
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self(Json::from(value))
    }
}

impl From<Decimal> for Json {
    fn from(value: Decimal) -> Self {
        value.0
    }
}

/// Takes the text of a JSON number as it is.
impl FromStr for Decimal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.parse::<Json>()?.decode()
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::check(Json::deserialize(deserializer)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_its_text() {
        for text in ["1.10", "-0", "1e5", "18446744073709551615", "0.30000000000000004"] {
            let number: Decimal = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&number).unwrap(), text);
            assert_eq!(number.to_string(), text);
        }
        assert_eq!(Decimal::from(7).as_i64(), Some(7));
        assert_eq!("2.5".parse::<Decimal>().unwrap().as_f64(), Some(2.5));
    }

    #[test]
    fn only_a_number_is_one() {
        for text in [r#""1""#, "NaN", "null", "true", "[1]", "{}", "01", "Infinity"] {
            assert!(text.parse::<Decimal>().is_err(), "{text}");
        }
        assert!(r#""1""#.parse::<Decimal>().unwrap_err().to_string().contains("expected a number"));
    }
}
