//! A desk over a real store, when the clock jumps or the store is in trouble.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use eventbus::{AnyEvent, Timestamp};
use rusqlite::Connection;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::claim::sweep_up;
use super::desk::Desk;
use super::*;
use crate::model::{
    DeliveryKey, DeliveryState, EnabledEvents, EndpointKey, EndpointUrl, Mode, NewEndpoint, Sealed, Secret,
};
use crate::store::{Front, SqliteStore, Store};
use crate::vault::Vault;

const SOON: Duration = Duration::from_secs(30);

struct Case {
    desk: Arc<Desk>,
    peer: TcpListener,
    delivery: DeliveryKey,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Case {
    /// A desk that sends what is stored to a peer.
    async fn start() -> Self {
        let (folder, peer) = (tempfile::tempdir().unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let vault = Arc::new(Vault::new(&[1; 32]).unwrap());
        let path = folder.path().join("s.sqlite");
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&path, Timestamp::now()).unwrap());
        let secret = vault.seal(&Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")).unwrap();
        let id = store.create_endpoint(endpoint(peer.local_addr().unwrap(), secret), Timestamp::now()).await;
        let standing = store.standing(Mode::Test, id.unwrap().id).await.unwrap().unwrap();
        let sender = Sender::new(vec!["127.0.0.1/32".parse().unwrap()], vault).unwrap();
        let desk = Desk::new(store, sender, None);
        let front: Weak<Desk> = Arc::downgrade(&desk);
        desk.store.attach(front as Weak<dyn Front>);
        let delivery = DeliveryKey { endpoint: EndpointKey(standing.key.0), sequence: 1 };
        Self { desk, peer, delivery, path, _folder: folder }
    }

    async fn publish(&self) {
        let event = r#"{"id":"evt_1","livemode":false,"type":"a.b","source":"s","data":{},"created_at":"2026-01-01T00:00:00Z"}"#;
        self.desk.store.ingest(AnyEvent::from_json(event).unwrap()).await.unwrap();
    }

    /// The next request, which waits for its answer.
    async fn request(&self) -> TcpStream {
        let (mut stream, _) = timeout(SOON, self.peer.accept()).await.expect("a request in time").unwrap();
        assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
        stream
    }

    async fn state(&self) -> Option<DeliveryState> {
        self.desk.store.state(self.delivery).await.unwrap()
    }

    /// Somebody else at the file, who may do what no bridge does.
    fn outside(&self, sql: &str) {
        Connection::open(&self.path).unwrap().execute_batch(sql).unwrap();
    }

    /// Waits for the request under way, and what is stored of it.
    async fn close(&self) {
        timeout(SOON, self.desk.close()).await.expect("all that is under way ends in time");
    }
}

fn endpoint(peer: SocketAddr, secret: Sealed) -> NewEndpoint {
    let url = EndpointUrl::parse(&format!("http://{peer}/")).unwrap();
    let events = EnabledEvents::parse(vec!["*".to_owned()]).unwrap();
    NewEndpoint::new(Mode::Test, url, events, ("standard", secret))
}

async fn answer(mut stream: TcpStream) {
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
}

#[tokio::test]
async fn what_is_under_way_is_lost_to_no_clock() {
    let case = Case::start().await;
    case.publish().await;
    let request = case.request().await;
    case.outside("UPDATE delivery SET lease_until = 1");
    sweep_up(&case.desk).await;
    assert_eq!(case.state().await, Some(DeliveryState::Leased), "its request is under way");
    answer(request).await;
    case.close().await;
    assert_eq!(case.state().await, Some(DeliveryState::Succeeded));
    assert!(case.desk.under_way().is_empty(), "and then it is forgotten");

    // As a task leaves it that ended without a word.
    case.outside(
        "UPDATE delivery SET state = 1, attempts = 2, lease = 1, lease_until = 1, finished_at = NULL",
    );
    sweep_up(&case.desk).await;
    assert_eq!(case.state().await, Some(DeliveryState::Pending));
}

#[tokio::test]
async fn what_was_delivered_while_the_store_was_in_trouble_is_stored_after_it() {
    let case = Case::start().await;
    let until = Timestamp::now().plus(Duration::from_millis(800));
    case.outside(&format!(
        "CREATE TRIGGER trouble BEFORE UPDATE OF first_at ON delivery WHEN unixepoch('now', 'subsec') * 1000 < {}
         BEGIN SELECT RAISE(ABORT, 'trouble'); END",
        until.as_millis()
    ));
    case.publish().await;
    answer(case.request().await).await;
    case.close().await;
    assert_eq!(case.state().await, Some(DeliveryState::Succeeded));
    assert!(Timestamp::now() >= until, "not while there was trouble");
}
