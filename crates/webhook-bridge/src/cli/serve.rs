//! `serve`: runs the bridge.

use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Map, json};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use webhook_bridge::config::{Flag, LogFormat, SETTINGS, Setting};
use webhook_bridge::model::Mode;
use webhook_bridge::{Bridge, Config, Error, ErrorKind};

use super::failure::Failure;
use super::goes_on;

const HELP: &str = "\
Without any of these it starts on a bus of its own, with its store in the folder webhook-bridge-data. The first time it \
prints its API keys, which are shown nowhere else.

A setting is also a key of the file (listen = \"127.0.0.1:8440\") and a variable (WEBHOOK_BRIDGE_LISTEN). Flags win over \
variables, and those over the file. app_key, the key of an application of Payment Kit, is no flag: it may be a secret.";

/// Run the bridge: take events in, deliver them, answer the API.
#[derive(Args)]
#[command(after_help = HELP)]
pub(super) struct Serve {
    /// A TOML file of settings
    #[arg(long, value_name = "FILE", env = "WEBHOOK_BRIDGE_CONFIG")]
    config: Option<PathBuf>,
    /// Say where it listens, and the keys that it made, as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: Flags,
}

/// A flag for each setting that may be one.
struct Flags(Vec<Flag>);

impl Serve {
    pub(super) async fn run(self) -> Result<String, Failure> {
        let config =
            Config::load(self.config, &self.flags.0).map_err(|error| Failure::configuration(&error))?;
        log(&config);
        open_files();
        let stopped = stopped()?;
        if !self.json {
            webhook_bridge::run(config, stopped).await?;
            return Ok(String::new());
        }
        let bridge = Bridge::start(config).await?;
        // What is said here is said once.
        if !goes_on(&json(&bridge))? {
            return Err(Failure::Failed("standard output is closed".to_owned()));
        }
        tracing::info!(address = %bridge.address(), "the bridge listens");
        bridge.run(stopped).await?;
        Ok(String::new())
    }
}

fn json(bridge: &Bridge) -> String {
    let keys = Mode::ALL.into_iter().zip(bridge.fresh_keys());
    let keys: Map<_, _> = keys.map(|(mode, key)| (mode.to_string(), key.reveal().into())).collect();
    format!("{}\n", json!({ "url": format!("http://{}", bridge.address()), "keys": keys }))
}

fn log(config: &Config) {
    let filter = EnvFilter::new(&config.log);
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
}

/// As many files as the system lets this process have: each request under way is one.
fn open_files() {
    let limit = getrlimit(Resource::Nofile);
    // Where it may not, it goes on with what it has.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
}

/// Done at SIGTERM or SIGINT.
pub(super) fn stopped() -> Result<impl Future<Output = ()>, Error> {
    let failed = |cause| Error::new(ErrorKind::Internal, "signals cannot be waited for").with_source(cause);
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn flags() -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(|setting| !setting.secret)
}

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        flags().fold(command, |command, setting| {
            let flag = Arg::new(setting.name).long(setting.flag()).value_name(setting.value);
            command.arg(flag.help(setting.help).allow_hyphen_values(true))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given =
            |setting: &'static Setting| Some((setting, matches.get_one::<String>(setting.name)?.clone()));
        Ok(Self(flags().filter_map(given).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
