//! The query of a URL as npm's `qs` reads it: what Payment Kit's signature covers, and how its client asks for lists.
//!
//! As `qs` 6.17 does by default: brackets nest five deep, `a[0]=x`, `a[]=x` and names that repeat are lists, and names of
//! what every object of its language has are dropped. A list of more than twenty, which its versions read differently, is
//! refused.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// The most pairs; what comes after them is not read.
const PAIRS: usize = 1000;
const DEPTH: usize = 5;
const LIST: usize = 20;

/// What every object of the receiver's language has.
pub(super) const TAKEN: &[&str] = &[
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__lookupSetter__",
    "__proto__",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
];

/// One step into what a name nests.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Index(usize),
    Push,
}

/// Parses a query, without its `?`. All leaves are strings.
///
/// # Errors
/// [`Invalid`](crate::ErrorKind::Invalid) for a list that is too long, and for a name that is a text and more at once.
pub fn parse(query: &str) -> Result<Map<String, Value>> {
    let mut parsed = Map::new();
    for (name, value) in pairs(query)? {
        let Some(steps) = steps(&name)? else { continue };
        let nested = steps.into_iter().rev().fold(value, nest);
        parsed = match nested {
            Value::Object(nested) => join(parsed, nested)?,
            Value::Array(list) => join(parsed, numbered(list))?,
            _ => parsed,
        };
    }
    parsed.values_mut().for_each(compact);
    Ok(parsed)
}

/// Names and values, decoded; those of one name together.
fn pairs(query: &str) -> Result<Vec<(String, Value)>> {
    let query = query.replace("%5B", "[").replace("%5b", "[").replace("%5D", "]").replace("%5d", "]");
    let mut pairs: Vec<(String, Value)> = Vec::new();
    for part in query.split('&').take(PAIRS) {
        let at = part.find("]=").map(|at| at + 1).or_else(|| part.find('='));
        let (name, value) = at.map_or((part, ""), |at| (&part[..at], &part[at + 1..]));
        let (name, value) = (decode(name), Value::String(decode(value)));
        match pairs.iter_mut().find(|(known, _)| *known == name) {
            Some((_, Value::Array(list))) => push(list, value)?,
            Some((_, single)) => *single = Value::Array(vec![single.take(), value]),
            None => pairs.push((name, value)),
        }
    }
    Ok(pairs)
}

/// Decodes `+` and percent escapes; what is no UTF-8 stays as it is.
fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    let mut bytes = Vec::with_capacity(spaced.len());
    let mut rest = spaced.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            bytes.push(byte);
            rest = after;
            continue;
        }
        let Some(escaped) = after.get(..2).and_then(super::unhex) else { return spaced };
        bytes.extend(escaped);
        rest = &after[2..];
    }
    String::from_utf8(bytes).unwrap_or(spaced)
}

/// The steps of a name; `None` for one that is dropped.
fn steps(name: &str) -> Result<Option<Vec<Step<'_>>>> {
    let (parent, mut rest) = name.split_at(name.find('[').unwrap_or(name.len()));
    let mut steps = Vec::new();
    if TAKEN.contains(&parent) || name.is_empty() {
        return Ok(None);
    }
    if !parent.is_empty() {
        steps.push(Step::Name(parent));
    }
    let mut groups = 0;
    while let Some(open) = rest.find('[') {
        let group = &rest[open..];
        let Some(close) = closing(group).filter(|_| groups < DEPTH) else {
            steps.push(Step::Name(group));
            break;
        };
        let inside = &group[1..close];
        if TAKEN.contains(&inside) {
            return Ok(None);
        }
        steps.push(step(inside)?);
        rest = &group[close + 1..];
        groups += 1;
    }
    Ok(Some(steps))
}

/// Where the bracket that a text begins with is closed.
fn closing(group: &str) -> Option<usize> {
    let mut level = 0_usize;
    group.bytes().position(|byte| {
        level = match byte {
            b'[' => level + 1,
            b']' => level - 1,
            _ => level,
        };
        level == 0
    })
}

fn step(inside: &str) -> Result<Step<'_>> {
    if inside.is_empty() {
        return Ok(Step::Push);
    }
    let canonical = inside == "0" || !inside.starts_with('0');
    if !canonical || !inside.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Step::Name(inside));
    }
    let index = inside.parse().ok().filter(|&index| index < LIST);
    index.map(Step::Index).ok_or_else(too_long)
}

fn nest(value: Value, step: Step<'_>) -> Value {
    match (step, value) {
        (Step::Name(name), value) => Value::Object(Map::from_iter([(name.to_owned(), value)])),
        (Step::Push, Value::Array(list)) => Value::Array(list),
        (Step::Push, value) => Value::Array(vec![value]),
        (Step::Index(index), value) => {
            // Holes, until all is merged.
            let mut list = vec![Value::Null; index];
            list.push(value);
            Value::Array(list)
        }
    }
}

fn merge(target: Value, source: Value) -> Result<Value> {
    Ok(match (target, source) {
        (target, Value::String(text)) if text.is_empty() => target,
        (Value::Object(target), Value::Object(source)) => Value::Object(join(target, source)?),
        (Value::Object(target), Value::Array(source)) => Value::Object(join(target, numbered(source))?),
        (Value::Array(target), Value::Object(source)) => Value::Object(join(numbered(target), source)?),
        (Value::Array(target), Value::Array(source)) => Value::Array(zip(target, source)?),
        (Value::Array(mut target), text) => {
            push(&mut target, text)?;
            Value::Array(target)
        }
        (Value::Object(_), _) => return Err(Error::invalid("query: a name is a text and more at once")),
        (text, Value::Array(source)) => Value::Array(std::iter::once(text).chain(source).collect()),
        (text, other) => Value::Array(vec![text, other]),
    })
}

fn join(mut target: Map<String, Value>, source: Map<String, Value>) -> Result<Map<String, Value>> {
    for (name, value) in source {
        let value = match target.remove(&name) {
            Some(known) => merge(known, value)?,
            None => value,
        };
        target.insert(name, value);
    }
    Ok(target)
}

fn zip(mut target: Vec<Value>, source: Vec<Value>) -> Result<Vec<Value>> {
    let nested = |value: &Value| value.is_object() || value.is_array();
    for (index, item) in source.into_iter().enumerate().filter(|(_, item)| !item.is_null()) {
        match target.get_mut(index) {
            Some(known) if nested(known) && nested(&item) => *known = merge(known.take(), item)?,
            Some(hole @ Value::Null) => *hole = item,
            Some(_) => push(&mut target, item)?,
            None => {
                target.resize(index, Value::Null);
                target.push(item);
            }
        }
    }
    Ok(target)
}

fn push(list: &mut Vec<Value>, value: Value) -> Result<()> {
    if list.len() >= LIST {
        return Err(too_long());
    }
    list.push(value);
    Ok(())
}

fn too_long() -> Error {
    Error::invalid("query: a list must have at most 20 elements")
}

fn numbered(list: Vec<Value>) -> Map<String, Value> {
    let numbered = list.into_iter().enumerate().filter(|(_, item)| !item.is_null());
    numbered.map(|(index, item)| (index.to_string(), item)).collect()
}

/// Closes the holes of lists.
fn compact(value: &mut Value) {
    match value {
        Value::Array(list) => {
            list.retain(|item| !item.is_null());
            list.iter_mut().for_each(compact);
        }
        Value::Object(map) => map.values_mut().for_each(compact),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Queries, each with what `qs` 6.17.1 made of it.
    #[test]
    fn a_query_is_read_as_qs_reads_it() {
        let table: Vec<(String, Value)> = serde_json::from_str(include_str!("query/read.json")).unwrap();
        for (query, expected) in table {
            assert_eq!(Value::Object(parse(&query).unwrap()), expected, "{query}");
        }
    }

    #[test]
    fn what_its_versions_read_differently_is_refused() {
        let repeated = vec!["a=1"; 21].join("&");
        for query in ["a[20]=1", &repeated, "a[b]=1&a=2"] {
            assert!(parse(query).is_err(), "{query}");
        }
    }
}
