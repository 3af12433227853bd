//! `trigger`: publishes an event, to see what comes of it.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tokio::time::interval;

use super::client::{Answer, Client, Live};
use super::deliveries::deliveries;
use super::draft::Draft;
use super::failure::Failure;

/// How often it looks whether an event was delivered, and for how long at most.
const LOOK: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(30);

/// Publish an event of a type, with a made-up object, and say to whom it is owed
#[derive(Args)]
pub(super) struct Trigger {
    /// Such as checkout.session.completed; `events list` has them all
    #[arg(value_name = "TYPE")]
    event_type: String,
    #[command(flatten)]
    draft: Draft,
    /// Wait until each delivery was answered or given up, half a minute at most
    #[arg(long)]
    wait: bool,
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
        let owed = self.owed(id).await?;
        Ok(match published["deliveries"].as_u64() {
            Some(0) => format!("{id} is stored; no endpoint wants it\n"),
            _ => format!("{id} is stored, to be delivered:\n{}", deliveries(&owed.value)),
        })
    }

    /// Its deliveries, at once or when each was tried.
    async fn owed(&self, id: &str) -> Result<Answer, Failure> {
        let (mut looks, began) = (interval(LOOK), Instant::now());
        loop {
            looks.tick().await;
            let owed = self.client.get(&["deliveries"], &[("event", id.to_owned())]).await?;
            if !self.wait || began.elapsed() > LONGEST || is_tried(&owed.value) {
                return Ok(owed);
            }
        }
    }
}

/// Whether none of them waits for its first answer.
fn is_tried(owed: &Value) -> bool {
    let list = owed["list"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().all(|one| one["state"] != "in_flight" && one["attempts"] != json!(0))
}
