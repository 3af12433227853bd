//! An object's fields in the order they came.

use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::{slice, vec};

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Json;

/// A JSON object: its fields in the order they came, each name once.
///
/// Decoding refuses an object that gives a name twice. Equality counts the order. Look-ups walk the fields, which is the
/// fastest way for the dozen fields an object has.
#[derive(Clone, PartialEq)]
pub struct JsonMap<V = Json> {
    fields: Vec<(String, V)>,
}

impl JsonMap {
    /// A map without fields.
    pub const fn new() -> Self {
        Self { fields: Vec::new() }
    }
}

impl<V> JsonMap<V> {
    /// The value of the field `name`.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Sets a field and gives back the value it replaces; a replaced field keeps its place, a new one goes last.
    pub fn insert(&mut self, name: impl Into<String>, value: V) -> Option<V> {
        let name = name.into();
        match self.fields.iter_mut().find(|(known, _)| *known == name) {
            Some((_, slot)) => Some(std::mem::replace(slot, value)),
            None => {
                self.fields.push((name, value));
                None
            }
        }
    }

    /// Takes the field `name` out; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<V> {
        let at = self.fields.iter().position(|(known, _)| known == name)?;
        Some(self.fields.remove(at).1)
    }

    /// Whether there is a field `name`.
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The fields in order.
    pub fn iter(&self) -> Iter<'_, V> {
        Iter(self.fields.iter())
    }

    /// The names of the fields in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    /// How many fields there are.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether there are no fields.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Adds a field without looking for one of its name; [`unique`](Self::unique) must follow.
    pub(crate) fn push(&mut self, name: String, value: V) {
        self.fields.push((name, value));
    }

    /// Refuses a map with a name that occurs twice.
    pub(crate) fn unique<E: Error>(&self) -> Result<(), E> {
        match self.repeated() {
            Some(name) => Err(E::custom(format_args!("duplicate field `{name}`"))),
            None => Ok(()),
        }
    }

    /// The first name that occurs twice. Hashes once there are many, as what comes in may be hostile.
    fn repeated(&self) -> Option<&str> {
        const FEW: usize = 16;
        if self.len() <= FEW {
            let repeated =
                |(at, name): &(usize, &str)| self.fields[..*at].iter().any(|(known, _)| known == name);
            return self.keys().enumerate().find(repeated).map(|(_, name)| name);
        }
        let mut seen = HashSet::with_capacity(self.len());
        self.keys().find(|name| !seen.insert(*name))
    }
}

impl<V> Default for JsonMap<V> {
    fn default() -> Self {
        Self { fields: Vec::new() }
    }
}

impl<V: fmt::Debug> fmt::Debug for JsonMap<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl<V: Serialize> Serialize for JsonMap<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de, V: Deserialize<'de>> Deserialize<'de> for JsonMap<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Fields<V> {
            type Value = JsonMap<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<JsonMap<V>, A::Error> {
                let mut map = JsonMap::default();
                while let Some((name, value)) = access.next_entry()? {
                    map.push(name, value);
                }
                map.unique()?;
                Ok(map)
            }
        }

        deserializer.deserialize_map(Fields(PhantomData))
    }
}

impl<K: Into<String>, V> FromIterator<(K, V)> for JsonMap<V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(fields: I) -> Self {
        let mut map = Self::default();
        map.extend(fields);
        map
    }
}

impl<K: Into<String>, V> Extend<(K, V)> for JsonMap<V> {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, fields: I) {
        for (name, value) in fields {
            self.insert(name, value);
        }
    }
}

/// The fields of a [`JsonMap`] by reference, in order.
#[derive(Clone, Debug)]
pub struct Iter<'a, V = Json>(slice::Iter<'a, (String, V)>);

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (&'a str, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, value)| (name.as_str(), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// The fields of a [`JsonMap`] by value, in order.
#[derive(Debug)]
pub struct IntoIter<V = Json>(vec::IntoIter<(String, V)>);

impl<V> Iterator for IntoIter<V> {
    type Item = (String, V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<'a, V> IntoIterator for &'a JsonMap<V> {
    type Item = (&'a str, &'a V);
    type IntoIter = Iter<'a, V>;

    fn into_iter(self) -> Iter<'a, V> {
        self.iter()
    }
}

impl<V> IntoIterator for JsonMap<V> {
    type Item = (String, V);
    type IntoIter = IntoIter<V>;

    fn into_iter(self) -> IntoIter<V> {
        IntoIter(self.fields.into_iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_order_and_text() {
        let text = r#"{"z":1.10,"a":{"k": null},"m":18446744073709551615}"#;
        let mut map: JsonMap = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&map).unwrap(), text);
        assert_eq!(map.keys().collect::<Vec<_>>(), ["z", "a", "m"]);
        assert_eq!(map.insert("z", Json::from(2_i64)).unwrap().text(), "1.10");
        assert!(map.remove("a").is_some() && !map.contains_key("a"));
        assert_eq!(serde_json::to_string(&map).unwrap(), r#"{"z":2,"m":18446744073709551615}"#);
    }

    #[test]
    fn a_name_given_twice_is_refused_by_name() {
        let many: String = (0..40).map(|n| format!("\"k{n}\":0,")).collect();
        for text in [r#"{"a":1,"b":2,"a":1}"#.to_owned(), format!("{{{many}\"k17\":0}}")] {
            let error = serde_json::from_str::<JsonMap>(&text).unwrap_err().to_string();
            assert!(
                error.contains("duplicate field `a`") || error.contains("duplicate field `k17`"),
                "{error}"
            );
        }
    }

    #[test]
    fn typed_values_are_checked() {
        let map: JsonMap<String> = serde_json::from_str(r#"{"a":"1"}"#).unwrap();
        assert_eq!(map.get("a").unwrap(), "1");
        assert!(serde_json::from_str::<JsonMap<String>>(r#"{"a":1}"#).is_err());
    }
}
