//! JSON values that keep the text they came as.
//!
//! A payment's amount must not change because somebody read it. [`Json`] is one value as its exact text: decimals,
//! 64-bit integers and the order of keys pass through untouched. [`JsonMap`] is an object in the order it came, and
//! [`Decimal`] a number that is never rounded.
//!
//! All three work with `serde_json` only, and not behind `#[serde(flatten)]` or an untagged enum, because serde buffers
//! those and loses the text.

mod decimal;
mod equality;
mod map;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use crate::error::{Error, Result};

pub use decimal::Decimal;
pub use map::{IntoIter, Iter, JsonMap};

/// One JSON value, kept as the exact text it came as.
///
/// Two values are equal when they say the same thing: white space between tokens and the spelling of escapes in strings
/// do not count. Numbers are compared by their text (`1.10` is not `1.1`), and the order of an object's keys counts.
#[derive(Clone)]
pub struct Json(Box<RawValue>);

impl Json {
    /// Encodes `value`.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable) when `value` has no JSON form: a map whose keys are not strings,
    /// or its own `Serialize` fails.
    pub fn new<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        to_raw_value(value).map(Self).map_err(undecodable)
    }

    /// The value `null`.
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// The text, exactly as it came.
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// Decodes the value as a `T`.
    ///
    /// # Errors
    /// [`Undecodable`](crate::ErrorKind::Undecodable) when the value is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(self.text()).map_err(undecodable)
    }

    /// Whether the value is `null`.
    pub fn is_null(&self) -> bool {
        self.text() == "null"
    }

    /// The string, or `None` for any other kind of value and for a string that no Unicode text equals (half of a
    /// surrogate pair).
    pub fn as_str(&self) -> Option<Cow<'_, str>> {
        let inner = self.text().strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') { self.decode().ok().map(Cow::Owned) } else { Some(Cow::Borrowed(inner)) }
    }

    /// The integer, or `None` when the value is not one, is written as a fraction or does not fit.
    pub fn as_i64(&self) -> Option<i64> {
        self.text().parse().ok()
    }

    /// The integer, or `None` when the value is not one, is written as a fraction, is negative or does not fit.
    pub fn as_u64(&self) -> Option<u64> {
        self.text().parse().ok()
    }

    /// The nearest `f64` to the number, or `None` when the value is no number or is out of range.
    pub fn as_f64(&self) -> Option<f64> {
        self.text().parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// The truth value, or `None` for any other kind of value.
    pub fn as_bool(&self) -> Option<bool> {
        self.text().parse().ok()
    }

    /// What kind of value this is, in JSON's own words; for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.text().as_bytes().first() {
            Some(b'{') => "object",
            Some(b'[') => "array",
            Some(b'"') => "string",
            Some(b't' | b'f') => "boolean",
            Some(b'n') => "null",
            _ => "number",
        }
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        equality::same(self.text(), other.text())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(Self)
    }
}

/// Takes JSON text as it is.
impl FromStr for Json {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        serde_json::from_str(text).map_err(undecodable)
    }
}

impl From<&str> for Json {
    fn from(value: &str) -> Self {
        Self(to_raw_value(value).expect("every string has a JSON form"))
    }
}

impl From<String> for Json {
    fn from(value: String) -> Self {
        Self::from(value.as_str())
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self(if value { RawValue::TRUE } else { RawValue::FALSE }.to_owned())
    }
}

impl From<i64> for Json {
    fn from(value: i64) -> Self {
        Self(to_raw_value(&value).expect("every integer has a JSON form"))
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self(to_raw_value(&value).expect("every integer has a JSON form"))
    }
}

impl From<JsonMap> for Json {
    fn from(value: JsonMap) -> Self {
        Self(to_raw_value(&value).expect("string keys and JSON values have a JSON form"))
    }
}

/// A failure of `serde_json` as one of ours.
fn undecodable(cause: serde_json::Error) -> Error {
    Error::undecodable(cause.to_string()).with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_rounded_or_reordered() {
        for text in
            ["1.10", "9007199254740993", "18446744073709551615", r#"{"b":1,  "a":[1e2]}"#, r#""\u00e9""#]
        {
            let json: Json = text.parse().unwrap();
            assert_eq!(json.text(), text);
            assert_eq!(serde_json::to_string(&json).unwrap(), text);
        }
    }

    #[test]
    fn values_come_and_go_through_serde_json_value() {
        let value = serde_json::json!({"a": [1, null, "x"]});
        let json: Json = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(json.text(), r#"{"a":[1,null,"x"]}"#);
        assert_eq!(serde_json::to_value(&json).unwrap(), value);
    }

    #[test]
    fn equality_is_of_meaning() {
        let same = |a: &str, b: &str| a.parse::<Json>().unwrap() == b.parse::<Json>().unwrap();
        assert!(same(r#"{"a": [1, "x y"]}"#, r#"{"a":[1,"x y"]}"#));
        assert!(same(r#""\u00e9\"""#, r#""é\"""#));
        assert!(same("null", " null "));
        assert!(!same("1.10", "1.1"));
        assert!(!same(r#""1""#, "1"));
        assert!(!same(r#"["a b"]"#, r#"["ab"]"#));
        assert!(!same("[1]", "[1,1]"));
    }

    #[test]
    fn accessors_answer_for_their_kind_only() {
        assert_eq!(Json::from("a\"b").as_str().unwrap(), "a\"b");
        assert_eq!(Json::from("ab").as_str(), Some(Cow::Borrowed("ab")));
        assert_eq!(Json::from(7_i64).as_str(), None);
        assert_eq!(Json::from(-7_i64).as_i64(), Some(-7));
        assert_eq!(Json::from(u64::MAX).as_u64(), Some(u64::MAX));
        assert_eq!(Json::from(u64::MAX).as_i64(), None);
        assert_eq!("1e999".parse::<Json>().unwrap().as_f64(), None);
        assert_eq!(Json::from(true).as_bool(), Some(true));
        assert!(Json::null().is_null() && Json::null().as_f64().is_none());
    }
}
