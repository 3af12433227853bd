//! `recover`: what an endpoint did not get is sent again.

use std::time::Duration;

use clap::Args;
use eventbus::Timestamp;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::client::Client;
use super::failure::Failure;
use super::progress::Progress;
use super::time::time;

/// How many one call looks at: as many as can be said, or so many that it can be seen.
const COUNTED: u64 = 10_000;
const SENT: u64 = 500;
/// How many seconds of what is sent one call makes due, where there is a rate.
const AHEAD: u64 = 10;

/// Send an endpoint again what was given up, with its schedule from the beginning
#[derive(Args)]
pub(super) struct Recover {
    /// Such as we_…
    #[arg(value_name = "ENDPOINT")]
    id: String,
    /// Since when: 2026-01-01T00:00:00Z, or 2h for so long ago
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: String,
    /// Until when; now otherwise
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<String>,
    /// Only types and patterns: refund.*,invoice.paid
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// How many are due in each second; otherwise all at once
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..=1000))]
    rate: Option<u64>,
    /// What it was not owed when it came, and wants now, instead of what was given up
    #[arg(long)]
    replay: bool,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    client: Client,
}

/// Whether it is done.
#[derive(Clone, Copy, PartialEq)]
enum Step {
    Count,
    Send,
}

impl Recover {
    pub(super) async fn run(self) -> Result<String, Failure> {
        // What fails again meanwhile is not older than this.
        let until = self.until.clone().unwrap_or_else(|| Timestamp::now().to_string());
        let counted = self.walk(Step::Count, &until, &Progress::endless("counted")).await?;
        let count = match self.dry_run {
            true => counted,
            false => self.walk(Step::Send, &until, &Progress::of("due again", counted)).await?,
        };
        Ok(match (self.client.wants_json(), self.dry_run) {
            (true, dry_run) => format!("{}\n", json!({ "deliveries": count, "dry_run": dry_run })),
            (false, true) => format!("{count} would be sent again\n"),
            (false, false) => format!("{count} due again\n"),
        })
    }

    /// Calls until there is no more.
    async fn walk(&self, step: Step, until: &str, progress: &Progress) -> Result<u64, Failure> {
        let route = if self.replay { "replay" } else { "recover" };
        let (mut count, mut cursor) = (0, Value::Null);
        loop {
            let body = self.body(step, until, &cursor);
            let answer = self.client.post(&["endpoints", &self.id, route], &body).await?.value;
            let found = answer["deliveries"].as_u64().unwrap_or(0);
            count += found;
            progress.add(found);
            cursor = answer["next"].clone();
            if cursor.is_null() {
                return Ok(count);
            }
            if let (Step::Send, Some(rate)) = (step, self.rate) {
                // Each call begins its own pace.
                sleep(Duration::from_millis(found * 1000 / rate)).await;
            }
        }
    }

    fn body(&self, step: Step, until: &str, cursor: &Value) -> Value {
        let limit = match (step, self.rate) {
            (Step::Count, _) => COUNTED,
            (Step::Send, None) => SENT,
            (Step::Send, Some(rate)) => rate * AHEAD,
        };
        let mut body = json!({ "since": self.since, "until": until, "limit": limit });
        if step == Step::Count {
            body["dry_run"] = true.into();
        }
        if !self.types.is_empty() {
            body["types"] = self.types.clone().into();
        }
        if let Some(rate) = self.rate {
            body["rate"] = rate.into();
        }
        if !cursor.is_null() {
            body["cursor"] = cursor.clone();
        }
        body
    }
}
