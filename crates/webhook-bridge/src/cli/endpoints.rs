//! `endpoints`: where events are delivered to.

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::failure::Failure;
use super::table::{Column, next, plain, record, table};

/// Register, change and test the endpoints that events are delivered to
#[derive(Args)]
pub(super) struct Endpoints {
    #[command(flatten)]
    client: Client,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List endpoints, the newest first
    List(Page),
    /// Register an endpoint; its signing secret is shown once
    Create(Create),
    /// Show an endpoint
    Get(One),
    /// Change an endpoint: what is not named stays
    Update(Update),
    /// Delete an endpoint; what it is still owed is not sent
    Delete(One),
    /// Send nothing to an endpoint; what it is owed gathers
    Pause(One),
    /// Go on with a paused endpoint
    Resume(One),
    /// Make a new signing secret; the former one signs along for a while
    Rotate(Rotate),
    /// Send a test event to one endpoint
    Test(Test),
}

#[derive(Args)]
struct Page {
    /// How many, at most 100
    #[arg(long)]
    limit: Option<u32>,
    /// Where the page begins, as the one before says
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Args)]
struct One {
    /// Such as we_…
    id: String,
}

#[derive(Args)]
struct Create {
    /// Where events are sent
    url: String,
    /// Types of events and patterns: checkout.session.completed 'customer.*' '*'
    #[arg(required = true, value_name = "TYPE")]
    events: Vec<String>,
    /// How requests are signed: standard, standard-v1a and others; the API refuses with all there are
    #[arg(long)]
    signature: Option<String>,
    /// A signing secret to bring along; one is made otherwise
    #[arg(long)]
    secret: Option<String>,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Args)]
struct Update {
    /// Such as we_…
    id: String,
    /// Where events are sent from now on
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Types of events and patterns, instead of all it has
    #[arg(long, value_name = "TYPE", num_args = 1..)]
    events: Option<Vec<String>>,
    /// `enabled` or `disabled`
    #[arg(long)]
    status: Option<String>,
    #[command(flatten)]
    fields: Fields,
}

/// What can be said of an endpoint at any time.
#[derive(Args)]
struct Fields {
    /// A word to the reader
    #[arg(long)]
    description: Option<String>,
    /// A JSON object
    #[arg(long, value_name = "JSON", value_parser = parse)]
    metadata: Option<Value>,
    /// Whether what has one key waits for what came before
    #[arg(long)]
    ordering: Option<Ordering>,
    /// The waits after failed attempts, in seconds: 5,30,120
    #[arg(long, value_name = "SECONDS", value_delimiter = ',')]
    schedule: Option<Vec<u64>>,
    /// How many requests may be under way, at most 64
    #[arg(long, value_name = "COUNT")]
    max_in_flight: Option<u32>,
    /// How long a request may take, at most 30
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Ordering {
    None,
    Key,
}

#[derive(Args)]
struct Rotate {
    /// Such as we_…
    id: String,
    /// A signing secret to bring along; one is made otherwise
    #[arg(long)]
    secret: Option<String>,
    /// For how many seconds the former one signs along; a day otherwise
    #[arg(long, value_name = "SECONDS")]
    overlap: Option<u64>,
}

#[derive(Args)]
struct Test {
    /// Such as we_…
    id: String,
    /// The type of the event; webhook_endpoint.test otherwise
    #[arg(long, value_name = "TYPE")]
    r#type: Option<String>,
}

impl Endpoints {
    pub(super) async fn run(self) -> Result<String, Failure> {
        let client = &self.client;
        match self.command {
            Command::List(page) => list(client, page).await,
            Command::Create(wish) => create(client, wish).await,
            Command::Get(one) => {
                let answer = client.get(&["endpoints", &one.id], &[]).await?;
                Ok(client.show(&answer, endpoint))
            }
            Command::Update(wish) => update(client, wish).await,
            Command::Delete(one) => {
                let answer = client.send(Method::DELETE, &["endpoints", &one.id], &Value::Null).await?;
                Ok(client.show(&answer, |_| format!("{} is deleted\n", one.id)))
            }
            Command::Pause(one) => turn(client, &one.id, "pause").await,
            Command::Resume(one) => turn(client, &one.id, "resume").await,
            Command::Rotate(wish) => rotate(client, wish).await,
            Command::Test(wish) => test(client, wish).await,
        }
    }
}

async fn list(client: &Client, page: Page) -> Result<String, Failure> {
    const COLUMNS: &[Column] = &[
        ("ID", |one| plain(&one["id"])),
        ("STATUS", |one| plain(one.get("disabled_reason").unwrap_or(&one["status"]))),
        ("URL", |one| plain(&one["url"])),
        ("EVENTS", |one| plain(&one["enabled_events"])),
    ];
    let limit = page.limit.map(|limit| ("limit", limit.to_string()));
    let query: Vec<_> = limit.into_iter().chain(page.cursor.map(|cursor| ("cursor", cursor))).collect();
    let answer = client.get(&["endpoints"], &query).await?;
    Ok(client.show(&answer, |page| table(&page["list"], COLUMNS) + &next(page)))
}

async fn create(client: &Client, wish: Create) -> Result<String, Failure> {
    let mut body = wish.fields.body();
    body.insert("url".to_owned(), wish.url.into());
    body.insert("enabled_events".to_owned(), wish.events.into());
    put(&mut body, "signature", wish.signature);
    put(&mut body, "secret", wish.secret);
    let answer = client.post(&["endpoints"], &body.into()).await?;
    Ok(client.show(&answer, endpoint))
}

async fn update(client: &Client, wish: Update) -> Result<String, Failure> {
    let mut body = wish.fields.body();
    put(&mut body, "url", wish.to);
    put(&mut body, "enabled_events", wish.events);
    put(&mut body, "status", wish.status);
    if body.is_empty() {
        return Err(Failure::Usage("endpoints update: name what is to be changed, see --help".to_owned()));
    }
    let answer = client.send(Method::PATCH, &["endpoints", &wish.id], &body.into()).await?;
    Ok(client.show(&answer, endpoint))
}

async fn turn(client: &Client, id: &str, how: &str) -> Result<String, Failure> {
    let answer = client.post(&["endpoints", id, how], &Value::Null).await?;
    Ok(client.show(&answer, |one| {
        let status = plain(one.get("disabled_reason").unwrap_or(&one["status"]));
        format!("{id} is {status}\n")
    }))
}

async fn rotate(client: &Client, wish: Rotate) -> Result<String, Failure> {
    let mut body = Map::new();
    put(&mut body, "secret", wish.secret);
    put(&mut body, "overlap_seconds", wish.overlap);
    let answer = client.post(&["endpoints", &wish.id, "rotate_secret"], &body.into()).await?;
    const COLUMNS: &[Column] = &[
        ("VERSION", |one| plain(&one["version"])),
        ("CREATED", |one| plain(&one["created_at"])),
        ("SIGNS UNTIL", |one| plain(&one["expires_at"])),
    ];
    Ok(client.show(&answer, |rotated| format!("{}{}", table(&rotated["list"], COLUMNS), secret(rotated))))
}

async fn test(client: &Client, wish: Test) -> Result<String, Failure> {
    let mut body = Map::new();
    put(&mut body, "type", wish.r#type);
    let answer = client.post(&["endpoints", &wish.id, "test"], &body.into()).await?;
    Ok(client.show(&answer, |tested| record(tested, &["event", "delivery"])))
}

/// An endpoint: what matters first, its secret last where it is shown.
fn endpoint(one: &Value) -> String {
    const FIRST: &[&str] =
        &["id", "url", "enabled_events", "status", "disabled_reason", "livemode", "description"];
    let mut fields = one.clone();
    if let Some(fields) = fields.as_object_mut() {
        fields.retain(|name, value| {
            !matches!(name.as_str(), "object" | "secret" | "warnings") && *value != json!("")
        });
    }
    let warnings = one["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let warnings: String = warnings.iter().map(|text| format!("warning: {}\n", plain(text))).collect();
    record(&fields, FIRST) + &warnings + &secret(one)
}

fn secret(answer: &Value) -> String {
    let shown = |secret: &str| format!("\nThe signing secret, shown once: {secret}\n");
    answer["secret"].as_str().map_or_else(String::new, shown)
}

impl Fields {
    fn body(self) -> Map<String, Value> {
        let mut body = Map::new();
        let ordering = self.ordering.map(|ordering| match ordering {
            Ordering::None => "none",
            Ordering::Key => "key",
        });
        put(&mut body, "description", self.description);
        put(&mut body, "metadata", self.metadata);
        put(&mut body, "ordering", ordering);
        put(&mut body, "schedule", self.schedule);
        put(&mut body, "max_in_flight", self.max_in_flight);
        put(&mut body, "timeout_seconds", self.timeout);
        body
    }
}

/// Puts what was said.
fn put(body: &mut Map<String, Value>, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(name.to_owned(), value.into());
    }
}

fn parse(text: &str) -> Result<Value, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if value.is_object() { Ok(value) } else { Err("must be a JSON object".to_owned()) }
}
