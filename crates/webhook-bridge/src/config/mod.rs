//! The settings of a bridge: a field and its default here, its row in [`SETTINGS`].
//!
//! A setting has one name and one form, a text. In a file it is a key, whose value may also be a whole number, true or false, a list
//! (`allow_targets = ["127.0.0.1/32"]` is `"127.0.0.1/32"`, several are separated by commas) or a table, which is a JSON
//! object; in the environment it is
//! `WEBHOOK_BRIDGE_` and the name in capitals, in the command line `--` and the name with dashes. Flags win over the
//! environment, and that over the file. What is not known is an error, and so is what breaks a rule.

mod settings;
mod sources;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::api::GstableConfig;
use crate::dashboard::Access;
use crate::dispatcher::Roots;
use crate::dispatcher::egress::{Allowed, Egress, Guard};
use crate::ingress::Source;
use crate::model::{Application, Retention};
use crate::signing::AppKey;

pub use settings::{SETTINGS, Setting};
pub use sources::Flag;

/// The settings of a bridge; the defaults start one with nothing else installed. Secrets are hidden in `Debug`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where the API listens. Default `127.0.0.1:8440`.
    pub listen: SocketAddr,
    /// The folder of the store and of the key that secrets are encrypted with; made when there is none. Default
    /// `webhook-bridge-data`.
    pub data: PathBuf,
    /// The URL of the bus whose events are delivered. Default `local:`.
    pub bus: BusUrl,
    /// The group it subscribes as. Bridges with stores of their own on one bus need groups of their own, for a group's
    /// members share its events. Default `webhook-bridge`.
    pub group: String,
    /// Whether it subscribes: without it the bus's events are neither stored nor delivered here, but by others, who subscribe as
    /// the group. Default true.
    pub subscribe: bool,
    /// Networks and ports that may be called although they are not public, such as `127.0.0.1/32:3000`. Default none.
    pub allow_targets: Vec<Allowed>,
    /// Authorities whose certificates are trusted at endpoints, beside those Mozilla trusts. Default none.
    pub roots: Roots,
    /// The name by which the bridge itself is reached, such as `hooks.shop.example`: endpoints there are refused, and where a
    /// name looks like it. Default none.
    pub public_name: Option<String>,
    /// The name servers that are asked for the addresses of endpoints. Default those of the system.
    pub dns_servers: Vec<SocketAddr>,
    /// The key of the application whose components may call Payment Kit's API: a public key, or `BLOCKLET_APP_SK`, with
    /// which endpoints that are made there are also signed for. Default none, and that API answers nobody.
    pub app_key: Option<AppKey>,
    /// Where GStable's webhook API is, and what GStable does not say of it. Default at `/payment/v1` and `/api/v1`.
    pub gstable: GstableConfig,
    /// The application it sends for, which endpoints signed `blocklet` are told. Default none, and there are no such endpoints.
    pub application: Option<Application>,
    /// Whose webhooks are taken at `/in/{name}`, and how they are verified. Default nobody's.
    pub sources: Vec<Source>,
    /// Whether there is a dashboard, and how browsers reach it. Default over HTTP.
    pub dashboard: Access,
    /// How long what was stored is kept, in days. Default: bodies of events and attempts for 30, events and deliveries
    /// for 90.
    pub retention: Retention,
    /// How long a delivery may be due, to an endpoint that could be sent to, without being sent: after that the bridge is not
    /// ready. Default 60 s.
    pub unsent: Duration,
    /// How long a stop waits for requests under way, to the bridge and to endpoints, and for what comes from the bus: more
    /// than endpoints have for an answer unless they are given more than usual, so that none is cut off. Default 20 s.
    pub drain: Duration,
    /// What is logged, in the directives of `tracing`: `info`, `warn,webhook_bridge=debug`. Default `info`.
    pub log: String,
    /// How a line of the log looks. Default text.
    pub log_format: LogFormat,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8440)),
            data: PathBuf::from("webhook-bridge-data"),
            bus: BusUrl("local:".to_owned()),
            group: "webhook-bridge".to_owned(),
            subscribe: true,
            allow_targets: Vec::new(),
            roots: Roots::default(),
            public_name: None,
            dns_servers: Vec::new(),
            app_key: None,
            gstable: GstableConfig::default(),
            application: None,
            sources: Vec::new(),
            dashboard: Access::default(),
            retention: Retention::default(),
            unsent: Duration::from_secs(60),
            drain: Duration::from_secs(20),
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }
}

/// How a line of the log looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// A JSON object, for programs.
    Json,
}

/// The URL of a bus; its password is hidden in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct BusUrl(String);

impl BusUrl {
    /// The URL itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BusUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((user, host)) = self.0.rsplit_once('@') else { return fmt::Debug::fmt(&self.0, f) };
        let scheme = user.split_once("://").map_or("", |(scheme, _)| scheme);
        write!(f, "\"{scheme}://…@{host}\"")
    }
}

impl Config {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
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
        Self { bus: BusUrl(url.into()), ..self }
    }

    /// Sets the group it subscribes as.
    #[must_use]
    pub fn group(self, name: impl Into<String>) -> Self {
        Self { group: name.into(), ..self }
    }

    /// Takes webhooks in for others to deliver, who subscribe as the group.
    #[must_use]
    pub fn without_subscription(self) -> Self {
        Self { subscribe: false, ..self }
    }

    /// Sets what may be called although it is not public.
    #[must_use]
    pub fn allow_targets(self, targets: Vec<Allowed>) -> Self {
        Self { allow_targets: targets, ..self }
    }

    /// Sets the name by which the bridge itself is reached.
    #[must_use]
    pub fn public_name(self, name: impl Into<String>) -> Self {
        Self { public_name: Some(name.into()), ..self }
    }

    /// Sets the name servers that are asked.
    #[must_use]
    pub fn dns_servers(self, servers: Vec<SocketAddr>) -> Self {
        Self { dns_servers: servers, ..self }
    }

    /// What it may call, and how it finds it.
    pub fn egress(&self) -> Egress {
        let guard = Guard::new(self.allow_targets.clone()).own(self.public_name.clone());
        Egress { guard, dns_servers: self.dns_servers.clone() }
    }

    /// Sets the key of the application whose components may call Payment Kit's API.
    #[must_use]
    pub fn app_key(self, key: AppKey) -> Self {
        Self { app_key: Some(key), ..self }
    }

    /// Sets where GStable's webhook API is, and how.
    #[must_use]
    pub fn gstable(self, gstable: GstableConfig) -> Self {
        Self { gstable, ..self }
    }

    /// Sets the application it sends for.
    #[must_use]
    pub fn application(self, application: Application) -> Self {
        Self { application: Some(application), ..self }
    }

    /// Sets whose webhooks are taken.
    #[must_use]
    pub fn sources(self, sources: Vec<Source>) -> Self {
        Self { sources, ..self }
    }

    /// Sets how browsers reach the dashboard.
    #[must_use]
    pub fn dashboard(self, access: Access) -> Self {
        Self { dashboard: access, ..self }
    }

    /// Sets how long what was stored is kept.
    #[must_use]
    pub fn retention(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Sets how long a delivery may be due without being sent, until the bridge is not ready.
    #[must_use]
    pub fn unsent(self, bound: Duration) -> Self {
        Self { unsent: bound, ..self }
    }

    /// Sets how long a stop waits for requests under way, and for what comes from the bus.
    #[must_use]
    pub fn drain(self, longest: Duration) -> Self {
        Self { drain: longest, ..self }
    }
}

#[cfg(test)]
mod tests;
