//! A bridge with one endpoint, and calls of its API.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};
use webhook_bridge::{Bridge, Config};

use crate::receiver::Receiver;

/// How long something that must happen is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Rig {
    pub(crate) bridge: Bridge,
    pub(crate) receiver: Receiver,
    pub(crate) folder: tempfile::TempDir,
}

impl Rig {
    /// A bridge on this bus.
    pub(crate) async fn start(bus: &str) -> Self {
        let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
        let target = format!("127.0.0.1/32:{}", receiver.address.port()).parse().unwrap();
        let config = Config::new().bus(bus).data(folder.path()).allow_targets(vec![target]);
        let bridge = Bridge::start(config.listen("127.0.0.1:0".parse().unwrap())).await.unwrap();
        let body = format!(r#"{{"url":"http://{}/","enabled_events":["customer.#"]}}"#, receiver.address);
        let key = bridge.fresh_keys()[0].reveal();
        let head = format!(
            "POST /v1/endpoints HTTP/1.1\r\nauthorization: Bearer {key}\r\ncontent-length: {}",
            body.len()
        );
        assert_eq!(call(bridge.address(), &head, &body).await, 201);
        Self { bridge, receiver, folder }
    }

    /// The status of `/health/ready`.
    pub(crate) async fn ready(&self) -> u16 {
        call(self.bridge.address(), "GET /health/ready HTTP/1.1", "").await
    }
}

/// The status of an answer.
async fn call(address: SocketAddr, head: &str, body: &str) -> u16 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("{head}\r\nhost: bridge\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let mut looks = interval(Duration::from_millis(20));
    let found = async {
        while !so().await {
            looks.tick().await;
        }
    };
    timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("{what}: within a minute"));
}
