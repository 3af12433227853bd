//! `deliveries`: what is owed to whom, and what became of it.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::Client;
use super::failure::Failure;
use super::print;
use super::table::{Column, next, plain, record, table};
use super::time::time;

/// See what was delivered, attempt by attempt, and send it again
#[derive(Args)]
pub(super) struct Deliveries {
    #[command(flatten)]
    client: Client,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List deliveries, the newest first: all, or those of an endpoint or an event
    List(List),
    /// Show a delivery
    Get(One),
    /// List the requests that were made for a delivery
    Attempts(Attempts),
    /// Say why an event went to an endpoint, or did not
    Explain(Explain),
    /// Make one more attempt now, however they ended; the event's id stays the same
    Resend(Several),
}

#[derive(Args)]
struct List {
    /// Those to an endpoint, such as we_…
    #[arg(long)]
    endpoint: Option<String>,
    /// Those of an event, such as evt_…
    #[arg(long)]
    event: Option<String>,
    /// How they stand: pending, succeeded, exhausted, …
    #[arg(long)]
    state: Option<String>,
    /// The type of the event
    #[arg(long)]
    r#type: Option<String>,
    /// The key of the event: the id of its object
    #[arg(long)]
    key: Option<String>,
    /// Made since: 2026-01-01T00:00:00Z, or 2h for so long ago
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Made before
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<String>,
    /// How many, at most 250
    #[arg(long)]
    limit: Option<u32>,
    /// Where the page begins, as the one before says
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Args)]
struct One {
    /// Such as dlv_1_2
    id: String,
}

#[derive(Args)]
struct Several {
    /// Such as dlv_1_2
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

#[derive(Args)]
struct Attempts {
    /// Such as dlv_1_2
    id: String,
    /// `succeeded` or `failed`
    #[arg(long)]
    status: Option<String>,
    /// How many, at most 250
    #[arg(long)]
    limit: Option<u32>,
    /// Where the page begins, as the one before says
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Args)]
struct Explain {
    /// The event, such as evt_…
    event: String,
    /// The endpoint, such as we_…
    #[arg(long)]
    endpoint: String,
}

impl Deliveries {
    pub(super) async fn run(self) -> Result<String, Failure> {
        let client = &self.client;
        match self.command {
            Command::List(asked) => {
                let answer = client.get(&["deliveries"], &asked.query()).await?;
                Ok(client.show(&answer, |page| deliveries(page) + &next(page)))
            }
            Command::Get(one) => {
                let answer = client.get(&["deliveries", &one.id], &[]).await?;
                Ok(client.show(&answer, delivery))
            }
            Command::Attempts(asked) => attempts(client, asked).await,
            Command::Explain(asked) => explain(client, asked).await,
            Command::Resend(several) => resend(client, several).await,
        }
    }
}

/// Each is said as soon as it is due.
async fn resend(client: &Client, several: Several) -> Result<String, Failure> {
    for id in several.ids {
        let answer = client.post(&["deliveries", &id, "resend"], &Value::Null).await?;
        print(&client.show(&answer, |_| format!("{id} is due\n")))?;
    }
    Ok(String::new())
}

impl List {
    fn query(self) -> Vec<(&'static str, String)> {
        let fields = [
            ("endpoint", self.endpoint),
            ("event", self.event),
            ("state", self.state),
            ("type", self.r#type),
            ("key", self.key),
            ("since", self.since),
            ("until", self.until),
            ("limit", self.limit.map(|limit| limit.to_string())),
            ("cursor", self.cursor),
        ];
        fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// The deliveries of a page.
pub(super) fn deliveries(page: &Value) -> String {
    const COLUMNS: &[Column] = &[
        ("DELIVERY", |one| plain(&one["id"])),
        ("STATE", |one| plain(&one["state"])),
        ("ATTEMPTS", |one| plain(&one["attempts"])),
        ("TYPE", |one| plain(&one["type"])),
        ("EVENT", |one| plain(&one["event"])),
        ("ENDPOINT", |one| plain(&one["endpoint"])),
        ("CREATED", |one| plain(&one["created_at"])),
    ];
    table(&page["list"], COLUMNS)
}

fn delivery(one: &Value) -> String {
    let mut fields = one.clone();
    if let Some(fields) = fields.as_object_mut() {
        fields.remove("object");
    }
    record(
        &fields,
        &["id", "state", "attempts", "type", "event", "source", "endpoint", "sequence", "created_at"],
    )
}

async fn attempts(client: &Client, asked: Attempts) -> Result<String, Failure> {
    const COLUMNS: &[Column] = &[
        ("ATTEMPT", |one| plain(&one["number"])),
        ("STARTED", |one| plain(&one["started_at"])),
        ("STATUS", |one| plain(&one["status"])),
        ("ANSWER", |one| {
            plain(one.get("error").filter(|error| !error.is_null()).unwrap_or(&one["response_status"]))
        }),
        ("MS", |one| plain(&one["duration_ms"])),
        ("BODY", |one| body(one)),
    ];
    let fields = [
        ("status", asked.status),
        ("limit", asked.limit.map(|limit| limit.to_string())),
        ("cursor", asked.cursor),
    ];
    let query: Vec<_> = fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let answer = client.get(&["deliveries", &asked.id, "attempts"], &query).await?;
    Ok(client.show(&answer, |page| table(&page["list"], COLUMNS) + &next(page)))
}

/// The beginning of an answer, or what the bridge noted.
fn body(attempt: &Value) -> String {
    const LONGEST: usize = 60;
    let text = match attempt["note"].as_str() {
        Some(note) => note,
        None => attempt["response_body"].as_str().unwrap_or_default(),
    };
    plain(&text.chars().take(LONGEST).collect::<String>().into())
}

async fn explain(client: &Client, asked: Explain) -> Result<String, Failure> {
    let path = ["events", &asked.event, "explain"];
    let answer = client.get(&path, &[("endpoint", asked.endpoint)]).await?;
    Ok(client.show(&answer, |told| {
        let list = told["list"].as_array().map(Vec::as_slice).unwrap_or_default();
        let records = list.iter().map(|one| record(one, &["verdict", "reason", "detail", "event", "type"]));
        records.collect::<Vec<_>>().join("\n")
    }))
}
