//! What the proxy does to connections.

use std::io;
use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use eventbus::conformance::{Proxy, Redis, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::PATIENCE;

/// How long nothing has to come to be sure that nothing does.
const SILENCE: Duration = Duration::from_millis(200);

/// A server that says what it hears.
async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
                let _ = to.shutdown().await;
            });
        }
    });
    port
}

struct Client(TcpStream);

impl Client {
    async fn new(proxy: &Proxy) -> Self {
        Self(TcpStream::connect(("127.0.0.1", proxy.port())).await.expect("the proxy accepts"))
    }

    async fn say(&mut self, words: &str) -> io::Result<()> {
        self.0.write_all(words.as_bytes()).await
    }

    async fn hear(&mut self, length: usize) -> io::Result<String> {
        let mut heard = vec![0; length];
        let read = timeout(PATIENCE, self.0.read_exact(&mut heard)).await;
        read.expect("something is heard in time")?;
        Ok(String::from_utf8(heard).expect("what was said was text"))
    }

    async fn exchange(&mut self, words: &str) -> io::Result<String> {
        self.say(words).await?;
        self.hear(words.len()).await
    }

    async fn hears_nothing(&mut self) {
        let heard = timeout(SILENCE, self.0.read_u8()).await;
        assert!(heard.is_err(), "{heard:?} was heard");
    }

    async fn is_reset(&mut self) -> bool {
        let ended = timeout(PATIENCE, self.0.read_u8()).await.expect("it ends in time");
        ended.expect_err("it is over").kind() == io::ErrorKind::ConnectionReset
    }
}

#[tokio::test]
async fn bytes_and_ends_pass_both_ways() {
    let proxy = Proxy::start(echo().await).unwrap();
    let mut client = Client::new(&proxy).await;
    assert_eq!(client.exchange("hello").await.unwrap(), "hello");
    let much = "0123456789".repeat(100_000);
    let (mut from, mut to) = client.0.split();
    let mut heard = String::new();
    let (said, _) = tokio::join!(
        async {
            to.write_all(much.as_bytes()).await?;
            to.shutdown().await
        },
        async { from.read_to_string(&mut heard).await.unwrap() },
    );
    said.unwrap();
    assert!(heard == much, "what was heard is what was said");
}

#[tokio::test]
async fn a_cut_resets_what_is_open_and_nothing_else() {
    let proxy = Proxy::start(echo().await).unwrap();
    let mut clients = [Client::new(&proxy).await, Client::new(&proxy).await];
    for client in &mut clients {
        client.exchange("hello").await.unwrap();
    }
    proxy.cut().await;
    for client in &mut clients {
        assert!(client.is_reset().await);
    }
    assert_eq!(Client::new(&proxy).await.exchange("again").await.unwrap(), "again");
}

#[tokio::test]
async fn half_open_connections_look_open_and_lose_everything() {
    let proxy = Proxy::start(echo().await).unwrap();
    let (mut old, mut idle) = (Client::new(&proxy).await, Client::new(&proxy).await);
    for client in [&mut old, &mut idle] {
        client.exchange("hello").await.unwrap();
    }
    proxy.half_open();
    let mut new = Client::new(&proxy).await;
    for client in [&mut old, &mut new] {
        client.say("lost").await.unwrap();
        client.hears_nothing().await;
    }
    proxy.forward();
    assert!(old.is_reset().await && new.is_reset().await);
    assert_eq!(idle.exchange("still here").await.unwrap(), "still here");
    assert_eq!(Client::new(&proxy).await.exchange("again").await.unwrap(), "again");
}

#[tokio::test]
async fn a_stall_delays_and_loses_nothing() {
    let proxy = Proxy::start(echo().await).unwrap();
    let mut old = Client::new(&proxy).await;
    old.exchange("hello").await.unwrap();
    proxy.stall();
    let mut new = Client::new(&proxy).await;
    for client in [&mut old, &mut new] {
        client.say("later").await.unwrap();
        client.hears_nothing().await;
    }
    proxy.forward();
    for client in [&mut old, &mut new] {
        assert_eq!(client.hear(5).await.unwrap(), "later");
    }
}

#[tokio::test]
async fn a_throttle_counts_both_directions() {
    let proxy = Proxy::start(echo().await).unwrap();
    let mut client = Client::new(&proxy).await;
    client.exchange("hello").await.unwrap();
    proxy.throttle(NonZeroU64::new(40_000).unwrap());
    let since = Instant::now();
    client.exchange(&"x".repeat(10_000)).await.unwrap();
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(450), "20,000 bytes took {took:?}");
    proxy.throttle(NonZeroU64::MIN);
    client.say("slowly").await.unwrap();
    client.hears_nothing().await;
    proxy.forward();
    assert_eq!(client.hear(6).await.unwrap(), "slowly");
}

#[tokio::test]
async fn a_dead_server_is_as_dead_behind_the_proxy() {
    let server = Server::start(Redis::new()).await.unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let mut client = Client::new(&proxy).await;
    client.say("SET k v\r\nGET k\r\n").await.unwrap();
    assert_eq!(client.hear(12).await.unwrap(), "+OK\r\n$1\r\nv\r\n");
    server.kill();
    timeout(PATIENCE, client.0.read_u8()).await.expect("it ends").unwrap_err();
    // Whether the end comes while it still connects is a matter of luck.
    if let Ok(mut refused) = TcpStream::connect(("127.0.0.1", proxy.port())).await {
        timeout(PATIENCE, refused.read_u8()).await.expect("it ends").unwrap_err();
    }
    server.restart().await.unwrap();
    let mut client = Client::new(&proxy).await;
    client.say("PING\r\n").await.unwrap();
    assert_eq!(client.hear(7).await.unwrap(), "+PONG\r\n");
}

#[tokio::test]
async fn nothing_is_left_of_a_proxy() {
    let proxy = Proxy::start(echo().await).unwrap();
    let mut client = Client::new(&proxy).await;
    client.exchange("hello").await.unwrap();
    let port = proxy.port();
    drop(proxy);
    assert!(client.0.read_u8().await.is_err());
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err());
}
