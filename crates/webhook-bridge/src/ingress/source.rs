//! A source of webhooks: who may send, and how that is verified.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eventbus::gstable::UtcOffset;
use eventbus::{AnyEvent, Source as EventSource};

use super::config::SourceConfig;
use super::refused::Refused;
use crate::error::{Error, Result};
use crate::model::Mode;
use crate::signing::{Arrival, Livemode, Scheme, Trust};

/// The most secrets of a source: each is tried for each request.
const SECRETS: usize = 8;

/// A source of webhooks; cheap to clone.
#[derive(Debug, Clone)]
pub struct Source(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    name: EventSource,
    scheme: &'static Scheme,
    trust: Trust,
    max_bytes: usize,
    #[cfg(feature = "bridge")]
    remember: Duration,
}

impl Source {
    /// Makes a source of this name.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the setting and the rule.
    #[allow(clippy::needless_pass_by_value, reason = "a configuration is made for this call")]
    pub fn new(name: &str, config: SourceConfig) -> Result<Self> {
        let inner = Self::checked(name, &config);
        inner.map(|inner| Self(Arc::new(inner))).map_err(|rule| Error::invalid(format!("{name}: {rule}")))
    }

    /// Makes sources of a JSON object: name to settings.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn parse(json: &str) -> Result<Vec<Self>> {
        let invalid =
            |cause: serde_json::Error| Error::invalid(format!("must be an object of sources: {cause}"));
        let sources: BTreeMap<String, SourceConfig> = serde_json::from_str(json).map_err(invalid)?;
        sources.into_iter().map(|(name, config)| Self::new(&name, config)).collect()
    }

    fn checked(name: &str, config: &SourceConfig) -> Result<Inner> {
        let name = EventSource::new(name.to_owned()).map_err(|error| Error::invalid(error.to_string()))?;
        let scheme = Scheme::find(&config.scheme)?;
        if config.secrets.is_empty() || config.secrets.len() > SECRETS {
            return Err(Error::invalid(format!("secrets: must be 1 to {SECRETS}")));
        }
        let keys = config.secrets.iter().map(|secret| scheme.key(secret)).collect::<Result<_>>()?;
        let within = |name: &str, value, bounds: std::ops::RangeInclusive<u64>| match bounds.contains(&value)
        {
            true => Ok(()),
            false => Err(Error::invalid(format!("{name}: must be {} to {}", bounds.start(), bounds.end()))),
        };
        within("window_seconds", config.window_seconds, 10..=3600)?;
        within("max_bytes", config.max_bytes as u64, 1..=1 << 20)?;
        within("remember_hours", config.remember_hours, 1..=720)?;
        let zone = config.zone.as_deref().map(str::parse::<UtcOffset>).transpose()?;
        if (config.scheme == "hmac") != config.hmac.is_some() {
            return Err(Error::invalid("hmac: must be there with, and only with, the scheme hmac"));
        }
        config.hmac.as_ref().map_or(Ok(()), crate::signing::Rule::check)?;
        let trust = Trust {
            keys,
            window: Duration::from_secs(config.window_seconds),
            mode: mode(scheme, config.mode)?,
            source: events(scheme, (&name, config.event_source.as_deref()))?,
            zone: zone.unwrap_or_default(),
            rule: config.hmac.clone(),
        };
        Ok(Inner {
            name,
            scheme,
            trust,
            max_bytes: config.max_bytes,
            #[cfg(feature = "bridge")]
            remember: Duration::from_secs(config.remember_hours * 3600),
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.name.as_str()
    }

    /// The largest body it takes, in bytes.
    pub fn max_bytes(&self) -> usize {
        self.0.max_bytes
    }

    /// For how long the ids of its events are remembered.
    #[cfg(feature = "bridge")]
    pub(super) fn remember(&self) -> Duration {
        self.0.remember
    }

    /// Verifies a request over the bytes as they came, and reads it as an event. An event may come twice, with the same id.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn verify(&self, arrival: &Arrival<'_>) -> Result<AnyEvent, Refused> {
        self.0.scheme.verify(arrival, &self.0.trust).map_err(Refused::Signature)?;
        self.0.scheme.read(arrival, &self.0.trust).map_err(Refused::Event)
    }
}

/// Which mode its events have to be of.
fn mode(scheme: &Scheme, configured: Option<Mode>) -> Result<Option<Mode>> {
    match (scheme.livemode, configured) {
        (_, Some(mode)) => Ok(Some(mode)),
        (Livemode::Body | Livemode::Object, None) => Ok(None),
        (Livemode::Always, None) => Ok(Some(Mode::Live)),
        (Livemode::Configured, None) => Err(Error::invalid("mode: must be live or test")),
    }
}

/// Whose its events are on the bus.
fn events(scheme: &Scheme, (name, configured): (&EventSource, Option<&str>)) -> Result<EventSource> {
    let source = match (scheme.source, configured) {
        (Some(own), Some(other)) if own != other => {
            return Err(Error::invalid(format!("event_source: is always {own} with this scheme")));
        }
        (Some(own), _) => own,
        (None, Some(configured)) => configured,
        (None, None) => name.as_str(),
    };
    EventSource::new(source.to_owned()).map_err(|error| Error::invalid(format!("event_source: {error}")))
}
