//! Every setting as it can be given: its name, what it means, and how its text is read.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use eventbus::transport::Group;
use tracing_subscriber::EnvFilter;

use super::sources::PREFIX;
use super::{BusUrl, Config, LogFormat};
use crate::api::GstableConfig;
use crate::dispatcher::Roots;
use crate::error::{Error, Result};
use crate::ingress::Source;
use crate::model::{Application, Retention};
use crate::signing::AppKey;

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
        name: "subscribe",
        value: "BOOL",
        help: "Whether the bus's events are stored and delivered here: false where webhooks are taken in for others, who \
               subscribe as the group [default: true]",
        set: |config, text| {
            config.subscribe = text.trim().parse().map_err(|_| Error::invalid("must be true or false"))?;
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
    pub(super) set: fn(&mut Config, &str) -> Result<()>,
}

impl Setting {
    const EMPTY: Self = Self { name: "", value: "", help: "", secret: false, set: |_, _| Ok(()) };

    /// Its name in the environment.
    pub fn variable(&self) -> String {
        format!("{}{}", PREFIX, self.name.to_ascii_uppercase())
    }

    /// Its name in the command line, without the dashes before it.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
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
