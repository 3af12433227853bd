//! `doctor`: what keeps a bridge from its work, seen from here.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, Subcommand};
use eventbus::Timestamp;
use eventbus::transport::Durability;
use http::header::DATE;
use http::{Response, StatusCode};
use jiff::fmt::rfc2822;
use serde_json::{Value, json};
use webhook_bridge::Config;
use webhook_bridge::config::SETTINGS;
use webhook_bridge::dispatcher::Judgement;
use webhook_bridge::model::EndpointUrl;
use webhook_bridge::store::SqliteStore;

use super::bus::{self, leave};
use super::client::Client;
use super::failure::Failure;
use super::print;
use super::table::{Column, plain, table};

/// How far clocks may be apart, in milliseconds: signatures are good for minutes, and `Date` has whole seconds.
const APART: i64 = 5_000;
/// How much room there must be for the store, in bytes.
const ROOM: u64 = 1 << 30;

/// Check that the bridge, its store, the broker and the clocks are well, or why a URL is refused
#[derive(Args)]
#[command(args_conflicts_with_subcommands = false)]
pub(super) struct Doctor {
    /// The broker that is looked at too
    #[arg(long = "bus", value_name = "URL", env = "WEBHOOK_BRIDGE_BUS", hide_env_values = true)]
    bus_url: Option<String>,
    /// The folder of the bridge's store, where it is on this machine
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    #[command(flatten)]
    client: Client,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Say which rule of the egress guard refuses a URL, by the bridge's settings as they are here
    Url(Judged),
}

#[derive(Args)]
struct Judged {
    /// Where an endpoint would be
    target: String,
    /// As the setting of the bridge
    #[arg(long, value_name = "NETWORKS")]
    allow_targets: Option<String>,
}

/// What was looked at: what, how it is, in words.
type Check = (&'static str, Verdict, String);

#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    Well,
    Doubtful,
    Bad,
    Skipped,
}

impl Doctor {
    pub(super) async fn run(self) -> Result<String, Failure> {
        if let Some(Command::Url(judged)) = &self.command {
            return self.url(judged).await;
        }
        let mut checks = self.bridge().await;
        checks.push(self.key().await);
        checks.extend(self.broker().await);
        checks.push(self.store());
        let bad = checks.iter().filter(|(_, verdict, _)| *verdict == Verdict::Bad).count();
        print(&self.said(&checks))?;
        match bad {
            0 => Ok(String::new()),
            1 => Err(Failure::Failed("something is wrong".to_owned())),
            bad => Err(Failure::Failed(format!("{bad} things are wrong"))),
        }
    }

    async fn url(&self, asked: &Judged) -> Result<String, Failure> {
        let judged = asked.judge().await?;
        let json = json!({
            "addresses": listed(&judged), "refusal": judged.refusal, "trouble": judged.unresolved
        });
        match self.client.wants_json() {
            true => print(&format!("{json}\n"))?,
            false => print(&addresses(&judged))?,
        }
        let said = asked.verdict(judged)?;
        Ok(if self.client.wants_json() { String::new() } else { said })
    }

    fn said(&self, checks: &[Check]) -> String {
        const COLUMNS: &[Column] = &[
            ("PART", |one| plain(&one["part"])),
            ("VERDICT", |one| plain(&one["verdict"])),
            ("DETAIL", |one| plain(&one["detail"])),
        ];
        let row = |(part, verdict, detail): &Check| json!({ "part": part, "verdict": verdict.as_str(), "detail": detail });
        let list: Value = checks.iter().map(row).collect();
        if self.client.wants_json() {
            format!("{}\n", json!({ "list": list }))
        } else {
            table(&list, COLUMNS)
        }
    }

    /// Whether it answers, what it says of itself, and what time it has.
    async fn bridge(&self) -> Vec<Check> {
        let (began, clock) = (Instant::now(), Timestamp::now());
        let answer = match self.client.look("/health/ready").await {
            Ok(answer) => answer,
            Err(failure) => return vec![("bridge", Verdict::Bad, failure.to_string())],
        };
        let took = began.elapsed();
        let mut checks = ready(self.client.name(), &answer);
        let middle = clock.as_millis() + i64::try_from(took.as_millis() / 2).unwrap_or(0);
        checks.push(clocks(&answer, middle));
        checks
    }

    async fn key(&self) -> Check {
        if !self.client.has_key() {
            return ("key", Verdict::Skipped, "none was given: --api-key, or WEBHOOK_BRIDGE_KEY".to_owned());
        }
        match self.client.get(&["endpoints"], &[("limit", "1".to_owned())]).await {
            Ok(_) => ("key", Verdict::Well, format!("is for {} events", self.client.mode())),
            Err(failure) => ("key", Verdict::Bad, failure.to_string()),
        }
    }

    async fn broker(&self) -> Vec<Check> {
        let Some(url) = self.bus_url.as_deref().filter(|url| !url.starts_with("local:")) else {
            return vec![(
                "broker",
                Verdict::Skipped,
                "none was named: --bus, or WEBHOOK_BRIDGE_BUS".to_owned(),
            )];
        };
        let bus = match bus::open(url).await {
            Ok(bus) => bus,
            Err(failure) => return vec![("broker", Verdict::Bad, failure.to_string())],
        };
        let (can, health) = (bus.capabilities().clone(), bus.health());
        let (verdict, durability) = durability(can.durability);
        let mut checks =
            vec![("broker", verdict, format!("{} answers; what it has stored {durability}", can.transport))];
        let doubts = health.troubles.into_iter().chain(health.warnings);
        checks.extend(doubts.map(|doubt| ("broker", Verdict::Doubtful, doubt)));
        leave(&bus).await;
        checks
    }

    fn store(&self) -> Check {
        match &self.data {
            None => ("store", Verdict::Skipped, "its folder was not named: --data".to_owned()),
            Some(folder) => stored(folder),
        }
    }
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Doubtful => "doubtful",
            Self::Bad => "bad",
            Self::Skipped => "skipped",
        }
    }
}

fn ready(name: &str, answer: &Response<bytes::Bytes>) -> Vec<Check> {
    let said: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    match (answer.status(), said["faults"].as_array()) {
        (StatusCode::OK, _) if said["status"] == "ready" => {
            vec![("bridge", Verdict::Well, format!("{name} is ready"))]
        }
        (StatusCode::SERVICE_UNAVAILABLE, Some(faults)) => {
            let fault = |one: &Value| format!("{}: {}", plain(&one["part"]), plain(&one["detail"]));
            faults.iter().map(|one| ("bridge", Verdict::Bad, fault(one))).collect()
        }
        (status, _) => vec![("bridge", Verdict::Bad, format!("{name} answers {status}, and is no bridge"))],
    }
}

fn clocks(answer: &Response<bytes::Bytes>, here: i64) -> Check {
    let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
    let there = date.and_then(|date| rfc2822::parse(date).ok()).map(|date| date.timestamp().as_millisecond());
    let Some(there) = there else { return ("clock", Verdict::Skipped, "the answer has no date".to_owned()) };
    // Seconds are cut off, so it is half a second later than it says.
    let apart = there + 500 - here;
    if apart.abs() <= APART {
        return ("clock", Verdict::Well, format!("within {} s of the bridge's", APART / 1000));
    }
    let side = if apart > 0 { "behind" } else { "ahead of" };
    ("clock", Verdict::Bad, format!("this machine's is {} s {side} the bridge's", apart.abs() / 1000))
}

fn durability(durability: Durability) -> (Verdict, &'static str) {
    match durability {
        Durability::Process => (Verdict::Bad, "ends with the process"),
        Durability::Memory => (Verdict::Doubtful, "is in memory: a restart loses it"),
        Durability::Disk => {
            (Verdict::Well, "survives a restart; a crash of the server may lose the last second")
        }
        Durability::Synced => (Verdict::Well, "survives a crash of the server"),
        Durability::Replicated(_) => (Verdict::Well, "survives the loss of a server"),
        _ => (Verdict::Doubtful, "is kept in a way that is not known here"),
    }
}

fn stored(folder: &Path) -> Check {
    let file = folder.join(SqliteStore::FILE);
    if !file.is_file() {
        return ("store", Verdict::Bad, format!("there is no {}", file.display()));
    }
    let Ok(room) = rustix::fs::statvfs(folder) else {
        return ("store", Verdict::Bad, format!("{} cannot be looked at", folder.display()));
    };
    let free = room.f_bavail.saturating_mul(room.f_frsize);
    let verdict = if free < ROOM { Verdict::Doubtful } else { Verdict::Well };
    ("store", verdict, format!("{} is there; {} MiB are free", file.display(), free >> 20))
}

impl Judged {
    async fn judge(&self) -> Result<Judgement, Failure> {
        let setting = SETTINGS.iter().find(|setting| setting.name == "allow_targets");
        let flags: Vec<_> = setting.into_iter().zip(self.allow_targets.clone()).collect();
        let config = Config::load(None, &flags).map_err(|error| Failure::configuration(&error))?;
        let url = EndpointUrl::parse(&self.target).map_err(|error| Failure::Refused(error.to_string()))?;
        Ok(Judgement::of(&url, &config.egress()).await?)
    }

    /// What is thrown away by a refusal is said before.
    fn verdict(&self, judged: Judgement) -> Result<String, Failure> {
        match (judged.refusal, judged.unresolved) {
            (Some(refusal), _) => {
                Err(Failure::Refused(format!("{refusal}; the setting allow_targets can let it pass")))
            }
            (None, Some(why)) => Err(Failure::Failed(format!("{}: {why}", self.target))),
            (None, None) => Ok(format!("{} may be called\n", self.target)),
        }
    }
}

fn addresses(judged: &Judgement) -> String {
    const COLUMNS: &[Column] =
        &[("ADDRESS", |one| plain(&one["address"])), ("REFUSED BY", |one| plain(&one["rule"]))];
    table(&listed(judged), COLUMNS)
}

fn listed(judged: &Judgement) -> Value {
    let row = |(address, rule): &(std::net::SocketAddr, Option<&str>)| json!({ "address": address.to_string(), "rule": rule });
    judged.addresses.iter().map(row).collect()
}
