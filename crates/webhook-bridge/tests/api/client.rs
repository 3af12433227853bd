//! A caller of the native API.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

pub(crate) struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
    /// What it shows for itself.
    proof: Option<(&'static str, String)>,
}

/// Status and body of an answer.
pub(crate) type Answer = (StatusCode, Value);

impl Client {
    /// One with this key; without one where it is empty.
    pub(crate) fn new(address: SocketAddr, key: &str) -> Self {
        let proof = (!key.is_empty()).then(|| ("authorization", format!("Bearer {key}")));
        Self { http: Http::builder(TokioExecutor::new()).build_http(), address, proof }
    }

    /// A browser that is signed in with a key.
    pub(crate) async fn signed_in(address: SocketAddr, key: &str) -> Self {
        let nobody = Self::new(address, "");
        let body = serde_json::json!({ "key": key }).to_string();
        let response = nobody.response(Request::builder().method(Method::POST), "/v1/session", body).await;
        let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        Self::with_cookie(address, cookie)
    }

    /// A browser that has this cookie.
    pub(crate) fn with_cookie(address: SocketAddr, cookie: String) -> Self {
        Self { proof: Some(("cookie", cookie)), ..Self::new(address, "") }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, body).await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.request(Request::builder().method(method), path, text).await
    }

    /// Asks for what may be refused in another manner than the native API's.
    pub(crate) async fn plain(&self, method: Method, path: &str, body: &Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let response = self.response(Request::builder().method(method), path, text).await;
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Publishes with an `Idempotency-Key`.
    pub(crate) async fn publish(&self, key: &str, event: &str) -> Answer {
        self.publish_at("/v1/events", (key, event)).await
    }

    /// The same with something beside it, or of several.
    pub(crate) async fn publish_at(&self, path: &str, (key, events): (&str, &str)) -> Answer {
        let request = Request::builder().method(Method::POST).header("idempotency-key", key);
        self.request(request, path, events.to_owned()).await
    }

    /// The `ETag` of what is there.
    pub(crate) async fn tag(&self, path: &str) -> String {
        let response = self.response(Request::builder().method(Method::GET), path, String::new()).await;
        response.headers()["etag"].to_str().unwrap().to_owned()
    }

    /// The headers of what is there.
    pub(crate) async fn head(&self, path: &str) -> http::HeaderMap {
        let response = self.response(Request::builder().method(Method::GET), path, String::new()).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        response.headers().clone()
    }

    /// Changes what has this `ETag`.
    pub(crate) async fn change(&self, path: &str, tag: &str, body: &Value) -> Answer {
        let request = Request::builder().method(Method::PATCH).header("if-match", tag);
        self.request(request, path, body.to_string()).await
    }

    /// Posts a text.
    pub(crate) async fn text(&self, path: &str, (kind, body): (&str, &str)) -> Answer {
        let request = Request::builder().method(Method::POST).header("content-type", kind);
        self.request(request, path, body.to_owned()).await
    }

    /// What is there, as it lies.
    pub(crate) async fn bytes(&self, path: &str) -> Bytes {
        let response = self.response(Request::builder().method(Method::GET), path, String::new()).await;
        response.into_body().collect().await.unwrap().to_bytes()
    }

    /// An answer that goes on, to whoever listens.
    pub(crate) async fn listen(&self, path: &str, last: Option<&str>) -> Incoming {
        let request = Request::builder().method(Method::GET).header("accept", "text/event-stream");
        let request = last.into_iter().fold(request, |request, last| request.header("last-event-id", last));
        let response = self.response(request, path, String::new()).await;
        assert_eq!(
            (response.status(), &response.headers()["content-type"]),
            (StatusCode::OK, &"text/event-stream".parse().unwrap())
        );
        response.into_body()
    }

    async fn request(&self, request: http::request::Builder, path: &str, body: String) -> Answer {
        let response = self.response(request, path, body).await;
        let status = response.status();
        if !status.is_success() {
            assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
        }
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn response(
        &self,
        request: http::request::Builder,
        path: &str,
        body: String,
    ) -> Response<Incoming> {
        let request = request.uri(format!("http://{}{path}", self.address));
        // As a page of its own does, where there is a cookie.
        let request = request.header("origin", format!("http://{}", self.address));
        let request = self.proof.iter().fold(request, |request, (name, value)| request.header(*name, value));
        let response = self.http.request(request.body(Full::from(body)).unwrap()).await.unwrap();
        assert_eq!(response.headers()["x-content-type-options"], "nosniff", "{path}");
        response
    }
}
