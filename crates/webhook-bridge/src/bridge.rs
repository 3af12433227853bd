//! A bridge, running: everything started in the order it is needed, and stopped in the other.

use std::fs::DirBuilder;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use eventbus::transport::Durability;
use eventbus::{EventBus, Timestamp};
use futures::FutureExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::api::server::{self, Limits};
use crate::api::{Parts, Streams, router};
use crate::config::Config;
use crate::dashboard::Dashboard;
use crate::dispatcher::{Dispatcher, Sender};
use crate::error::{Error, ErrorKind, Result};
use crate::ingress::Ingress;
use crate::metrics::Metrics;
use crate::model::{ApiKey, Application, Mode};
use crate::store::{FirstKeys, SqliteStore, Store};
use crate::vault::Vault;
use crate::watch::Watch;
use crate::{intake, retention, transports, upkeep};

/// What each part has at least to end, however long others took.
const GRACE: Duration = Duration::from_secs(1);

/// A bridge that runs: it subscribes to the bus, delivers what is owed and answers its API.
#[derive(Debug)]
pub struct Bridge {
    address: SocketAddr,
    keys: Vec<ApiKey>,
    bus: EventBus,
    store: Arc<dyn Store>,
    drain: Duration,
    /// Ends the API; then, when nothing comes in any more, the dispatcher and the retention.
    stop: (CancellationToken, CancellationToken),
    /// Done when any part has ended.
    broken: CancellationToken,
    api: Part,
    parts: Vec<Part>,
}

/// What runs as long as the bridge does.
#[derive(Debug)]
struct Part {
    name: &'static str,
    task: JoinHandle<Result<()>>,
}

impl Part {
    /// Starts it; `broken` is done when it ends, also by a panic.
    fn start(
        name: &'static str,
        broken: &CancellationToken,
        work: impl Future<Output = Result<()>> + Send + 'static,
    ) -> Self {
        let ended = broken.clone().drop_guard();
        let task = tokio::spawn(async move {
            let _ended = ended;
            work.await
        });
        Self { name, task }
    }

    /// Waits until it has ended by itself; what it has under way at the deadline is cut off, and comes again.
    async fn end(mut self, deadline: Instant) {
        let Ok(ended) = timeout_at(deadline, &mut self.task).await else {
            tracing::warn!(part = self.name, "did not end in time; what it had under way comes again");
            self.task.abort();
            let _ = self.task.await;
            return;
        };
        let error = match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(part = self.name, error, "ended with an error");
    }
}

/// Runs a bridge until `shutdown` is done, and says on standard output where it listens. The first time it also prints
/// its API keys, which are shown nowhere else.
///
/// # Errors
/// What keeps it from starting; [`Internal`](ErrorKind::Internal) when a part of it ended while it ran, so that whoever
/// started it starts it again: what is due waits in the store.
pub async fn run(config: Config, shutdown: impl Future<Output = ()>) -> Result<()> {
    let bridge = Bridge::start(config).await?;
    let closed = |cause| Error::new(ErrorKind::Internal, "standard output is closed").with_source(cause);
    bridge.announce().map_err(closed)?;
    tracing::info!(address = %bridge.address, "the bridge listens");
    bridge.run(shutdown).await
}

impl Bridge {
    /// Starts a bridge.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for a folder, an address or a bus that cannot be used;
    /// [`Conflict`](ErrorKind::Conflict) when another bridge has the store.
    pub async fn start(config: Config) -> Result<Self> {
        folder(&config.data)?;
        let (metrics, path) = (Arc::new(Metrics::default()), config.data.join(SqliteStore::FILE));
        let store = SqliteStore::open_metered(&path, Timestamp::now(), Arc::clone(&metrics))?;
        let store: Arc<dyn Store> = Arc::new(store);
        let vault = Vault::open(&config.data.join(Vault::FILE), store.any_secret().await?.as_ref());
        let vault = Arc::new(vault?);
        config.application.as_ref().map_or(Ok(()), Application::check)?;
        let sender = Sender::new(config.egress(), Arc::clone(&vault))?;
        let sender = sender.trusting(&config.roots)?;
        let sender = sender.application(config.application.clone()).metered(Arc::clone(&metrics));
        let listener = listen(config.listen).await?;
        let address = listener.local_addr().map_err(|cause| unreachable(config.listen, cause))?;
        let bus = transports::connect(config.bus.reveal()).await?;
        subscribe(&config, &bus, (&store, &metrics)).await?;
        // Last of all that may fail: what is stored here and never shown would be lost.
        let keys = first_keys(&*store).await?;

        let stop = (CancellationToken::new(), CancellationToken::new());
        let broken = CancellationToken::new();
        let dispatcher =
            Dispatcher::new(Arc::clone(&store), sender.clone()).bus(bus.clone()).run(stop.1.clone());
        let upkeep = upkeep::run(Arc::clone(&store), stop.1.clone()).map(Ok);
        let retention = (config.retention, Arc::clone(&metrics));
        let retention = retention::keep(Arc::clone(&store), retention, stop.1.clone()).map(Ok);
        let mut parts = vec![
            Part::start("dispatcher", &broken, dispatcher),
            Part::start("upkeep", &broken, upkeep),
            Part::start("retention", &broken, retention),
        ];
        let watched = parts.iter().map(|part| (part.name, part.task.abort_handle())).collect();
        let watch = Arc::new(Watch::new(Arc::clone(&store), bus.clone(), watched, config.unsent));
        parts.push(Part::start("watch", &broken, Arc::clone(&watch).run(stop.0.clone())));
        let (app_key, gstable) = (config.app_key.map(Arc::new), Arc::new(config.gstable));
        let ingress =
            Ingress::new(config.sources, (bus.clone(), Arc::clone(&store)))?.metered(Arc::clone(&metrics));
        let (ingress, owned, sender) = (Arc::new(ingress), Arc::clone(&store), Arc::new(sender));
        parts.push(Part::start("ingress", &broken, Arc::clone(&ingress).run(stop.1.clone()).map(Ok)));
        let dashboard = Arc::new(Dashboard::new(config.dashboard));
        let (streams, heard) = (Streams::new(stop.0.clone()), bus.clone());
        let routes = router(Parts {
            store: owned,
            sender,
            vault,
            app_key,
            gstable,
            watch,
            metrics,
            ingress,
            dashboard,
            bus: heard,
            streams,
        });
        let limits = Limits { stop: config.drain, ..Limits::default() };
        let api = Part::start("the API", &broken, server::serve(listener, routes, limits, stop.0.clone()));
        Ok(Self { address, keys, bus, store, drain: config.drain, stop, broken, api, parts })
    }

    /// Where the API listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The keys that were made because there were none, one for each mode.
    pub fn fresh_keys(&self) -> &[ApiKey] {
        &self.keys
    }

    /// Lines of shell, to be pasted where the command line is used; of the keys only the harmless one takes effect.
    fn announce(&self) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        if let [test, live] = &self.keys[..] {
            writeln!(
                out,
                "export WEBHOOK_BRIDGE_KEY={}  # API key for test events; shown once",
                test.reveal()
            )?;
            let warning = "API key for live events: whoever gets one takes it for money; shown once";
            writeln!(out, "# export WEBHOOK_BRIDGE_KEY={}  # {warning}", live.reveal())?;
        }
        if self.address != Config::default().listen {
            writeln!(out, "export WEBHOOK_BRIDGE_URL=http://{}", self.address)?;
        }
        writeln!(out, "webhook-bridge listens on http://{}", self.address)?;
        out.flush()
    }

    /// The bus whose events it delivers.
    pub fn bus(&self) -> &EventBus {
        &self.bus
    }

    /// Runs until `shutdown` is done, then stops.
    ///
    /// # Errors
    /// [`Internal`](ErrorKind::Internal) when a part of it ended by itself, and it stopped because of that.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<()> {
        let ended = tokio::select! {
            () = shutdown => Ok(()),
            () = self.broken.cancelled() => {
                Err(Error::new(ErrorKind::Internal, "a part of the bridge ended; the log says why"))
            }
        };
        tracing::info!("the bridge stops");
        self.stop().await;
        ended
    }

    /// Stops: takes nothing in any more, waits for what is under way, stores what became of it. What does not end in time
    /// is cut off, and comes again when a bridge has this store.
    pub async fn stop(self) {
        let deadline = Instant::now() + self.drain;
        let patience = || deadline.max(Instant::now() + GRACE);
        self.stop.0.cancel();
        self.api.end(patience()).await;
        let report = self.bus.shutdown(patience() - Instant::now()).await;
        if !report.is_complete() {
            tracing::warn!(?report, "the bus did not drain in time; what is left comes again");
        }
        self.stop.1.cancel();
        for part in self.parts {
            part.end(patience()).await;
        }
        self.store.close().await;
    }
}

/// Makes the folder where there is none, for its owner only: what is in it are people's payments.
fn folder(path: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|cause| Error::invalid(format!("{}: cannot be used", path.display())).with_source(cause))
}

/// Has the bus's events stored, or makes sure that others do.
async fn subscribe(
    config: &Config,
    bus: &EventBus,
    (store, metrics): (&Arc<dyn Store>, &Arc<Metrics>),
) -> Result<()> {
    if config.subscribe {
        return intake::subscribe(bus, &config.group, Arc::clone(store), Arc::clone(metrics)).await.map(drop);
    }
    if bus.capabilities().durability == Durability::Process {
        return Err(Error::invalid("subscribe: must be true on a bus that ends with the bridge"));
    }
    // What a bus has no group for is gone once it is confirmed.
    match bus.backlog(&config.group).await? {
        Some(_) => Ok(()),
        None => {
            let message =
                format!("the bus has no group {}: start the bridge that delivers first", config.group);
            Err(Error::new(ErrorKind::NotFound, message))
        }
    }
}

async fn first_keys(store: &dyn Store) -> Result<Vec<ApiKey>> {
    let keys = Mode::ALL.map(|mode| (ApiKey::generate(mode), mode));
    let digests = keys.iter().map(|(key, mode)| (key.digest(), *mode)).collect();
    match store.first_keys(digests, Timestamp::now()).await? {
        FirstKeys::Stored => Ok(keys.map(|(key, _)| key).into()),
        FirstKeys::Present => Ok(Vec::new()),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|cause| unreachable(address, cause))
}

fn unreachable(address: SocketAddr, cause: std::io::Error) -> Error {
    Error::invalid(format!("{address}: cannot listen there")).with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(folder: &tempfile::TempDir) -> Config {
        Config::new().data(folder.path()).listen("127.0.0.1:0".parse().unwrap())
    }

    #[tokio::test]
    async fn a_bridge_without_one_of_its_parts_stops_and_says_so() {
        for part in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let bridge = Bridge::start(config(&folder)).await.unwrap();
            // On this one thread, after which all of them have begun.
            tokio::task::yield_now().await;
            bridge.parts[part].task.abort();
            let ended = timeout_at(
                Instant::now() + Duration::from_secs(30),
                bridge.run(std::future::pending::<()>()),
            );
            assert_eq!(ended.await.unwrap().unwrap_err().kind(), ErrorKind::Internal, "{part}");
        }
    }

    #[tokio::test]
    async fn without_a_subscription_it_needs_a_bus_that_others_read() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Bridge::start(config(&folder).without_subscription()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Invalid);
    }

    #[tokio::test]
    async fn a_store_that_ended_ends_the_bridge() {
        let folder = tempfile::tempdir().unwrap();
        let bridge = Bridge::start(config(&folder)).await.unwrap();
        bridge.store.close().await;
        assert!(bridge.run(std::future::pending::<()>()).await.is_err());
    }

    #[tokio::test]
    async fn what_it_keeps_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let (folder, mode) = (tempfile::tempdir().unwrap(), |path: &Path| {
            std::fs::metadata(path).unwrap().permissions().mode() & 0o777
        });
        let data = folder.path().join("data").join("bridge");
        let bridge = Bridge::start(config(&folder).data(&data)).await.unwrap();
        for made in [data.parent().unwrap(), &data] {
            assert_eq!(mode(made), 0o700, "{}", made.display());
        }
        let files: Vec<_> = std::fs::read_dir(&data).unwrap().map(|file| file.unwrap().path()).collect();
        assert!(files.len() >= 5, "{files:?}");
        for file in files {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
        bridge.stop().await;
    }

    #[tokio::test]
    async fn a_start_that_fails_keeps_no_key_to_itself() {
        let folder = tempfile::tempdir().unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let config = config(&folder);
        assert!(Bridge::start(config.clone().listen(taken.local_addr().unwrap())).await.is_err());
        let bridge = Bridge::start(config).await.unwrap();
        assert_eq!(bridge.fresh_keys().len(), 2);
        bridge.stop().await;
    }
}
