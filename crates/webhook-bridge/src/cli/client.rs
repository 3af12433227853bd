//! A call of the bridge's API: one connection, one request, one answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;
use webhook_bridge::model::Mode;

use super::failure::Failure;

/// The longest a call may take.
const LONGEST: Duration = Duration::from_secs(30);

/// Which bridge is called, as whom, and how its answer is shown.
#[derive(Args)]
#[command(next_help_heading = "The bridge")]
pub(super) struct Client {
    /// Where the bridge is
    #[arg(
        long = "url",
        value_name = "URL",
        global = true,
        env = "WEBHOOK_BRIDGE_URL",
        default_value = "http://127.0.0.1:8440"
    )]
    bridge: Url,
    /// An API key, which also says the mode; `serve` prints one of each when it first starts
    #[arg(long, global = true, value_name = "KEY", env = "WEBHOOK_BRIDGE_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// Print exactly what the API answers
    #[arg(long, global = true)]
    json: bool,
}

/// What the API answered.
pub(super) struct Answer {
    text: String,
    pub(super) value: Value,
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Client {
    /// What is printed: the answer as it came, or what `show` makes of it for people.
    pub(super) fn show(&self, answer: &Answer, show: impl FnOnce(&Value) -> String) -> String {
        if self.json { format!("{}\n", answer.text.trim_end()) } else { show(&answer.value) }
    }

    /// The mode of the key, as far as it says.
    pub(super) fn mode(&self) -> Mode {
        Mode::from(self.api_key.as_ref().is_some_and(|key| key.starts_with("whb_live_")))
    }

    pub(super) fn wants_json(&self) -> bool {
        self.json
    }

    pub(super) async fn get(&self, path: &[&str], query: &[(&str, String)]) -> Result<Answer, Failure> {
        let mut url = self.at(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.call(Method::GET, url, String::new()).await
    }

    pub(super) async fn post(&self, path: &[&str], body: &Value) -> Result<Answer, Failure> {
        self.send(Method::POST, path, body).await
    }

    pub(super) async fn send(&self, method: Method, path: &[&str], body: &Value) -> Result<Answer, Failure> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.call(method, self.at(path)?, body).await
    }

    fn at(&self, path: &[&str]) -> Result<Url, Failure> {
        let mut url = self.bridge.clone();
        let known = matches!(url.scheme(), "http" | "https") && url.has_host();
        let unfit = || Failure::Usage(format!("{}: must be such as http://127.0.0.1:8440", self.bridge));
        url.path_segments_mut()
            .ok()
            .filter(|_| known)
            .ok_or_else(unfit)?
            .pop_if_empty()
            .push("v1")
            .extend(path);
        Ok(url)
    }

    async fn call(&self, method: Method, url: Url, body: String) -> Result<Answer, Failure> {
        let request = self.request(method, &url, body)?;
        let asked = async { exchange(&url, request).await.map_err(|error| self.unreachable(&error)) };
        let late = |_| self.unreachable(&format!("no answer within {} s", LONGEST.as_secs()));
        let (status, body) = timeout(LONGEST, asked).await.map_err(late)??;
        let value = serde_json::from_slice(&body);
        match value {
            Ok(value) if status.is_success() => {
                Ok(Answer { text: String::from_utf8_lossy(&body).into_owned(), value })
            }
            Ok(Value::Object(problem)) if problem.contains_key("title") => Err(refused(status, &problem)),
            _ => Err(Failure::Failed(format!("{}: {status}, and no answer of a bridge", self.bridge))),
        }
    }

    fn request(&self, method: Method, url: &Url, body: String) -> Result<Request<Full<Bytes>>, Failure> {
        let missing = "an API key is needed: --api-key, or WEBHOOK_BRIDGE_KEY; `webhook-bridge serve` prints \
                       one when it first starts";
        let key = self.api_key.as_deref().ok_or_else(|| Failure::Usage(missing.to_owned()))?;
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let request = Request::builder()
            .method(method)
            .uri(&url[url::Position::BeforePath..url::Position::AfterQuery])
            .header(HOST, host)
            .header(AUTHORIZATION, format!("Bearer {}", key.trim()))
            .header(CONTENT_TYPE, "application/json");
        let unfit = |_| Failure::Usage("--api-key: has characters that no key has".to_owned());
        request.body(Full::from(body)).map_err(unfit)
    }

    fn unreachable(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::Unreachable(format!("{}: no bridge was reached: {error}", self.bridge))
    }
}

fn refused(status: StatusCode, problem: &serde_json::Map<String, Value>) -> Failure {
    let text = |field| problem.get(field).and_then(Value::as_str).unwrap_or_default();
    let said = format!("{}: {}", text("title"), text("detail"));
    if status.is_client_error() { Failure::Refused(said) } else { Failure::Failed(said) }
}

async fn exchange(
    url: &Url,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(dial(url).await?)).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    drop(sender);
    connection.abort();
    Ok((status, body))
}

async fn dial(url: &Url) -> Result<Box<dyn Stream>, Box<dyn std::error::Error + Send + Sync>> {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, url.port_or_known_default().unwrap_or(80))).await?;
    if url.scheme() != "https" {
        return Ok(Box::new(stream));
    }
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from(host.to_owned())?;
    Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
}
