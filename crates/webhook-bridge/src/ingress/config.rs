//! What is configured of a source.

use std::time::Duration;

use serde::Deserialize;

use crate::model::{Mode, Secret};
use crate::signing::Rule;

/// The settings of a source: a scheme and at least one secret, the rest has defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SourceConfig {
    /// The scheme by which its requests are verified.
    pub scheme: String,
    /// Its secrets: several while one is replaced, at most 8.
    pub secrets: Vec<Secret>,
    /// Whether its events are live. Default what each body says, or that they are, where the provider has no others; needed
    /// where nothing says it.
    #[serde(default)]
    pub mode: Option<Mode>,
    /// The source of its events on the bus. Default the provider's own, or the name of the source.
    #[serde(default)]
    pub event_source: Option<String>,
    /// How far the clocks may be apart, in seconds, 10 to 3600. Default 300.
    #[serde(default = "window_seconds")]
    pub window_seconds: u64,
    /// The largest body, in bytes. Default 1 MiB, which is also the most.
    #[serde(default = "max_bytes")]
    pub max_bytes: usize,
    /// For how long an event's id is remembered, in hours, 1 to 720. Default 72, as long as providers try again.
    #[serde(default = "remember_hours")]
    pub remember_hours: u64,
    /// The zone of times that come without one, `+08:00` or `Z`: GStable does not say which it means. Default `Z`.
    #[serde(default)]
    pub zone: Option<String>,
    /// What is signed, and where, with the scheme `hmac`.
    #[serde(default)]
    pub hmac: Option<Rule>,
}

impl SourceConfig {
    /// The defaults for this scheme and secret.
    pub fn new(scheme: impl Into<String>, secret: impl Into<Box<str>>) -> Self {
        Self {
            scheme: scheme.into(),
            secrets: vec![Secret::new(secret)],
            mode: None,
            event_source: None,
            window_seconds: window_seconds(),
            max_bytes: max_bytes(),
            remember_hours: remember_hours(),
            zone: None,
            hmac: None,
        }
    }

    /// Adds a secret, which is as good as the first.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<Box<str>>) -> Self {
        self.secrets.push(Secret::new(secret));
        self
    }

    /// Sets whether its events are live.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode: Some(mode), ..self }
    }

    /// Sets the source of its events on the bus.
    #[must_use]
    pub fn event_source(self, source: impl Into<String>) -> Self {
        Self { event_source: Some(source.into()), ..self }
    }

    /// Sets how far the clocks may be apart, in whole seconds.
    #[must_use]
    pub fn window(self, window: Duration) -> Self {
        Self { window_seconds: window.as_secs(), ..self }
    }

    /// Sets the largest body, in bytes.
    #[must_use]
    pub fn max_bytes(self, bytes: usize) -> Self {
        Self { max_bytes: bytes, ..self }
    }

    /// Sets the zone of times that come without one.
    #[must_use]
    pub fn zone(self, zone: impl Into<String>) -> Self {
        Self { zone: Some(zone.into()), ..self }
    }

    /// Sets what is signed, and where.
    #[must_use]
    pub fn hmac(self, rule: Rule) -> Self {
        Self { hmac: Some(rule), ..self }
    }
}

const fn window_seconds() -> u64 {
    300
}

const fn max_bytes() -> usize {
    1 << 20
}

const fn remember_hours() -> u64 {
    72
}
