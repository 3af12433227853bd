//! The same by hand: a pooled client, one thread that commits what gathered, workers for each endpoint.
//!
//! It stores the same rows, syncs as often, signs the same bytes and has as many requests under way. It has no API and no
//! bus, no leases, no retries, no limits but these, and does not start again after a crash.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use eventbus::{AnyEvent, Timestamp};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ring::hmac;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use crate::load::{Contender, IN_FLIGHT, Load, SECRET};
use crate::twin_store::{Op, Outcome, Store};

/// As many events are on their way into the store at once as the bridge's intake has.
const TOGETHER: usize = 256;
const TIMEOUT: Duration = Duration::from_secs(15);

pub(crate) struct Twin {
    store: Store,
    publishing: Arc<Semaphore>,
    queues: Arc<[shared_queue::Queue]>,
    progress: Arc<Progress>,
}

/// One event owed to an endpoint.
struct Owed {
    event: AnyEvent,
    body: Bytes,
    sequence: i64,
}

/// How many outcomes are stored.
#[derive(Default)]
struct Progress {
    stored: std::sync::atomic::AtomicUsize,
    changed: Notify,
}

/// What all workers share.
struct Shared {
    client: Client<HttpConnector, Full<Bytes>>,
    key: hmac::Key,
    slots: Semaphore,
    ops: mpsc::Sender<Op>,
    progress: Arc<Progress>,
}

/// A queue with several takers.
mod shared_queue {
    use tokio::sync::{Mutex, mpsc};

    use super::Owed;

    pub(super) struct Queue {
        pub(super) give: mpsc::UnboundedSender<Owed>,
        take: Mutex<mpsc::UnboundedReceiver<Owed>>,
    }

    impl Queue {
        pub(super) fn new() -> Self {
            let (give, take) = mpsc::unbounded_channel();
            Self { give, take: Mutex::new(take) }
        }

        pub(super) async fn next(&self) -> Option<Owed> {
            self.take.lock().await.recv().await
        }
    }
}

impl Contender for Twin {
    async fn start(urls: Vec<String>, load: &Load) -> Self {
        let store = Store::open(load.endpoints);
        let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).expect("base64");
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let progress = Arc::<Progress>::default();
        let shared = Arc::new(Shared {
            client: Client::builder(TokioExecutor::new()).build(connector),
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            slots: Semaphore::new(IN_FLIGHT),
            ops: store.ops.clone(),
            progress: Arc::clone(&progress),
        });
        let queues: Arc<[_]> = (0..load.endpoints).map(|_| shared_queue::Queue::new()).collect();
        for (number, url) in urls.into_iter().enumerate() {
            for _ in 0..load.most() {
                let (shared, queues) = (Arc::clone(&shared), Arc::clone(&queues));
                let url: http::Uri = url.parse().expect("a URL");
                tokio::spawn(async move {
                    while let Some(owed) = queues[number].next().await {
                        shared.deliver(number, &url, owed).await;
                    }
                });
            }
        }
        Self { store, publishing: Arc::new(Semaphore::new(TOGETHER)), queues, progress }
    }

    async fn publish(&self, load: &Load) {
        load.each(async |event| {
            let permit = Arc::clone(&self.publishing).acquire_owned().await.expect("it is never closed");
            let (ops, queues) = (self.store.ops.clone(), Arc::clone(&self.queues));
            tokio::spawn(async move {
                let body = event.to_json().expect("it was JSON");
                let (reply, stored) = oneshot::channel();
                let op = Op::Event { event: event.clone(), body: body.clone(), reply };
                ops.send(op).await.expect("the writer lives");
                for (queue, sequence) in queues.iter().zip(stored.await.expect("it is stored")) {
                    // The workers are gone when the run has ended.
                    let _ = queue.give.send(Owed { event: event.clone(), body: body.clone(), sequence });
                }
                drop(permit);
            });
        })
        .await;
    }

    async fn settled(&self, events: usize) {
        let all = events * self.queues.len();
        while self.progress.stored.load(std::sync::atomic::Ordering::SeqCst) < all {
            self.progress.changed.notified().await;
        }
    }

    async fn stored(&self, _: usize) {
        let all = u32::try_from(TOGETHER).expect("a small number");
        drop(self.publishing.acquire_many(all).await);
    }

    fn rows(&self) -> (usize, usize) {
        self.store.rows()
    }

    async fn stop(self) {
        self.store.stop().await;
    }
}

impl Shared {
    async fn deliver(&self, endpoint: usize, url: &http::Uri, owed: Owed) {
        let permit = self.slots.acquire().await.expect("it is never closed");
        let (started_at, began) = (Timestamp::now(), std::time::Instant::now());
        let answer = timeout(TIMEOUT, self.client.request(self.request(url, &owed, started_at)));
        let answer = answer.await.expect("in time").expect("an answer");
        let status = answer.status();
        timeout(TIMEOUT, answer.into_body().collect()).await.expect("in time").expect("a body");
        assert_eq!(status, StatusCode::OK);
        let (reply, stored) = oneshot::channel();
        let outcome = Outcome {
            endpoint,
            sequence: owed.sequence,
            started_at,
            took: began.elapsed(),
            status: status.as_u16(),
        };
        self.ops.send(Op::Outcome(outcome, reply)).await.expect("the writer lives");
        stored.await.expect("it is stored");
        drop(permit);
        self.progress.stored.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        self.progress.changed.notify_one();
    }

    fn request(&self, url: &http::Uri, owed: &Owed, now: Timestamp) -> Request<Full<Bytes>> {
        let (id, timestamp) = (owed.event.id().as_str(), (now.as_millis() / 1000).to_string());
        let mut context = hmac::Context::with_key(&self.key);
        for part in [id, ".", &timestamp, "."] {
            context.update(part.as_bytes());
        }
        context.update(&owed.body);
        let request = Request::post(url.clone())
            .header("content-type", "application/json")
            .header("user-agent", "by-hand/1.0")
            .header("accept-encoding", "identity")
            .header("webhook-attempt", 1)
            .header("webhook-sequence", owed.sequence)
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", format!("v1,{}", STANDARD.encode(context.sign())));
        request.body(Full::new(owed.body.clone())).expect("legal headers")
    }
}
