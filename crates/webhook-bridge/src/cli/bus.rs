//! A broker, named by its URL: what the commands need that speak to a bus without a bridge.

use std::time::Duration;

use clap::Args;
use eventbus::{ErrorKind, EventBus};
use url::Url;
use webhook_bridge::transports;

use super::failure::Failure;

/// The longest a command waits for what it began on the bus when it ends.
const GOODBYE: Duration = Duration::from_secs(5);

/// Which bus, and how it is shown.
#[derive(Args)]
#[command(next_help_heading = "The bus")]
pub(super) struct Bus {
    /// The broker: redis://…, amqp://…
    #[arg(
        long = "bus",
        value_name = "URL",
        global = true,
        env = "WEBHOOK_BRIDGE_BUS",
        hide_env_values = true
    )]
    bus_url: Option<String>,
    /// Print JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl Bus {
    pub(super) async fn open(&self) -> Result<EventBus, Failure> {
        let missing = "a broker is needed: --bus redis://… or amqp://…, or WEBHOOK_BRIDGE_BUS";
        open(self.bus_url.as_deref().ok_or_else(|| Failure::Usage(missing.to_owned()))?).await
    }

    /// The URL without user and password, to be shown.
    pub(super) fn name(&self) -> String {
        self.bus_url.as_deref().map(shown).unwrap_or_default()
    }
}

/// Connects to a broker.
pub(super) async fn open(url: &str) -> Result<EventBus, Failure> {
    if url.starts_with("local:") {
        let text = "local: is a bus within one process, which no other can see: name the broker, redis://… or amqp://…; \
                    a bridge on local: takes events over its API (`publish` and `trigger` without --bus)";
        return Err(Failure::Usage(text.to_owned()));
    }
    transports::connect(url).await.map_err(|error| match bus_kind(&error) {
        Some(ErrorKind::Invalid) => Failure::Usage(format!("--bus: {}", text(&error))),
        Some(ErrorKind::NotSent | ErrorKind::Unknown) | None => {
            Failure::Unreachable(format!("{}: no broker was reached: {}", shown(url), text(&error)))
        }
        Some(_) => Failure::Refused(format!("{}: {}", shown(url), text(&error))),
    })
}

/// Ends what was begun.
pub(super) async fn leave(bus: &EventBus) {
    bus.shutdown(GOODBYE).await;
}

fn bus_kind(error: &webhook_bridge::Error) -> Option<ErrorKind> {
    let source = std::error::Error::source(error)?;
    source.downcast_ref::<eventbus::Error>().map(eventbus::Error::kind)
}

fn text(error: &webhook_bridge::Error) -> String {
    super::failure::chain(error)
}

fn shown(url: &str) -> String {
    let Ok(mut url) = Url::parse(url) else { return "the bus".to_owned() };
    let _ = url.set_password(None);
    let _ = url.set_username("");
    url.to_string()
}
