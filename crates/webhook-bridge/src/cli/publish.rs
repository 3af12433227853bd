//! `publish`: events onto a bus, or to the bridge's API, as they are given.

use std::fs::File;
use std::io::{BufReader, Read, stdin};
use std::path::PathBuf;

use clap::Args;
use eventbus::{AnyEvent, EventBus};
use serde_json::value::RawValue;
use serde_json::{Deserializer, Value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use webhook_bridge::model::Mode;

use super::bus::{self, leave};
use super::client::{Client, Live};
use super::draft::Draft;
use super::failure::Failure;
use super::print;
use super::progress::Progress;

/// How many events go out together.
const TOGETHER: usize = 256;

/// Publish events on a bus, or to the bridge's API
///
/// Without a type, events are read as JSON from standard input or a file, one after another, and published byte for byte.
#[derive(Args)]
pub(super) struct Publish {
    /// Such as checkout.session.completed, with a made-up object unless --data gives one
    #[arg(value_name = "TYPE", conflicts_with = "file")]
    event_type: Option<String>,
    #[command(flatten)]
    draft: Draft,
    /// Where events are read from
    #[arg(long)]
    file: Option<PathBuf>,
    /// The broker: redis://…, amqp://…; the bridge's API otherwise
    #[arg(long = "bus", value_name = "URL")]
    bus_url: Option<String>,
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    client: Client,
}

/// Where events go.
enum Target<'a> {
    Bus(EventBus),
    Bridge(&'a Client),
}

impl Publish {
    pub(super) async fn run(self) -> Result<String, Failure> {
        let (sender, events) = channel(TOGETHER);
        let mode = self.mode()?;
        match &self.event_type {
            Some(event_type) => {
                let event = self.draft.event(event_type, mode)?;
                // There is room for one.
                let _ = sender.try_send(parse(&event.to_string()));
                drop(sender);
            }
            None if !self.draft.is_empty() => {
                let text =
                    "--data, --set, --key, --id, --source are for an event of a TYPE, which is not named";
                return Err(Failure::Usage(text.to_owned()));
            }
            None => self.read(sender)?,
        }
        let target = match &self.bus_url {
            Some(url) => Target::Bus(bus::open(url).await?),
            None => Target::Bridge(&self.client),
        };
        let published = self.send(&target, events).await;
        if let Target::Bus(bus) = &target {
            leave(bus).await;
        }
        published.map(|()| String::new())
    }

    fn mode(&self) -> Result<Mode, Failure> {
        match (&self.bus_url, self.client.mode().is_live()) {
            (Some(_), _) => Ok(Mode::from(self.live.live)),
            (None, true) if self.event_type.is_some() => self.client.deliberate(self.live),
            (None, _) => Ok(self.client.mode()),
        }
    }

    /// Reads events on a thread of its own, which waits for room.
    fn read(&self, sender: Sender<Result<AnyEvent, Failure>>) -> Result<(), Failure> {
        let source: Box<dyn Read + Send> = match &self.file {
            Some(path) => {
                let unread = |error| Failure::Usage(format!("--file {}: {error}", path.display()));
                Box::new(BufReader::new(File::open(path).map_err(unread)?))
            }
            None => Box::new(BufReader::new(stdin())),
        };
        std::thread::spawn(move || {
            for text in Deserializer::from_reader(source).into_iter::<Box<RawValue>>() {
                let unread = |error| Failure::Usage(format!("no event: {error}"));
                let event = text.map_err(unread).and_then(|text| parse(text.get()));
                let over = event.is_err();
                if sender.blocking_send(event).is_err() || over {
                    return;
                }
            }
        });
        Ok(())
    }

    async fn send(
        &self,
        target: &Target<'_>,
        mut events: Receiver<Result<AnyEvent, Failure>>,
    ) -> Result<(), Failure> {
        let (progress, mut wrong) = (Progress::endless("published"), None);
        let mut batch = Vec::new();
        while wrong.is_none() && events.recv_many(&mut batch, TOGETHER).await > 0 {
            let mut sound = Vec::new();
            for event in batch.drain(..) {
                match event {
                    Ok(event) => sound.push(event),
                    Err(failure) => wrong = Some(failure),
                }
            }
            let said = match target {
                _ if sound.is_empty() => String::new(),
                Target::Bus(bus) => self.onto(bus, sound).await?,
                Target::Bridge(client) => to(client, &sound).await?,
            };
            progress.add(said.lines().count() as u64);
            progress.beside(|| print(&said))?;
        }
        wrong.map_or(Ok(()), Err)
    }

    async fn onto(&self, bus: &EventBus, events: Vec<AnyEvent>) -> Result<String, Failure> {
        let (ids, mut text): (Vec<_>, _) =
            (events.iter().map(|one| one.id().clone()).collect(), String::new());
        let outcomes = match bus.publish_all(events).await {
            Ok(_) => return Ok(ids.iter().map(|id| self.said(id.as_str())).collect()),
            Err(error) => error,
        };
        for (id, outcome) in ids.iter().zip(outcomes.outcomes()) {
            if outcome.is_ok() {
                text += &self.said(id.as_str());
            }
        }
        print(&text)?;
        let first = outcomes.outcomes().iter().find_map(|outcome| outcome.as_ref().err());
        let first = first.map(ToString::to_string).unwrap_or_default();
        Err(Failure::Failed(format!("{outcomes}: {first}; publishing them again is safe, with the same ids")))
    }

    fn said(&self, id: &str) -> String {
        match self.client.wants_json() {
            true => format!("{}\n", json!({ "id": id })),
            false => format!("{id} is published\n"),
        }
    }
}

/// To the bridge, as a line for each.
async fn to(client: &Client, events: &[AnyEvent]) -> Result<String, Failure> {
    let bodies = events.iter().map(AnyEvent::to_json).collect::<eventbus::Result<Vec<_>>>()?;
    let body = [b"[".as_slice(), &bodies.join(b",".as_slice()), b"]"].concat();
    let answer = client.raw(&["events", "batch"], body).await?;
    let list = answer.value["list"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(list.iter().map(|one| if client.wants_json() { format!("{one}\n") } else { stored(one) }).collect())
}

fn stored(one: &Value) -> String {
    let id = one["id"].as_str().unwrap_or_default();
    match (one["duplicate"] == json!(true), one["deliveries"].as_u64().unwrap_or(0)) {
        (true, _) => format!("{id} was published before: nothing is sent again\n"),
        (false, 0) => format!("{id} is published; no endpoint wants it\n"),
        (false, 1) => format!("{id} is published, for 1 endpoint\n"),
        (false, count) => format!("{id} is published, for {count} endpoints\n"),
    }
}

fn parse(text: &str) -> Result<AnyEvent, Failure> {
    AnyEvent::from_json(text.to_owned()).map_err(|error| Failure::Usage(format!("no event: {error}")))
}
