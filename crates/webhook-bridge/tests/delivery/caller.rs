//! Calls of the API.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

pub(crate) struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
    key: String,
}

impl Caller {
    pub(crate) fn new(address: SocketAddr, key: String) -> Self {
        Self { client: Client::builder(TokioExecutor::new()).build_http(), address, key }
    }

    pub(crate) async fn post(&self, path: &str, body: String) -> (StatusCode, Value) {
        self.call(Method::POST, path, body).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        body: String,
        headers: HeaderMap,
    ) -> (StatusCode, Value) {
        let mut request = self.request(Method::POST, path, body);
        request.headers_mut().extend(headers);
        self.send(request).await
    }

    /// What is answered to somebody else's request.
    pub(crate) async fn status(
        &self,
        path: &str,
        body: &str,
        headers: &[(&'static str, String)],
    ) -> StatusCode {
        let mut request = self.request(Method::POST, path, body.to_owned());
        request.headers_mut().remove("authorization");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        self.client.request(request).await.unwrap().status()
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.call(Method::GET, path, String::new()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.call(Method::PATCH, path, body.to_string()).await
    }

    /// The body of an answer, as text.
    pub(crate) async fn text(&self, path: &str) -> String {
        let request = self.request(Method::GET, path, String::new());
        let response = self.client.request(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    /// The first attempt at an endpoint, once it is stored.
    pub(crate) async fn attempt(&self, endpoint: &Value) -> Value {
        let path = format!("/v1/attempts?endpoint={}", endpoint["id"].as_str().unwrap());
        let stored = async {
            loop {
                if let Some(attempt) = self.get(&path).await.1["list"].get(0) {
                    return attempt.clone();
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), stored).await.expect("an attempt within 30 s")
    }

    /// Publishes an event; `None` when the bridge is gone.
    pub(crate) async fn publish(&self, event: String) -> Option<StatusCode> {
        let response = self.client.request(self.request(Method::POST, "/v1/events", event)).await.ok()?;
        Some(response.status())
    }

    async fn call(&self, method: Method, path: &str, body: String) -> (StatusCode, Value) {
        self.send(self.request(method, path, body)).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> (StatusCode, Value) {
        let response = self.client.request(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    fn request(&self, method: Method, path: &str, body: String) -> Request<Full<Bytes>> {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(Full::from(body))
            .unwrap()
    }
}
