//! `dlq`: what groups of a bus gave up: looked at, redriven, purged.

use std::collections::HashSet;
use std::io::{BufRead as _, IsTerminal as _, Write as _, stderr, stdin};
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use eventbus::transport::{Body, DeadLetter, Failure as Failed, Reason};
use eventbus::{DeadLetterQueue, EventBus, Pattern, Select, Timestamp};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::bus::{Bus, leave};
use super::failure::Failure;
use super::progress::Progress;
use super::table::{Column, plain, record, table};
use super::time::time;

/// How many parts long work is done in: each part looks through the group's dead letters once.
const PARTS: usize = 20;

/// List, show, redrive and purge the dead letters of a group of a bus
#[derive(Args)]
pub(super) struct Dlq {
    /// The group whose dead letters they are
    #[arg(long, global = true)]
    group: Option<String>,
    #[command(flatten)]
    bus: Bus,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List dead letters, the oldest first
    List(List),
    /// Show a dead letter: why it was given up, and its event
    Show(Show),
    /// Hand dead letters out to the group again, the oldest first
    Redrive(Redrive),
    /// Remove dead letters for good
    Purge(Purge),
}

#[derive(Args)]
struct List {
    #[command(flatten)]
    filter: Filter,
    /// How many
    #[arg(long, default_value_t = 100)]
    limit: usize,
}

#[derive(Args)]
struct Show {
    /// Its number, as `dlq list` has it
    id: u64,
}

#[derive(Args)]
struct Redrive {
    #[command(flatten)]
    chosen: Chosen,
    /// How many go out in each second; otherwise all at once
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    rate: Option<u32>,
}

#[derive(Args)]
struct Purge {
    #[command(flatten)]
    chosen: Chosen,
}

/// What is changed, and how carefully.
#[derive(Args)]
struct Chosen {
    /// The numbers of some, as `dlq list` has them
    #[arg(value_name = "ID")]
    ids: Vec<u64>,
    /// All of the group
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filter: Filter,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    /// Ask nothing
    #[arg(long, short)]
    yes: bool,
}

/// Which dead letters; all that is said must hold.
#[derive(Args)]
struct Filter {
    /// Those whose type matches
    #[arg(long = "type", value_name = "PATTERN")]
    pattern: Option<Pattern>,
    /// Those of an event
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// Those with a key
    #[arg(long)]
    key: Option<String>,
    /// Those given up for this reason
    #[arg(long, value_parser = reasons())]
    reason: Option<Reason>,
    /// Given up since: 2026-01-01T00:00:00Z, or 2h for so long ago
    #[arg(long, value_name = "TIME", value_parser = time)]
    since: Option<String>,
    /// Given up before
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<String>,
}

impl Dlq {
    pub(super) async fn run(self) -> Result<String, Failure> {
        let missing = || Failure::Usage("--group is needed: whose dead letters?".to_owned());
        let group = self.group.as_deref().ok_or_else(missing)?;
        let bus = self.bus.open().await?;
        let said = self.on(&bus, group).await;
        leave(&bus).await;
        said
    }

    async fn on(&self, bus: &EventBus, group: &str) -> Result<String, Failure> {
        let queue = bus.dead_letters(group)?;
        match &self.command {
            Command::List(asked) => {
                let letters = queue.list(asked.filter.select(), asked.limit).await?;
                let list = json!({ "list": letters.iter().map(brief).collect::<Vec<_>>() });
                Ok(if self.bus.json { format!("{list}\n") } else { letters_table(&list["list"]) })
            }
            Command::Show(asked) => {
                let missing = || Failure::Refused(format!("{group} has no dead letter {}", asked.id));
                let letter = queue.inspect(asked.id).await?.ok_or_else(missing)?;
                Ok(if self.bus.json { format!("{}\n", whole(&letter)) } else { shown(&letter) })
            }
            Command::Redrive(asked) => {
                self.change(
                    &queue,
                    &asked.chosen,
                    Change { group, verb: "redrive", done: "redriven", rate: asked.rate },
                )
                .await
            }
            Command::Purge(asked) => {
                self.change(
                    &queue,
                    &asked.chosen,
                    Change { group, verb: "purge", done: "purged", rate: None },
                )
                .await
            }
        }
    }

    async fn change(
        &self,
        queue: &DeadLetterQueue,
        chosen: &Chosen,
        change: Change<'_>,
    ) -> Result<String, Failure> {
        let matched = chosen.numbers(queue).await?;
        let (count, mut done) = (matched.len() as u64, 0);
        if !chosen.dry_run && count > 0 {
            if !chosen.yes {
                confirm(&format!("{} {count} dead letters of {}?", change.verb, change.group))?;
            }
            done = change.apply(queue, &matched).await?;
        }
        Ok(match (self.bus.json, chosen.dry_run) {
            (true, _) => format!("{}\n", json!({ "matched": count, change.done: done })),
            (false, true) => format!("{count} would be {}\n", change.done),
            (false, false) if done < count => {
                format!("{done} {}; somebody else was faster with {}\n", change.done, count - done)
            }
            (false, false) => format!("{done} {}\n", change.done),
        })
    }
}

/// What is done with dead letters.
struct Change<'a> {
    group: &'a str,
    verb: &'static str,
    done: &'static str,
    rate: Option<u32>,
}

impl Change<'_> {
    /// A part at a time, so that it can be seen, and stopped between two dead letters.
    async fn apply(&self, queue: &DeadLetterQueue, ids: &[u64]) -> Result<u64, Failure> {
        let progress = Progress::of(self.done, ids.len() as u64);
        let mut done = 0;
        for part in ids.chunks(ids.len().div_ceil(PARTS).max(1)) {
            let numbers: HashSet<u64> = part.iter().copied().collect();
            let select = Select::all().matching(move |letter| numbers.contains(&letter.id));
            done += match self.verb {
                "purge" => queue.purge(select).await?,
                _ => self.redrive(queue, select).await?,
            };
            progress.add(part.len() as u64);
        }
        Ok(done)
    }

    async fn redrive(&self, queue: &DeadLetterQueue, select: Select) -> Result<u64, Failure> {
        let redrive = queue.redrive(select);
        let Some(rate) = self.rate else { return Ok(redrive.run().await?.redriven) };
        let redriven = redrive.rate(rate).run().await?.redriven;
        // The next part begins when the next one's turn is.
        sleep(Duration::from_secs(1) / rate).await;
        Ok(redriven)
    }
}

impl Chosen {
    async fn numbers(&self, queue: &DeadLetterQueue) -> Result<Vec<u64>, Failure> {
        let unsaid = "which ones? Name their numbers, --type and its like, or --all";
        if self.ids.is_empty() && !self.all && self.filter.is_empty() {
            return Err(Failure::Usage(unsaid.to_owned()));
        }
        let mut numbers = Vec::new();
        for id in &self.ids {
            let select = Select::id(*id).matching({
                let select = self.filter.select();
                move |letter| select.selects(letter)
            });
            numbers.extend(queue.list(select, 1).await?.iter().map(|letter| letter.id));
        }
        if self.ids.is_empty() {
            let letters = queue.list(self.filter.select(), usize::MAX).await?;
            numbers = letters.iter().map(|letter| letter.id).collect();
        }
        Ok(numbers)
    }
}

impl Filter {
    fn is_empty(&self) -> bool {
        let texts = [&self.event, &self.key, &self.since, &self.until];
        self.pattern.is_none() && self.reason.is_none() && texts.iter().all(|text| text.is_none())
    }

    fn select(&self) -> Select {
        let instant = |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<Timestamp>().ok());
        let mut select = Select::all();
        if let Some(pattern) = &self.pattern {
            select = select.pattern(pattern.clone());
        }
        if let Some(event) = &self.event {
            select = select.event(event.clone());
        }
        if let Some(key) = &self.key {
            select = select.key(key.clone());
        }
        if let Some(reason) = self.reason {
            select = select.reason(reason);
        }
        if let Some(since) = instant(&self.since) {
            select = select.since(since);
        }
        if let Some(until) = instant(&self.until) {
            select = select.until(until);
        }
        select
    }
}

/// Asks a person; whoever is none must have said yes before.
fn confirm(question: &str) -> Result<(), Failure> {
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Err(Failure::Usage(format!("{question} Nobody can be asked here: say --yes")));
    }
    let (mut err, mut answer) = (stderr(), String::new());
    let _ = write!(err, "{question} [y/N] ");
    let _ = stdin().lock().read_line(&mut answer);
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failure::Failed("nothing was done".to_owned())),
    }
}

/// Their names, which the help and the shells list.
fn reasons() -> impl TypedValueParser<Value = Reason> {
    let names = Reason::ALL.iter().map(|reason| reason.as_str());
    PossibleValuesParser::new(names).try_map(|name| Reason::find(&name).ok_or("is no reason"))
}

fn letters_table(list: &Value) -> String {
    const COLUMNS: &[Column] = &[
        ("ID", |one| plain(&one["id"])),
        ("GIVEN UP", |one| plain(&one["time"])),
        ("TYPE", |one| plain(&one["type"])),
        ("EVENT", |one| plain(&one["event"])),
        ("KEY", |one| plain(&one["key"])),
        ("REASON", |one| plain(&one["reason"])),
        ("ATTEMPTS", |one| plain(&one["attempts"])),
        ("ERROR", |one| plain(&one["error"])),
    ];
    table(list, COLUMNS)
}

/// A dead letter without its event.
fn brief(letter: &DeadLetter) -> Value {
    let event = letter.event();
    json!({
        "id": letter.id,
        "time": letter.time.to_string(),
        "type": event.map(|event| event.event_type().as_str()),
        "event": event.map(|event| event.id().as_str()),
        "source": event.map(|event| event.source().as_str()),
        "key": event.and_then(|event| event.key()).map(eventbus::Key::as_str),
        "reason": letter.reason.as_str(),
        "attempts": letter.attempts,
        "holds_key": letter.holds_key,
        "error": letter.last_failure().map(|failure| failure.message.as_str()),
    })
}

/// A dead letter with its history and its bytes.
fn whole(letter: &DeadLetter) -> Value {
    let mut value = brief(letter);
    let failures = letter.history.first.iter().chain(&letter.history.latest);
    value["failures"] = failures.map(failure).collect();
    value["body"] = body(letter).into();
    if let Body::Undecodable(undecodable) = &letter.body {
        value["undecodable"] = undecodable.error.to_string().into();
    }
    value
}

fn failure(one: &Failed) -> Value {
    json!({
        "attempt": one.attempt, "time": one.time.to_string(), "reason": one.reason.as_str(), "error": one.message
    })
}

fn body(letter: &DeadLetter) -> String {
    let bytes = letter.raw().unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn shown(letter: &DeadLetter) -> String {
    const COLUMNS: &[Column] = &[
        ("ATTEMPT", |one| plain(&one["attempt"])),
        ("TIME", |one| plain(&one["time"])),
        ("REASON", |one| plain(&one["reason"])),
        ("ERROR", |one| plain(&one["error"])),
    ];
    let value = whole(letter);
    let mut fields = value.clone();
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|name, value| {
            !matches!(name.as_str(), "failures" | "body" | "error") && !value.is_null()
        });
    }
    let first = record(&fields, &["id", "time", "type", "event", "source", "key", "reason", "attempts"]);
    format!("{first}\n{}\n{}\n", table(&value["failures"], COLUMNS), plain(&value["body"]))
}
