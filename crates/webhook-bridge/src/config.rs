//! The settings of a bridge. Only this module reads the environment.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::dispatcher::egress::Allowed;
use crate::error::{Error, Result};
use crate::model::{Application, Retention};
use crate::signing::AppKey;

/// The settings of a bridge; the defaults start one with nothing else installed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where the API listens. Default `127.0.0.1:8440`; `WEBHOOK_BRIDGE_LISTEN`.
    pub listen: SocketAddr,
    /// The folder of the store and of the key that secrets are encrypted with; made when there is none. Default
    /// `webhook-bridge-data`; `WEBHOOK_BRIDGE_DATA`.
    pub data: PathBuf,
    /// The URL of the bus whose events are delivered. Default `local:`; `WEBHOOK_BRIDGE_BUS`.
    pub bus: String,
    /// Networks and ports that may be called although they are not public, such as `127.0.0.1/32:3000`. Default none;
    /// `WEBHOOK_BRIDGE_ALLOW_TARGETS`, separated by commas.
    pub allow_targets: Vec<Allowed>,
    /// The key of the application whose components may call Payment Kit's API: a public key, or `BLOCKLET_APP_SK`, with
    /// which endpoints that are made there are also signed for. Default none, and that API answers nobody;
    /// `WEBHOOK_BRIDGE_APP_KEY`.
    pub app_key: Option<AppKey>,
    /// The application it sends for, which endpoints signed `blocklet` are told. Default none, and there are no such endpoints;
    /// `WEBHOOK_BRIDGE_APPLICATION`, a JSON object with `did`, `pk`, `url` and `name`.
    pub application: Option<Application>,
    /// How long what was stored is kept. Default: bodies of events and attempts for 30 days, events and deliveries for 90;
    /// `WEBHOOK_BRIDGE_RETENTION_DAYS`, those three numbers separated by commas.
    pub retention: Retention,
    /// How long a delivery may be due, to an endpoint that could be sent to, without being sent: after that the bridge is not
    /// ready. Default 60 s; `WEBHOOK_BRIDGE_UNSENT_SECONDS`.
    pub unsent: Duration,
    /// How long a stop waits for requests under way, to the bridge and to endpoints, and for what comes from the bus. Default
    /// 10 s.
    pub drain: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8440)),
            data: PathBuf::from("webhook-bridge-data"),
            bus: "local:".to_owned(),
            allow_targets: Vec::new(),
            app_key: None,
            application: None,
            retention: Retention::default(),
            unsent: Duration::from_secs(60),
            drain: Duration::from_secs(10),
        }
    }
}

impl Config {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The defaults, changed by what the environment says.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the variable.
    pub fn from_env() -> Result<Self> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// As [`from_env`](Self::from_env), from any source of variables.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming the variable.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut config = Self::default();
        if let Some(text) = variable("WEBHOOK_BRIDGE_LISTEN") {
            let invalid =
                |_| Error::invalid("WEBHOOK_BRIDGE_LISTEN: must be an address such as 127.0.0.1:8440");
            config.listen = text.parse().map_err(invalid)?;
        }
        if let Some(text) = variable("WEBHOOK_BRIDGE_DATA") {
            config.data = text.into();
        }
        if let Some(text) = variable("WEBHOOK_BRIDGE_BUS") {
            config.bus = text;
        }
        if let Some(text) = variable("WEBHOOK_BRIDGE_ALLOW_TARGETS") {
            let targets = text.split(',').map(str::trim).filter(|text| !text.is_empty());
            config.allow_targets = targets.map(str::parse).collect::<Result<_>>()?;
        }
        if let Some(text) = variable("WEBHOOK_BRIDGE_APP_KEY") {
            let invalid = |error| Error::invalid(format!("WEBHOOK_BRIDGE_APP_KEY: {error}"));
            config.app_key = Some(AppKey::parse(text.trim()).map_err(invalid)?);
        }
        if let Some(text) = variable("WEBHOOK_BRIDGE_APPLICATION") {
            let invalid = |error| Error::invalid(format!("WEBHOOK_BRIDGE_APPLICATION: {error}"));
            config.application = Some(serde_json::from_str(&text).map_err(invalid)?);
        }
        if let Some(text) = variable("WEBHOOK_BRIDGE_RETENTION_DAYS") {
            config.retention = retention(&text)?;
        }
        if let Some(text) = variable("WEBHOOK_BRIDGE_UNSENT_SECONDS") {
            let seconds = text.parse().ok().filter(|&seconds| seconds > 0);
            let invalid = || Error::invalid("WEBHOOK_BRIDGE_UNSENT_SECONDS: must be a number of seconds");
            config.unsent = Duration::from_secs(seconds.ok_or_else(invalid)?);
        }
        Ok(config)
    }

    /// Sets where the API listens.
    #[must_use]
    pub fn listen(self, address: SocketAddr) -> Self {
        Self { listen: address, ..self }
    }

    /// Sets the folder of the store.
    #[must_use]
    pub fn data(self, folder: impl Into<PathBuf>) -> Self {
        Self { data: folder.into(), ..self }
    }

    /// Sets the URL of the bus.
    #[must_use]
    pub fn bus(self, url: impl Into<String>) -> Self {
        Self { bus: url.into(), ..self }
    }

    /// Sets what may be called although it is not public.
    #[must_use]
    pub fn allow_targets(self, targets: Vec<Allowed>) -> Self {
        Self { allow_targets: targets, ..self }
    }

    /// Sets the key of the application whose components may call Payment Kit's API.
    #[must_use]
    pub fn app_key(self, key: AppKey) -> Self {
        Self { app_key: Some(key), ..self }
    }

    /// Sets the application it sends for.
    #[must_use]
    pub fn application(self, application: Application) -> Self {
        Self { application: Some(application), ..self }
    }

    /// Sets how long a delivery may be due without being sent, until the bridge is not ready.
    #[must_use]
    pub fn unsent(self, bound: Duration) -> Self {
        Self { unsent: bound, ..self }
    }

    /// Sets how long what was stored is kept.
    #[must_use]
    pub fn retention(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }
}

fn retention(text: &str) -> Result<Retention> {
    let days = text.split(',').map(|days| days.trim().parse()).collect::<Result<Vec<u32>, _>>();
    match days.as_deref() {
        Ok(&[bodies, attempts, deliveries]) => Retention::days(bodies, attempts, deliveries),
        _ => Err(Error::invalid("WEBHOOK_BRIDGE_RETENTION_DAYS: must be three numbers such as 30,30,90")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_is_kept_is_three_numbers_of_days() {
        let read =
            |text: &str| Config::read(|name| name.ends_with("_RETENTION_DAYS").then(|| text.to_owned()));
        let kept = |text| read(text).unwrap().retention;
        assert_eq!(kept("9, 10,11"), Retention::days(9, 10, 11).unwrap());
        assert_eq!(kept("30,30,90"), Retention::default());
        for text in ["", "30", "30,30", "30,30,90,1", "30,x,90", "8,30,90", "30,8,90", "91,30,90", "30,91,90"]
        {
            assert_eq!(read(text).unwrap_err().kind(), crate::ErrorKind::Invalid, "{text:?}");
        }
    }
}
