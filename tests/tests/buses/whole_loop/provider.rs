//! A provider: signs as GStable does, with none of the bridge's code, and posts again what is not answered 2xx.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::hmac;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

/// How many webhooks it has for a round.
pub(super) const WEBHOOKS: usize = 240;
/// How many it posts at once: what a kill can make it post again.
pub(super) const AT_ONCE: usize = 6;
pub(super) const SECRET: &str = "wkk_of_the_whole_loop";
/// How long something that must happen is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

pub(super) struct Provider {
    posting: JoinSet<Vec<String>>,
    accepted: watch::Receiver<usize>,
}

impl Provider {
    /// Begins to post what it has for this round.
    pub(super) fn start(port: u16, round: usize) -> Self {
        let (count, accepted) = watch::channel(0);
        let (count, next) = (Arc::new(count), Arc::new(AtomicUsize::new(0)));
        let mut posting = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (count, next) = (Arc::clone(&count), Arc::clone(&next));
            posting.spawn(async move {
                let mut ids = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= WEBHOOKS {
                        return ids;
                    }
                    let id = format!("evt_{round}_{number}");
                    deliver(port, &id).await;
                    count.send_modify(|count| *count += 1);
                    ids.push(id);
                }
            });
        }
        Self { posting, accepted }
    }

    /// Waits until so many were answered 2xx.
    pub(super) async fn accepted(&mut self, count: usize) {
        let enough = self.accepted.wait_for(|accepted| *accepted >= count);
        timeout(PATIENCE, enough).await.expect("accepted in time").unwrap();
    }

    /// All of them, each answered 2xx.
    pub(super) async fn end(self) -> Vec<String> {
        let all = timeout(PATIENCE, self.posting.join_all()).await.expect("accepted in time");
        all.into_iter().flatten().collect()
    }
}

/// Posts a webhook until it is taken, as providers do: sooner than they.
async fn deliver(port: u16, id: &str) {
    let mut tries = interval(Duration::from_millis(100));
    loop {
        match post(port, id).await {
            Some(200..300) => return,
            // Nobody is there, or the bus is not.
            None | Some(503) => _ = tries.tick().await,
            Some(status) => panic!("{id} was answered {status}"),
        }
    }
}

/// The status that one request is answered with, if it is.
async fn post(port: u16, id: &str) -> Option<u16> {
    let body = format!(
        r#"{{"eventId":"{id}","eventType":"session.paid","businessType":"session","occurrence":"2026-01-04 08:10:35","isSubscribable":true,"payload":{{"sessionData":{{"sessionId":"sess_{id}","amount":12500000}},"transaction":null}}}}"#
    );
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, format!("{time}:{body}").as_bytes());
    let signature: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let request = format!(
        "POST /in/stable HTTP/1.1\r\nhost: bridge\r\nconnection: close\r\ncontent-type: application/json\r\n\
         x-gstable-timestamp: {time}\r\nx-gstable-signature: {signature}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}
