//! The bridge: from its bus to its endpoints, put together as the program does it.

use std::sync::Arc;
use std::time::Duration;

use eventbus::{EventBus, Timestamp};
use rusqlite::Connection;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use webhook_bridge::dispatcher::{Dispatcher, Sender};
use webhook_bridge::model::{EnabledEvents, EndpointUrl, Mode, NewEndpoint, Secret};
use webhook_bridge::store::{SqliteStore, Store};
use webhook_bridge::vault::Vault;
use webhook_bridge::{Result, intake};

use crate::fill;
use crate::load::{Contender, Load, SECRET};

pub(crate) struct Ours {
    bus: EventBus,
    store: Arc<dyn Store>,
    stop: CancellationToken,
    /// None where nothing is sent.
    dispatcher: Option<JoinHandle<Result<()>>>,
    /// How many events there were before.
    before: usize,
    folder: tempfile::TempDir,
}

impl Ours {
    /// Waits as long as a query is true.
    async fn wait(&self, sql: &str, value: usize) {
        let looking = self.look();
        let mut ticks = tokio::time::interval(Duration::from_millis(10));
        let mut open = true;
        while open {
            ticks.tick().await;
            let mut statement = looking.prepare_cached(sql).expect("the tables are known");
            open = statement.query_row([value], |row| row.get(0)).expect("it can be read");
        }
    }

    fn look(&self) -> Connection {
        Connection::open(self.folder.path().join("bridge.sqlite")).expect("the store is there")
    }
}

impl Contender for Ours {
    async fn start(urls: Vec<String>, load: &Load) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("bridge.sqlite");
        let open = || SqliteStore::open(&path, Timestamp::now()).expect("nobody else has it");
        let store = open();
        let vault = Arc::new(Vault::new(&[7; 32]).expect("32 bytes"));
        let sends = !urls.is_empty();
        let nowhere = || (0..load.endpoints).map(|number| format!("http://127.0.0.1:9/{number}")).collect();
        for url in if sends { urls } else { nowhere() } {
            let secret = vault.seal(&Secret::new(SECRET)).expect("there is randomness");
            let events = EnabledEvents::parse(vec!["*".into()]).expect("a pattern");
            let url = EndpointUrl::parse(&url).expect("a URL");
            let new = NewEndpoint::new(Mode::Live, url, events, ("standard", secret));
            let new = NewEndpoint { max_in_flight: load.most(), ..new };
            store.create_endpoint(new, Timestamp::now()).await.expect("it is stored");
        }
        store.close().await;
        drop(store);
        fill::delivered(folder.path(), load.stored, 1);
        let store: Arc<dyn Store> = Arc::new(open());
        let allowed = vec!["127.0.0.1/32".parse().expect("a network")];
        let sender = Sender::new(allowed, vault).expect("TLS is there");
        let stop = CancellationToken::new();
        let dispatcher = Dispatcher::new(Arc::clone(&store), sender).run(stop.clone());
        let dispatcher = sends.then(|| tokio::spawn(dispatcher));
        let bus = EventBus::connect("local:").await.expect("it is in this process");
        intake::subscribe(&bus, "bench", Arc::clone(&store), Arc::default())
            .await
            .expect("it is in this process");
        Self { bus, store, stop, dispatcher, before: load.stored, folder }
    }

    async fn publish(&self, load: &Load) {
        load.each(async |event| drop(self.bus.publish(event).await.expect("it is taken"))).await;
    }

    async fn settled(&self, events: usize) {
        self.stored(events).await;
        self.wait(
            "SELECT EXISTS (SELECT 1 FROM delivery INDEXED BY delivery_due WHERE state = 0)
             OR EXISTS (SELECT 1 FROM delivery INDEXED BY delivery_lease WHERE state = 1) OR ?1 < 0",
            events,
        )
        .await;
    }

    async fn stored(&self, events: usize) {
        self.wait("SELECT coalesce(max(no), 0) < ?1 FROM event", events + self.before).await;
    }

    fn rows(&self) -> (usize, usize) {
        let count = |sql| self.look().query_row(sql, [], |row| row.get(0)).expect("it can be read");
        (
            count("SELECT count(*) FROM delivery WHERE state = 2"),
            count(
                "SELECT (SELECT count(*) FROM delivery WHERE first_at IS NOT NULL) + (SELECT count(*) FROM attempt)",
            ),
        )
    }

    async fn stop(self) {
        self.bus.shutdown(Duration::from_secs(10)).await;
        self.stop.cancel();
        if let Some(dispatcher) = self.dispatcher {
            dispatcher.await.expect("it does not panic").expect("it ends well");
        }
        self.store.close().await;
    }
}
