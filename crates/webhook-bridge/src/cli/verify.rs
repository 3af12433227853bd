//! `verify`: whether a webhook would be believed, and which rule refuses it.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use eventbus::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use url::Url;
use webhook_bridge::ingress::{Refused, Source, SourceConfig};
use webhook_bridge::model::Mode;
use webhook_bridge::signing::{Arrival, Livemode, Refusal, Scheme};

use super::failure::Failure;
use super::input;
use super::time::time;

/// Verify a webhook as the bridge's ingress does, and say which rule refuses it
#[derive(Args)]
pub(super) struct Verify {
    /// standard, standard-v1a, payment-kit, blocklet, gstable, stripe, hmac
    scheme: String,
    /// The secret or public key, or @file
    #[arg(long)]
    secret: String,
    /// A header of the request: 'webhook-id: evt_1'
    #[arg(long = "header", short = 'H', value_name = "NAME: VALUE", value_parser = header)]
    headers: Vec<(HeaderName, HeaderValue)>,
    /// Where the body is, byte for byte; standard input otherwise
    #[arg(long)]
    file: Option<PathBuf>,
    /// Where it was sent, which some schemes sign
    #[arg(long, default_value = "http://localhost/")]
    url: Url,
    /// When it came; now otherwise
    #[arg(long, value_name = "TIME", value_parser = time)]
    at: Option<String>,
    /// How far the clocks may be apart
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    window: u64,
    /// Whether its events are live, where nothing in it says so
    #[arg(long)]
    mode: Option<Which>,
    /// The zone of times that come without one, for `gstable`: +08:00
    #[arg(long)]
    zone: Option<String>,
    /// What is signed and where, for `hmac`, as in the configuration of a source
    #[arg(long, value_name = "JSON")]
    hmac: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    Test,
    Live,
}

impl Verify {
    pub(super) fn run(self) -> Result<String, Failure> {
        let body = input::body(self.file.as_deref())?;
        let source = self.source(&body)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        let arrival = Arrival {
            method: &Method::POST,
            path: self.url.path(),
            query: self.url.query().unwrap_or_default(),
            headers: &headers,
            body: &body,
            now: self.at.as_deref().and_then(|time| time.parse().ok()).unwrap_or_else(Timestamp::now),
        };
        let event = source.verify(&arrival).map_err(|refused| Failure::Refused(reason(&refused)))?;
        let (event_type, id, from) = (event.event_type(), event.id(), event.source());
        if self.json {
            let event = json!({
                "type": event_type.as_str(), "id": id.as_str(), "source": from.as_str(), "livemode": event.livemode()
            });
            return Ok(format!("{}\n", json!({ "verified": true, "event": event })));
        }
        Ok(format!("verified: {event_type} {id} of {from}, {}\n", Mode::from(event.livemode())))
    }

    fn source(&self, body: &[u8]) -> Result<Source, Failure> {
        let usage = |error| Failure::configuration(&error);
        let scheme = Scheme::find(&self.scheme).map_err(usage)?;
        let event: Value = serde_json::from_slice(body).unwrap_or_default();
        let mut config = SourceConfig::new(scheme.name, input::secret(&self.secret)?.reveal());
        config.window_seconds = self.window;
        config.zone.clone_from(&self.zone);
        if scheme.name.starts_with("standard") {
            // An event as the bus has it says whose it is; which are taken is a setting of a bridge, and no rule of the scheme.
            config.event_source = event["source"].as_str().map(str::to_owned);
        }
        config.mode = match (self.mode, scheme.livemode) {
            (Some(Which::Live), _) => Some(Mode::Live),
            (Some(Which::Test), _) | (None, Livemode::Configured) => Some(Mode::Test),
            (None, Livemode::Object) => event["object"]["livemode"].is_null().then_some(Mode::Test),
            (None, Livemode::Body | Livemode::Always) => None,
        };
        if scheme.name == "hmac" {
            config.hmac = Some(input::rule(self.hmac.as_deref())?);
        }
        Source::new(scheme.name, config).map_err(usage)
    }
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once(':').ok_or("must be such as 'webhook-id: evt_1'")?;
    let name = name.trim().parse().map_err(|error| format!("{name}: {error}"))?;
    Ok((name, value.trim().parse().map_err(|error| format!("{error}"))?))
}

/// The rule that refuses it, for whoever has the secret: a sender is told less.
fn reason(refused: &Refused) -> String {
    match refused {
        Refused::Signature(refusal) => {
            let rule = match refusal {
                Refusal::Unsigned => "a header that the scheme has is missing",
                Refusal::Malformed => {
                    "a header is not as the scheme writes it, or there are too many signatures"
                }
                Refusal::Stale => "it was signed too long ago, or not yet: see --at and --window",
                Refusal::Forged => "no signature is of these bytes by this secret",
                _ => "it is not believed",
            };
            format!("{}: {rule}", refusal.as_str())
        }
        Refused::Event(error) => format!("event: it is signed, and no event that is taken: {error}"),
        other => other.reason().to_owned(),
    }
}
