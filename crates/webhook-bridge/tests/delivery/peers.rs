//! Peers that misbehave: each attempt is one request, ends in time, and costs little.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use webhook_bridge::{Bridge, Config};

use crate::EVENT;
use crate::caller::Caller;

/// A peer below HTTP: it sees each connection and writes what it likes.
pub(crate) struct Peer {
    listener: TcpListener,
    pub(crate) address: SocketAddr,
}

impl Peer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    /// The next connection.
    pub(crate) async fn accept(&self) -> TcpStream {
        let accepted = tokio::time::timeout(Duration::from_secs(30), self.listener.accept()).await;
        accepted.expect("a connection within 30 s").unwrap().0
    }

    /// The next connection, with the head and body of its first request.
    async fn next(&self) -> (TcpStream, String) {
        let (mut stream, mut text) = (self.accept().await, Vec::new());
        while !text.ends_with(EVENT.as_bytes()) {
            assert_ne!(stream.read_buf(&mut text).await.unwrap(), 0, "a whole request");
        }
        (stream, String::from_utf8(text).unwrap())
    }
}

fn attempt(request: &str) -> &str {
    let line = request.lines().find(|line| line.starts_with("webhook-attempt: ")).unwrap();
    &line["webhook-attempt: ".len()..]
}

/// A bridge that owes the event to the peer, with a request's deadline of 2 s and retries after 1 s.
async fn owing(folder: &tempfile::TempDir, peer: &Peer) -> Bridge {
    let target = format!("127.0.0.1/32:{}", peer.address.port()).parse().unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let config = Config::new().data(folder.path()).listen(listen).allow_targets(vec![target]);
    let bridge = Bridge::start(config).await.unwrap();
    let caller = Caller::new(bridge.address(), bridge.fresh_keys()[0].reveal().to_owned());
    let url = format!("http://{}/", peer.address);
    let wish = json!({ "url": url, "enabled_events": ["*"], "schedule": [1, 1, 1], "timeout_seconds": 2 });
    caller.post("/v1/endpoints", wish.to_string()).await;
    caller.post("/v1/events", EVENT.to_owned()).await;
    bridge
}

/// What the peer does with the first request; the second attempt shows that the first one failed, and after how long.
async fn fails(answer: &[u8]) -> Duration {
    let (folder, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    let bridge = owing(&folder, &peer).await;
    let (mut stream, first) = peer.next().await;
    let began = Instant::now();
    stream.write_all(answer).await.unwrap();
    drop(stream);
    let (mut stream, second) = peer.next().await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    assert_eq!((attempt(&first), attempt(&second)), ("1", "2"), "one request for each attempt");
    bridge.stop().await;
    began.elapsed()
}

#[tokio::test]
async fn a_request_that_was_read_is_not_sent_again_within_its_attempt() {
    assert!(fails(b"").await >= Duration::from_secs(1), "the next one waits for the schedule");
}

#[tokio::test]
async fn one_that_has_enough_waits_for_the_schedule_where_it_names_no_time() {
    let answer = b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    assert!(fails(answer).await >= Duration::from_secs(1));
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    fails(b"HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
}

#[tokio::test]
async fn a_head_without_end_is_a_failure() {
    let line = format!("x: {}\r\n", "y".repeat(1000));
    let (folder, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    let bridge = owing(&folder, &peer).await;
    let (mut stream, _) = peer.next().await;
    stream.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
    while stream.write_all(line.as_bytes()).await.is_ok() {}
    let (mut stream, second) = peer.next().await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    assert_eq!(attempt(&second), "2");
    bridge.stop().await;
}

#[tokio::test]
async fn a_peer_that_never_answers_is_left_at_the_deadline() {
    let (folder, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    let bridge = owing(&folder, &peer).await;
    let (_silent, _) = peer.next().await;
    let (mut stream, second) = peer.next().await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    assert_eq!(attempt(&second), "2");
    bridge.stop().await;
}

/// The head decides: 2xx is a success, whatever becomes of the body, and the bridge hangs up.
async fn succeeds(misbehave: impl AsyncFnOnce(&mut TcpStream)) {
    let (folder, peer) = (tempfile::tempdir().unwrap(), Peer::start().await);
    let bridge = owing(&folder, &peer).await;
    let (mut stream, _) = peer.next().await;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 400000000\r\n\r\n").await.unwrap();
    tokio::time::timeout(Duration::from_secs(10), misbehave(&mut stream)).await.expect("the bridge hangs up");
    bridge.stop().await;
    let late = tokio::time::timeout(Duration::ZERO, peer.listener.accept()).await;
    assert!(late.is_err(), "delivered by its first attempt");
}

#[tokio::test]
async fn a_body_that_stands_still_is_left_at_the_deadline_and_the_delivery_is_a_success() {
    succeeds(async |stream: &mut TcpStream| {
        stream.write_all(b"x").await.unwrap();
        assert!(matches!(stream.read(&mut [0]).await, Ok(0) | Err(_)));
    })
    .await;
}

#[tokio::test]
async fn a_body_that_drips_is_left_at_the_deadline_and_the_delivery_is_a_success() {
    succeeds(async |stream: &mut TcpStream| {
        let mut drops = tokio::time::interval(Duration::from_millis(50));
        while stream.write_all(b"x").await.is_ok() {
            drops.tick().await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_without_end_is_left_at_a_limit_and_the_delivery_is_a_success() {
    succeeds(async |stream: &mut TcpStream| while stream.write_all(&[b'x'; 65536]).await.is_ok() {}).await;
}
