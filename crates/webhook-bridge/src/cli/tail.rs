//! `tail`: what is published on a bus, as it comes.

use clap::Args;
use eventbus::{AnyEvent, EventBus, EventId, Messages, Retry, Timestamp};

use super::bus::{Bus, leave};
use super::failure::Failure;
use super::table::{Paint, one_line, paint};
use super::{goes_on, note, serve};

/// Print what is published on a bus, as it comes, until Ctrl-C
///
/// It subscribes as a group of its own, which goes with it: nobody else gets less, and nothing is left behind.
#[derive(Args)]
pub(super) struct Tail {
    /// Which types: customer.subscription.*, or # for all
    #[arg(default_value = "#")]
    pattern: String,
    /// End after so many
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    /// Only events of this source
    #[arg(long)]
    source: Option<String>,
    #[command(flatten)]
    bus: Bus,
}

impl Tail {
    pub(super) async fn run(self) -> Result<String, Failure> {
        let stopped = serve::stopped()?;
        let bus = self.bus.open().await?;
        let shown = tokio::select! {
            shown = self.show(&bus) => shown,
            () = stopped => Ok(()),
        };
        leave(&bus).await;
        shown.map(|()| String::new())
    }

    async fn show(&self, bus: &EventBus) -> Result<(), Failure> {
        let mut messages = self.subscribe(bus).await?;
        note(&format!("{} on {}: Ctrl-C ends it", self.pattern, self.bus.name()));
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 {
            let ended = || Failure::Failed("the subscription ended".to_owned());
            let message = messages.next().await.ok_or_else(ended)?;
            let event = message.event().clone();
            message.ack().await?;
            if self.source.as_ref().is_some_and(|source| event.source().as_str() != source) {
                continue;
            }
            if !goes_on(&self.line(&event)?)? {
                break;
            }
            left -= 1;
        }
        Ok(())
    }

    async fn subscribe(&self, bus: &EventBus) -> Result<Messages, Failure> {
        // One at a time, so that they are shown in the order they came.
        let group = format!("tail-{}", EventId::generate(Timestamp::now()));
        let subscription =
            bus.subscribe(group).ephemeral().retry(Retry::never()).concurrency(1).prefetch(256);
        Ok(subscription.stream(&self.pattern).await?)
    }

    fn line(&self, event: &AnyEvent) -> Result<String, Failure> {
        if self.bus.json { json(event) } else { Ok(person(event)) }
    }
}

/// The event's own bytes, on one line: a line feed in JSON is never part of a value.
fn json(event: &AnyEvent) -> Result<String, Failure> {
    let text = String::from_utf8_lossy(&event.to_json()?).replace(['\n', '\r'], " ");
    Ok(format!("{text}\n"))
}

fn person(event: &AnyEvent) -> String {
    let mode = if event.livemode() { paint(Paint::Alarm, "live") } else { paint(Paint::Faint, "test") };
    let key = event.key().map(|key| one_line(key.as_str())).unwrap_or_else(|| "-".to_owned());
    let time = paint(Paint::Faint, &event.time().to_string());
    let event_type = paint(Paint::Bold, event.event_type().as_str());
    format!("{time}  {event_type}  {key}  {}  {}  {mode}\n", event.id(), event.source())
}
