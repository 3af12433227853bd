//! The settings of a bridge: a field, its default and its row in [`SETTINGS`], all of them here.
//!
//! A setting has one name and one form, a text. In a file it is a key, whose value may also be a number, a list
//! (`allow_targets = ["127.0.0.1/32"]` is `"127.0.0.1/32"`, several are separated by commas) or a table, which is a JSON
//! object; in the environment it is
//! `WEBHOOK_BRIDGE_` and the name in capitals, in the command line `--` and the name with dashes. Flags win over the
//! environment, and that over the file. What is not known is an error, and so is what breaks a rule.

mod sources;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use eventbus::transport::Group;
use tracing_subscriber::EnvFilter;

use crate::api::GstableConfig;
use crate::dashboard::Access;
use crate::dispatcher::Roots;
use crate::dispatcher::egress::{Allowed, Egress, Guard};
use crate::error::{Error, Result};
use crate::ingress::Source;
use crate::model::{Application, Retention};
use crate::signing::AppKey;

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

/// Every setting, in the order that the help has.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "listen",
        value: "ADDRESS",
        help: "Where the API listens [default: 127.0.0.1:8440]",
        set: |config, text| {
            let invalid = |_| Error::invalid("must be an address such as 127.0.0.1:8440");
            config.listen = text.parse().map_err(invalid)?;
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "data",
        value: "FOLDER",
        help: "The folder of the store and its key; made when there is none [default: webhook-bridge-data]",
        set: |config, text| {
            config.data = some(text, "must be a folder")?.into();
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "bus",
        value: "URL",
        help: "The bus whose events are delivered: local:, redis://…, amqp://… [default: local:]",
        set: |config, text| {
            config.bus = BusUrl(some(text, "must be a URL such as redis://127.0.0.1")?.to_owned());
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "group",
        value: "NAME",
        help: "The group it subscribes as: bridges with stores of their own need their own [default: webhook-bridge]",
        set: |config, text| {
            config.group = Group::new(some(text, "must be a name")?.to_owned())?.to_string();
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "allow_targets",
        value: "NETWORKS",
        help: "Networks and ports that may be called although they are not public, such as 127.0.0.1/32:3000, \
               separated by commas [default: none]",
        set: |config, text| {
            let targets = text.split(',').map(str::trim).filter(|text| !text.is_empty());
            config.allow_targets = targets.map(str::parse).collect::<Result<_>>()?;
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "ca_file",
        value: "FILE",
        help: "Authorities that are trusted at endpoints beside those Mozilla trusts: a file of PEM [default: none]",
        set: |config, text| {
            config.roots = Roots::read(some(text, "must be a file")?.as_ref())?;
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "public_name",
        value: "NAME",
        help: "The name by which the bridge itself is reached: it is no endpoint's, nor one that looks like it",
        set: |config, text| {
            config.public_name = Some(some(text, "must be a name such as hooks.shop.example")?.to_owned());
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "dns_servers",
        value: "ADDRESSES",
        help: "The name servers that are asked for the addresses of endpoints, such as 9.9.9.9,[2620:fe::fe]:53 \
               [default: those of the system]",
        set: |config, text| {
            let servers = text.split(',').map(str::trim).filter(|text| !text.is_empty());
            config.dns_servers = servers.map(dns_server).collect::<Result<_>>()?;
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "app_key",
        value: "KEY",
        help: "The key of the application whose components may call Payment Kit's API",
        secret: true,
        set: |config, text| {
            config.app_key = Some(AppKey::parse(text.trim())?);
            Ok(())
        },
    },
    Setting {
        name: "gstable",
        value: "JSON",
        help: "Where GStable's webhook API is, and what GStable does not say of it [default: at /payment/v1 and /api/v1]",
        set: |config, text| {
            config.gstable = GstableConfig::parse(text)?;
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "application",
        value: "JSON",
        help: "The application it sends for, which endpoints signed `blocklet` are told: did, pk, url, name",
        set: |config, text| {
            let invalid =
                |error| Error::invalid(format!("must be an object of did, pk, url and name: {error}"));
            let application: Application = serde_json::from_str(text).map_err(invalid)?;
            application.check()?;
            config.application = Some(application);
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "sources",
        value: "JSON",
        help: "Whose webhooks are taken at /in/NAME, and how they are verified: a table for each name",
        secret: true,
        set: |config, text| {
            config.sources = Source::parse(text)?;
            Ok(())
        },
    },
    Setting {
        name: "dashboard",
        value: "ACCESS",
        help: "How browsers reach the dashboard: http, https (behind TLS: its cookies are Secure), or off [default: http]",
        set: |config, text| {
            config.dashboard = text.trim().parse()?;
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "retention_days",
        value: "DAYS,DAYS,DAYS",
        help: "How long bodies, attempts and deliveries are kept [default: 30,30,90]",
        set: |config, text| {
            config.retention = retention(text)?;
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "unsent_seconds",
        value: "SECONDS",
        help: "How long a delivery may be due without being sent, until the bridge is not ready [default: 60]",
        set: |config, text| {
            config.unsent = seconds(text)?;
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "drain_seconds",
        value: "SECONDS",
        help: "How long a stop waits for requests under way and for what comes from the bus [default: 20]",
        set: |config, text| {
            config.drain = seconds(text)?;
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "log",
        value: "FILTER",
        help: "What is logged, on standard error: warn, info, or info,webhook_bridge=debug [default: info]",
        set: |config, text| {
            let invalid =
                |error| Error::invalid(format!("must be such as info,webhook_bridge=debug: {error}"));
            EnvFilter::try_new(text).map_err(invalid)?;
            text.clone_into(&mut config.log);
            Ok(())
        },
        ..Setting::EMPTY
    },
    Setting {
        name: "log_format",
        value: "FORMAT",
        help: "How a line of the log looks: text, or json [default: text]",
        set: |config, text| {
            config.log_format = match text {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                _ => return Err(Error::invalid("must be text or json")),
            };
            Ok(())
        },
        ..Setting::EMPTY
    },
];

/// A setting, as it can be given: a row of [`SETTINGS`].
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Setting {
    /// Its name: the key in a file.
    pub name: &'static str,
    /// What stands for its value in the help.
    pub value: &'static str,
    /// One line for whom chooses, with the default.
    pub help: &'static str,
    /// Whether it may be a secret: then it is no flag, for everybody on a machine can read those.
    pub secret: bool,
    /// Parses and sets it; an error says the rule alone.
    set: fn(&mut Config, &str) -> Result<()>,
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

impl Setting {
    const EMPTY: Self = Self { name: "", value: "", help: "", secret: false, set: |_, _| Ok(()) };

    /// Its name in the environment.
    pub fn variable(&self) -> String {
        format!("{}{}", sources::PREFIX, self.name.to_ascii_uppercase())
    }

    /// Its name in the command line, without the dashes before it.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
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

fn some<'a>(text: &'a str, rule: &'static str) -> Result<&'a str> {
    let text = text.trim();
    if text.is_empty() { Err(Error::invalid(rule)) } else { Ok(text) }
}

/// An address, at port 53 where it names none.
fn dns_server(text: &str) -> Result<SocketAddr> {
    let invalid = |_| Error::invalid("must be addresses such as 9.9.9.9,[2620:fe::fe]:53");
    text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, 53))).map_err(invalid)
}

fn seconds(text: &str) -> Result<Duration> {
    const MOST: u64 = 365 * 24 * 3600;
    let seconds = text.trim().parse().ok().filter(|seconds| (1..=MOST).contains(seconds));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| Error::invalid("must be a whole number of seconds, from 1"))
}

fn retention(text: &str) -> Result<Retention> {
    let days = text.split(',').map(|days| days.trim().parse()).collect::<Result<Vec<u32>, _>>();
    match days.as_deref() {
        Ok(&[bodies, attempts, deliveries]) => Retention::days(bodies, attempts, deliveries),
        _ => Err(Error::invalid("must be three numbers such as 30,30,90")),
    }
}

#[cfg(test)]
mod tests;
