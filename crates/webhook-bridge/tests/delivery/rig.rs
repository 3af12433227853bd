//! A dispatcher over a real store, without API and bus: for what has no route, and for many endpoints.

use std::sync::Arc;
use std::time::Duration;

use eventbus::{AnyEvent, Key, Timestamp};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use webhook_bridge::Result;
use webhook_bridge::dispatcher::{Dispatcher, Sender};
use webhook_bridge::model::{
    EnabledEvents, EndpointId, EndpointUrl, Mode, NewEndpoint, Schedule, Sealed, Secret, Standing,
};
use webhook_bridge::store::{SqliteStore, Store};
use webhook_bridge::vault::Vault;

use crate::EVENT;

pub(crate) struct Rig {
    pub(crate) store: Arc<dyn Store>,
    vault: Arc<Vault>,
    stop: CancellationToken,
    dispatcher: JoinHandle<Result<()>>,
    _folder: tempfile::TempDir,
}

impl Rig {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vault = Arc::new(Vault::open(&folder.path().join("secret.key"), None).unwrap());
        let store = SqliteStore::open(&folder.path().join("bridge.sqlite"), Timestamp::now()).unwrap();
        let store: Arc<dyn Store> = Arc::new(store);
        let allowed = vec!["127.0.0.1/32".parse().unwrap()];
        let sender = Sender::new(allowed, Arc::clone(&vault)).unwrap();
        let stop = CancellationToken::new();
        let dispatcher = tokio::spawn(Dispatcher::new(Arc::clone(&store), sender).run(stop.clone()));
        Self { store, vault, stop, dispatcher, _folder: folder }
    }

    /// An endpoint with retries after a second, and this long for a request.
    pub(crate) async fn endpoint(&self, url: &str, events: &str, timeout: Duration) -> EndpointId {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let secret = self.vault.seal(&secret).unwrap();
        self.create(NewEndpoint { timeout, ..new(url, events, secret) }).await
    }

    /// An endpoint with whatever for a secret.
    pub(crate) async fn endpoint_with(&self, url: &str, events: &str, secret: Sealed) -> EndpointId {
        self.create(new(url, events, secret)).await
    }

    async fn create(&self, new: NewEndpoint) -> EndpointId {
        self.store.create_endpoint(new, Timestamp::now()).await.unwrap().id
    }

    pub(crate) async fn standing(&self, id: &EndpointId) -> Standing {
        self.store.standing(Mode::Test, id.clone()).await.unwrap().unwrap()
    }

    pub(crate) async fn publish(&self, id: &str, event_type: &str, key: Option<&str>) {
        let json = EVENT.replace("evt_1", id).replace("checkout.session.completed", event_type);
        let event = AnyEvent::from_json(json).unwrap();
        let key = key.map(|key| Key::new(key.to_owned()).unwrap());
        self.store.ingest(event.with_envelope(|envelope| envelope.key = key)).await.unwrap();
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.dispatcher.await.unwrap().unwrap();
        self.store.close().await;
    }
}

fn new(url: &str, events: &str, secret: Sealed) -> NewEndpoint {
    let (url, events) =
        (EndpointUrl::parse(url).unwrap(), EnabledEvents::parse(vec![events.to_owned()]).unwrap());
    NewEndpoint {
        schedule: Schedule::from_seconds(&[1; 30]).unwrap(),
        timeout: Duration::from_secs(5),
        ..NewEndpoint::new(Mode::Test, url, events, ("standard", secret))
    }
}
