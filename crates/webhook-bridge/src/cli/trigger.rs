//! `trigger`: publishes an event, to see what comes of it.

use std::io::Read as _;

use clap::Args;
use eventbus::{EventId, Timestamp};
use serde_json::{Map, Value, json};

use super::client::Client;
use super::deliveries::deliveries;
use super::failure::Failure;
use super::{note, sample};

/// Publish an event of a type, with a made-up object, and say to whom it is owed
#[derive(Args)]
pub(super) struct Trigger {
    /// Such as checkout.session.completed
    #[arg(value_name = "TYPE")]
    event_type: String,
    /// The object the event is about, instead of a made-up one: JSON, @file, or - for standard input
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// The id of the object: events with the same one stay in order
    #[arg(long)]
    key: Option<String>,
    /// The id of the event; publishing one again is no second event
    #[arg(long)]
    id: Option<String>,
    /// Whose type it is; the catalogue that lists it otherwise
    #[arg(long)]
    source: Option<String>,
    /// Publish although the key is for live events
    #[arg(long)]
    live: bool,
    #[command(flatten)]
    client: Client,
}

impl Trigger {
    pub(super) async fn run(self) -> Result<String, Failure> {
        let client = &self.client;
        if client.mode().is_live() && !self.live {
            let text = "the key is for live events, and whoever gets one takes it for money: use a test key, or --live";
            return Err(Failure::Usage(text.to_owned()));
        }
        let event = self.event()?;
        let answer = client.post(&["events"], &event).await?;
        if client.wants_json() {
            return Ok(client.show(&answer, |_| String::new()));
        }
        let (published, id) = (&answer.value, answer.value["id"].as_str().unwrap_or_default());
        if published["duplicate"] == json!(true) {
            return Ok(format!("{id} was published before: nothing is sent again\n"));
        }
        let owed = client.get(&["deliveries"], &[("event", id.to_owned())]).await?;
        Ok(match published["deliveries"].as_u64() {
            Some(0) => format!("{id} is stored; no endpoint wants it\n"),
            _ => format!("{id} is stored, to be delivered:\n{}", deliveries(&owed.value)),
        })
    }

    fn event(&self) -> Result<Value, Failure> {
        let (event_type, now) = (self.event_type.as_str(), Timestamp::now());
        let kind = sample::kind(self.source.as_deref(), event_type);
        if !kind.known {
            note(&format!("{event_type} is in no catalogue; it is published as {}'s", kind.source));
        }
        let mut object = match &self.data {
            Some(data) => object(data)?,
            None => sample::object(event_type, &kind, self.client.mode()),
        };
        if let Some(key) = &self.key {
            object.insert(kind.id.to_owned(), json!(key));
        }
        let id = self.id.clone().unwrap_or_else(|| EventId::generate(now).to_string());
        Ok(json!({
            "id": id,
            "object": "event",
            "type": event_type,
            "source": kind.source,
            "livemode": self.client.mode().is_live(),
            "api_version": kind.api_version,
            "object_type": kind.object_type,
            "object_id": object.get(kind.id).and_then(Value::as_str).unwrap_or_default(),
            "data": { "object": object },
            "metadata": { "triggered": "by hand" },
            "created_at": now.to_string(),
        }))
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
