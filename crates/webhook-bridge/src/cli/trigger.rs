//! `trigger`: publishes an event, to see what comes of it.

use clap::Args;
use serde_json::json;

use super::client::{Client, Live};
use super::deliveries::deliveries;
use super::draft::Draft;
use super::failure::Failure;

/// Publish an event of a type, with a made-up object, and say to whom it is owed
#[derive(Args)]
pub(super) struct Trigger {
    /// Such as checkout.session.completed; `events list` has them all
    #[arg(value_name = "TYPE")]
    event_type: String,
    #[command(flatten)]
    draft: Draft,
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    client: Client,
}

impl Trigger {
    pub(super) async fn run(self) -> Result<String, Failure> {
        let client = &self.client;
        let event = self.draft.event(&self.event_type, client.deliberate(self.live)?)?;
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
}
