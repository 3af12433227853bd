//! A receiver of webhooks on loopback; the test sees each request and says how it is answered.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::StatusCode;
use ring::hmac;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use webhook_bridge::dispatcher::egress::Allowed;

/// Status, headers and body.
type Answer = (StatusCode, HeaderMap, Bytes);

pub(crate) struct Receiver {
    address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Request>,
}

/// A request that waits for its answer; dropped without one, it is answered 500.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    answer: Mutex<Option<oneshot::Sender<Answer>>>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, requests) = mpsc::unbounded_channel();
        tokio::spawn(axum::serve(listener, Router::new().fallback(receive).with_state(tell)).into_future());
        Self { address, requests }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hooks?of=shop", self.address)
    }

    pub(crate) fn target_text(&self) -> String {
        format!("127.0.0.1/32:{}", self.address.port())
    }

    pub(crate) fn target(&self) -> Allowed {
        self.target_text().parse().unwrap()
    }

    pub(crate) async fn next(&mut self) -> Request {
        let next = tokio::time::timeout(Duration::from_secs(30), self.requests.recv()).await;
        next.expect("a request within 30 s").unwrap()
    }

    /// The next request, however long it takes.
    pub(crate) async fn wait(&mut self) -> Request {
        self.requests.recv().await.unwrap()
    }

    pub(crate) fn is_empty(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }
}

async fn receive(
    State(tell): State<mpsc::UnboundedSender<Request>>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let (answer, answered) = oneshot::channel();
    let _ = tell.send(Request { headers, body, answer: Mutex::new(Some(answer)) });
    answered.await.unwrap_or((StatusCode::INTERNAL_SERVER_ERROR, HeaderMap::new(), Bytes::new()))
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(crate) fn answer(&self, status: StatusCode) {
        self.answer_with(status, HeaderMap::new());
    }

    pub(crate) fn answer_with(&self, status: StatusCode, headers: HeaderMap) {
        self.answer_body(status, headers, "");
    }

    pub(crate) fn answer_body(&self, status: StatusCode, headers: HeaderMap, body: &'static str) {
        // Whoever asked may have been killed meanwhile.
        let _ = self.answer.lock().unwrap().take().unwrap().send((status, headers, body.into()));
    }
}

/// Verifies as a receiver would, by the specification of Standard Webhooks and with none of the bridge's code.
pub(crate) fn verify(request: &Request, secret: &str) {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signed = [
        request.header("webhook-id").as_bytes(),
        b".",
        request.header("webhook-timestamp").as_bytes(),
        b".",
        &request.body,
    ]
    .concat();
    let signature = request.header("webhook-signature").strip_prefix("v1,").unwrap();
    let signature = STANDARD.decode(signature).unwrap();
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, &key), &signed, &signature)
        .expect("the signature is right");
}
