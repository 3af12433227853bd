//! What providers send: signed before, written as it is, its answer read no further than it must be.

use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// The key of the source.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// For each connection, its requests.
pub(crate) struct Requests(Vec<Vec<Vec<u8>>>);

impl Requests {
    pub(crate) fn sign(count: usize, connections: usize) -> Self {
        let key = STANDARD.decode(KEY).expect("it is base64");
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right").as_secs();
        let mut shares = vec![Vec::new(); connections];
        for number in 0..count {
            shares[number % connections].push(request(&key, now, number));
        }
        Self(shares)
    }

    /// Sends all, a request at a time on each connection.
    pub(crate) async fn send(self, address: SocketAddr) -> Duration {
        let mut streams = Vec::new();
        for _ in &self.0 {
            let stream = TcpStream::connect(address).await.expect("it listens");
            stream.set_nodelay(true).expect("it is a socket");
            streams.push(stream);
        }
        let (start, mut tasks) = (Instant::now(), JoinSet::new());
        for (stream, share) in streams.into_iter().zip(self.0) {
            tasks.spawn(converse(stream, share));
        }
        tasks.join_all().await;
        start.elapsed()
    }
}

fn request(key: &hmac::Key, now: u64, number: usize) -> Vec<u8> {
    // Anywhere among the others, as ids of providers are.
    let spread = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let id = format!("msg_{spread:016x}{now}");
    let body = format!(
        r#"{{"type":"invoice.paid","timestamp":"2026-01-04T08:10:35Z","data":{{"id":"in_{spread:016x}","amount_paid":"12.50","currency":"EUR","customer":{{"id":"cus_1","name":"Ada","email":"ada@shop.example"}},"lines":[{{"price":"price_1","quantity":1}},{{"price":"price_2","quantity":3}}],"metadata":{{"order":"{number}","note":"{}"}}}}}}"#,
        "x".repeat(300)
    );
    let signature = STANDARD.encode(hmac::sign(key, format!("{id}.{now}.{body}").as_bytes()));
    format!(
        "POST /in/shop HTTP/1.1\r\nhost: bridge\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\
         webhook-id: {id}\r\nwebhook-timestamp: {now}\r\nwebhook-signature: v1,{signature}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

async fn converse(mut stream: TcpStream, requests: Vec<Vec<u8>>) {
    let mut answer = [0; 4096];
    for request in requests {
        stream.write_all(&request).await.expect("it is taken");
        let mut read = 0;
        // No answer here has a body.
        while !answer[..read].ends_with(b"\r\n\r\n") {
            let more = stream.read(&mut answer[read..]).await.expect("it is answered");
            assert!(more > 0, "{}", String::from_utf8_lossy(&answer[..read]));
            read += more;
        }
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..read]));
    }
}
