//! A webhook at the bridge: verified, published, and only then answered 2xx; then it is remembered.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use eventbus::transport::Durability;
use eventbus::{AnyEvent, ErrorKind as Bus, EventBus, Timestamp};
use http::StatusCode;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{Instrument as _, Span};

use super::config::SourceConfig;
use super::extract::arrive;
use super::filter::Filter;
use super::memory::Memory;
use super::refused::Refused;
use super::source::Source;
use super::uncancelled::uncancelled;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::Metrics;
use crate::model::{Inbound, Mode};
use crate::signing::Format;
use crate::store::Store;
use crate::trace;

/// The route, by which it is also named in logs and metrics.
pub(crate) const PATH: &str = "/in/{source}";

/// How long a provider waits for the bus: they wait for 5 to 10 s.
const PATIENCE: Duration = Duration::from_secs(4);

/// What may become of a webhook, in a word.
const RESULTS: [&str; 12] = [
    "published",
    "known",
    "unknown",
    "unsigned",
    "malformed",
    "stale",
    "forged",
    "too_large",
    "encoded",
    "broken",
    "event",
    "unavailable",
];

/// The sources of a bridge, its bus, and the store where it is remembered what came.
pub struct Ingress {
    sources: HashMap<String, Source>,
    /// What requests to no source are verified by, so that they take as long.
    decoy: Source,
    memory: Memory,
    bus: EventBus,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

/// What became of a webhook that is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Published,
    Known,
}

impl Ingress {
    /// Takes webhooks of these sources.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) when two have one name.
    pub fn new(sources: Vec<Source>, (bus, store): (EventBus, Arc<dyn Store>)) -> Result<Self> {
        let mut named = HashMap::new();
        for source in sources {
            let name = source.name().to_owned();
            if named.insert(name.clone(), source).is_some() {
                return Err(Error::invalid(format!("sources: there are two of the name {name}")));
            }
        }
        let secret = Format::find("standard")?.generate()?;
        let decoy = SourceConfig::new("standard", secret.reveal()).mode(Mode::Test);
        let decoy = Source::new("none", decoy)?;
        let filter = if named.is_empty() { Filter::none() } else { Filter::new() };
        let (memory, metrics) = (Memory::of(Arc::clone(&store), filter), Arc::default());
        Ok(Self { sources: named, decoy, memory, bus, store, metrics })
    }

    /// Counts there.
    #[must_use]
    pub fn metered(self, metrics: Arc<Metrics>) -> Self {
        metrics.may_receive(&RESULTS);
        Self { metrics, ..self }
    }

    async fn take(self: &Arc<Self>, name: &str, request: Request) -> Result<Taken, Refused> {
        let context = trace::read(request.headers());
        let Some(source) = self.sources.get(name) else {
            return Err(match arrive(&self.decoy, request).await {
                Err(Refused::Signature(_) | Refused::Event(_)) | Ok(_) => Refused::Unknown,
                Err(other) => other,
            });
        };
        let event = arrive(source, request).await?;
        Span::current().record("event", event.id().as_str());
        let event = match context {
            Some(context) => event.with_envelope(|envelope| envelope.trace = Some(context)),
            None => event,
        };
        // Whoever sent it may hang up while it is published: it is remembered all the same, or would be published again.
        let (ingress, source) = (Arc::clone(self), source.clone());
        let once = async move { ingress.once(&source, event).await };
        let ended = |_| Error::new(ErrorKind::Internal, "a webhook was cut off by a panic");
        uncancelled(once.in_current_span()).await.map_err(|panic| Refused::Unavailable(ended(panic)))?
    }

    /// Publishes an event unless it was.
    async fn once(&self, source: &Source, event: AnyEvent) -> Result<Taken, Refused> {
        let identity = (source.name(), Mode::from(event.livemode()), event.id().as_str());
        let inbound = Inbound::new(identity, Timestamp::now().plus(source.remember()));
        let turn = self.memory.turn(inbound.digest).await;
        if self.memory.came(inbound.digest).await.map_err(Refused::Unavailable)? {
            return Ok(Taken::Known);
        }
        self.publish(event).await?;
        self.memory.keep(inbound, turn).await.map_err(Refused::Unavailable)?;
        Ok(Taken::Published)
    }

    /// Remembers what is published, until it is told to stop and all of that is stored.
    pub(crate) async fn run(self: Arc<Self>, stop: CancellationToken) {
        self.memory.run(stop).await;
    }

    async fn publish(&self, event: AnyEvent) -> Result<(), Refused> {
        // A bus that ends with the process holds nothing by itself; what comes of it here finds it known.
        if self.bus.capabilities().durability == Durability::Process {
            self.store.ingest(event.clone()).await.map_err(Refused::Unavailable)?;
        }
        let late = || Error::new(ErrorKind::Unavailable, "the bus did not confirm in time");
        let published = timeout(PATIENCE, self.bus.publish(event)).await;
        match published {
            Ok(Ok(_)) => Ok(()),
            // Only what is wrong with the event is told its sender; that the broker will not have us is ours to mend.
            Ok(Err(error)) if matches!(error.kind(), Bus::Invalid | Bus::Undecodable) => {
                Err(Refused::Event(error.into()))
            }
            Ok(Err(error)) => Err(Refused::Unavailable(error.into())),
            Err(_) => Err(Refused::Unavailable(late())),
        }
    }
}

/// `POST /in/{source}`: 200 when the event is on the bus, or was before.
pub(crate) async fn receive(
    State(ingress): State<Arc<Ingress>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    let taken = ingress.take(&name, request).await;
    let result = match &taken {
        Ok(Taken::Published) => "published",
        Ok(Taken::Known) => "known",
        Err(refused) => refused.reason(),
    };
    ingress.metrics.received(result);
    match taken {
        Ok(_) => StatusCode::OK.into_response(),
        Err(refused) => {
            refused.note(&name);
            refused.into_response()
        }
    }
}

impl fmt::Debug for Ingress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sources.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::Refusal;

    /// What comes after it; one that is new does not compile until it has its place.
    fn next(refused: &Refused) -> Option<Refused> {
        let error = || Error::invalid("x");
        Some(match refused {
            Refused::Unknown => Refused::Signature(Refusal::Unsigned),
            Refused::Signature(Refusal::Unsigned) => Refused::Signature(Refusal::Malformed),
            Refused::Signature(Refusal::Malformed) => Refused::Signature(Refusal::Stale),
            Refused::Signature(Refusal::Stale) => Refused::Signature(Refusal::Forged),
            Refused::Signature(Refusal::Forged) => Refused::TooLarge,
            Refused::TooLarge => Refused::Encoded,
            Refused::Encoded => Refused::Broken,
            Refused::Broken => Refused::Event(error()),
            Refused::Event(_) => Refused::Unavailable(error()),
            Refused::Unavailable(_) => return None,
        })
    }

    #[test]
    fn whatever_may_become_of_a_webhook_is_counted_from_the_start() {
        let refused = std::iter::successors(Some(Refused::Unknown), next).map(|refused| refused.reason());
        assert_eq!(RESULTS[2..], refused.collect::<Vec<_>>());
    }
}
