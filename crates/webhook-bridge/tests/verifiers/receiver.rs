//! A receiver on loopback that accepts everything and keeps it as it came.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    requests: mpsc::UnboundedReceiver<Request>,
}

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (tell, requests) = mpsc::unbounded_channel();
        tokio::spawn(axum::serve(listener, Router::new().fallback(keep).with_state(tell)).into_future());
        Self { address, requests }
    }

    pub(crate) async fn next(&mut self) -> Request {
        let next = tokio::time::timeout(Duration::from_secs(30), self.requests.recv()).await;
        next.expect("a request within 30 s").unwrap()
    }
}

async fn keep(State(tell): State<mpsc::UnboundedSender<Request>>, headers: HeaderMap, body: String) {
    let text = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    tell.send(Request { headers: headers.iter().map(text).collect(), body }).unwrap();
}
