//! `events`: the catalogues, and what an event of each type looks like.

use clap::{Args, Subcommand};
use eventbus::{Origin, Pattern, catalogue};
use serde_json::{Value, json};
use webhook_bridge::model::Mode;

use super::draft::Draft;
use super::failure::Failure;
use super::table::{Column, plain, table};

/// List the types of events of Payment Kit and GStable, and show what they look like
#[derive(Args)]
pub(super) struct Events {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the types of both catalogues
    List(List),
    /// Print a made-up object of a type, as `trigger` sends it
    Show(Show),
}

#[derive(Args)]
struct List {
    /// Only types that match: customer.subscription.*
    pattern: Option<Pattern>,
    /// Only of this source: payment-kit, gstable
    #[arg(long)]
    source: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
struct Show {
    /// Such as checkout.session.completed
    #[arg(value_name = "TYPE")]
    event_type: String,
    #[command(flatten)]
    draft: Draft,
    /// Print the whole event, as `publish` takes it
    #[arg(long)]
    event: bool,
    /// Print it on one line
    #[arg(long)]
    json: bool,
}

impl Events {
    pub(super) fn run(self) -> Result<String, Failure> {
        match self.command {
            Command::List(asked) => Ok(list(&asked)),
            Command::Show(asked) => show(&asked),
        }
    }
}

fn list(asked: &List) -> String {
    const COLUMNS: &[Column] = &[
        ("TYPE", |one| plain(&one["type"])),
        ("SOURCE", |one| plain(&one["source"])),
        ("OBJECT", |one| plain(&one["object_type"])),
        ("WHAT HAPPENED", |one| plain(&one["description"])),
    ];
    let wanted = |entry: &&eventbus::CatalogueEntry| {
        asked.pattern.as_ref().is_none_or(|pattern| pattern.matches(entry.event_type))
            && asked.source.as_deref().is_none_or(|source| source == entry.source)
    };
    let row = |entry: &eventbus::CatalogueEntry| {
        json!({
            "type": entry.event_type,
            "source": entry.source,
            "object_type": entry.object_type,
            "description": entry.description,
            "listed": entry.origin == Origin::Listed,
        })
    };
    let list: Value = catalogue().filter(wanted).map(row).collect();
    if asked.json { format!("{}\n", json!({ "list": list })) } else { table(&list, COLUMNS) }
}

fn show(asked: &Show) -> Result<String, Failure> {
    let event = asked.draft.event(&asked.event_type, Mode::Test)?;
    let shown = if asked.event { &event } else { &event["data"]["object"] };
    Ok(if asked.json { format!("{shown}\n") } else { format!("{shown:#}\n") })
}
