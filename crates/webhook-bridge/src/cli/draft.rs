//! An event in the making, as `trigger` and `publish` take it: its type, and a made-up object or one that is given.

use std::io::Read as _;

use clap::Args;
use eventbus::{EventId, Timestamp};
use serde_json::{Map, Value, json};
use webhook_bridge::model::Mode;

use super::failure::Failure;
use super::{note, sample};

/// What can be said of an event.
#[derive(Args)]
pub(super) struct Draft {
    /// The object the event is about, instead of a made-up one: JSON, @file, or - for standard input
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// A field of the object: amount_total=990, metadata.order=A7, line_items.0.quantity=2; JSON, or else text
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = assignment)]
    sets: Vec<Assignment>,
    /// The id of the object: events with the same one stay in order
    #[arg(long)]
    key: Option<String>,
    /// The id of the event; publishing one again is no second event
    #[arg(long)]
    id: Option<String>,
    /// Whose type it is; the catalogue that lists it otherwise
    #[arg(long)]
    source: Option<String>,
}

/// A path of fields and positions, and what is put there.
#[derive(Clone, Debug, PartialEq)]
struct Assignment {
    path: Vec<String>,
    value: Value,
}

impl Draft {
    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        self.data.is_none()
            && self.sets.is_empty()
            && [&self.key, &self.id, &self.source].iter().all(|said| said.is_none())
    }

    /// The event of this type and mode, as JSON has it.
    pub(super) fn event(&self, event_type: &str, mode: Mode) -> Result<Value, Failure> {
        let now = Timestamp::now();
        let kind = sample::kind(self.source.as_deref(), event_type);
        if !kind.known {
            note(&format!("{event_type} is in no catalogue; it is published as {}'s", kind.source));
        }
        let object = self.object(event_type, &kind, mode)?;
        let id = self.id.clone().unwrap_or_else(|| EventId::generate(now).to_string());
        Ok(json!({
            "id": id,
            "object": "event",
            "type": event_type,
            "source": kind.source,
            "livemode": mode.is_live(),
            "api_version": kind.api_version,
            "object_type": kind.object_type,
            "object_id": object.get(kind.id).and_then(Value::as_str).unwrap_or_default(),
            "data": { "object": object },
            "metadata": { "triggered": "by hand" },
            "created_at": now.to_string(),
        }))
    }

    fn object(
        &self,
        event_type: &str,
        kind: &sample::Kind,
        mode: Mode,
    ) -> Result<Map<String, Value>, Failure> {
        let mut object = match &self.data {
            Some(data) => object(data)?,
            None => sample::object(event_type, kind, mode),
        };
        if let Some(key) = &self.key {
            object.insert(kind.id.to_owned(), json!(key));
        }
        let mut object = Value::Object(object);
        for set in &self.sets {
            place(&mut object, &set.path, set.value.clone())?;
        }
        match object {
            Value::Object(object) => Ok(object),
            _ => Ok(Map::new()),
        }
    }
}

/// The object that was given.
fn object(data: &str) -> Result<Map<String, Value>, Failure> {
    let unread = |error| Failure::Usage(format!("--data {data}: {error}"));
    let text = match data.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).map_err(unread)?,
        None if data == "-" => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(unread)?;
            text
        }
        None => data.to_owned(),
    };
    serde_json::from_str(&text)
        .map_err(|error| Failure::Usage(format!("--data: must be a JSON object: {error}")))
}

fn assignment(text: &str) -> Result<Assignment, String> {
    let (path, value) = text.split_once('=').ok_or("must be such as amount_total=990")?;
    if path.split('.').any(str::is_empty) {
        return Err("has a field without a name".to_owned());
    }
    let parsed = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    // Amounts must not change on their way.
    if matches!(&parsed, Value::Number(number) if number.to_string() != value.trim()) {
        return Err(format!(
            "{value} would not stay as it is written: for a text, quote it: {path}='\"{value}\"'"
        ));
    }
    Ok(Assignment { path: path.split('.').map(str::to_owned).collect(), value: parsed })
}

/// Puts a value at a path, with the objects on the way; a number is a position in a list, its length one more.
fn place(at: &mut Value, path: &[String], value: Value) -> Result<(), Failure> {
    let Some((first, rest)) = path.split_first() else {
        *at = value;
        return Ok(());
    };
    if at.is_null() {
        *at = json!({});
    }
    let next = match at {
        Value::Object(fields) => fields.entry(first.clone()).or_insert(Value::Null),
        Value::Array(list) => {
            let position = first.parse().ok().filter(|position: &usize| *position <= list.len());
            let wrong =
                || Failure::Usage(format!("--set: {first} is no position in a list of {}", list.len()));
            let position = position.ok_or_else(wrong)?;
            if position == list.len() {
                list.push(Value::Null);
            }
            &mut list[position]
        }
        other => {
            return Err(Failure::Usage(format!(
                "--set: {first} would be a field of {other}, which has none"
            )));
        }
    };
    place(next, rest, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(object: &Value, texts: &[&str]) -> Result<Value, String> {
        let mut object = object.clone();
        for text in texts {
            let one = assignment(text)?;
            place(&mut object, &one.path, one.value).map_err(|failure| failure.to_string())?;
        }
        Ok(object)
    }

    #[test]
    fn what_is_set_is_json_or_else_text_and_paths_lead_into_lists() {
        let object = json!({ "amount": "1", "items": [{ "quantity": 1 }] });
        let texts = &["amount=990", "paid=true", "a.b=x y", "none=null", "text=\"7\"", "items.0.quantity=2"];
        let expected = json!({
            "amount": 990, "items": [{ "quantity": 2 }], "paid": true, "a": { "b": "x y" }, "none": null, "text": "7"
        });
        assert_eq!(set(&object, texts), Ok(expected));
        assert_eq!(set(&object, &["items.1={\"id\":\"=\"}"]).unwrap()["items"][1], json!({ "id": "=" }));
        for text in ["amount", "=1", "a..b=1", "amount.x=1", "items.2=1", "items.x=1"] {
            assert!(set(&object, &[text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_number_that_would_change_is_refused() {
        for text in ["a=12.50", "a=1e3", "a=123456789012345678901234567890", "a=0.1000000000000000055511"] {
            assert!(assignment(text).unwrap_err().contains("quote it"), "{text}");
        }
        assert_eq!(assignment("a=12.5").unwrap().value, json!(12.5));
    }
}
