//! `lag`: what groups have not handled yet.

use clap::Args;
use eventbus::transport::Backlog;
use eventbus::{EventBus, Select, Timestamp};
use serde_json::{Value, json};

use super::bus::{Bus, leave};
use super::failure::Failure;
use super::table::{Column, plain, table};
use super::time::span;

/// Show what groups of a bus have not handled yet
///
/// A broker does not list its groups under one roof with the others, so they are named.
#[derive(Args)]
pub(super) struct Lag {
    /// The groups: the names that are subscribed as
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
    #[command(flatten)]
    bus: Bus,
}

impl Lag {
    pub(super) async fn run(self) -> Result<String, Failure> {
        let bus = self.bus.open().await?;
        let looked = self.look(&bus).await;
        leave(&bus).await;
        let list = Value::Array(looked?);
        Ok(if self.bus.json { format!("{}\n", json!({ "list": list })) } else { groups(&list) })
    }

    async fn look(&self, bus: &EventBus) -> Result<Vec<Value>, Failure> {
        let mut list = Vec::new();
        for group in &self.groups {
            let missing = || Failure::Refused(format!("{}: there is no group {group}", self.bus.name()));
            let backlog = bus.backlog(group).await?.ok_or_else(missing)?;
            let oldest = match backlog.dead {
                0 => None,
                _ => bus.dead_letters(group)?.list(Select::all(), 1).await?.pop().map(|letter| letter.time),
            };
            list.push(row(group, &backlog, oldest));
        }
        Ok(list)
    }
}

fn row(group: &str, backlog: &Backlog, oldest: Option<Timestamp>) -> Value {
    json!({
        "group": group,
        "queued": backlog.queued,
        "in_flight": backlog.in_flight,
        "waiting": backlog.waiting,
        "parked": backlog.parked,
        "held_keys": backlog.held_keys,
        "dead": backlog.dead,
        "oldest_dead": oldest.map(|time| time.to_string()),
        "members": backlog.members,
    })
}

fn groups(list: &Value) -> String {
    const COLUMNS: &[Column] = &[
        ("GROUP", |one| plain(&one["group"])),
        ("QUEUED", |one| plain(&one["queued"])),
        ("IN FLIGHT", |one| plain(&one["in_flight"])),
        ("RETRIES", |one| plain(&one["waiting"])),
        ("PARKED", |one| plain(&one["parked"])),
        ("HELD KEYS", |one| plain(&one["held_keys"])),
        ("DEAD", |one| plain(&one["dead"])),
        ("OLDEST", |one| one["oldest_dead"].as_str().and_then(span).unwrap_or_else(|| "-".to_owned())),
        ("MEMBERS", |one| plain(&one["members"])),
    ];
    table(list, COLUMNS)
}
