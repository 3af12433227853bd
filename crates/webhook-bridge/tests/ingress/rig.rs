//! A bridge with sources, a provider that posts to it, and a subscriber that keeps what is published.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use eventbus::AnyEvent;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use ring::hmac;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use webhook_bridge::ingress::{Source, SourceConfig};
use webhook_bridge::model::Mode;
use webhook_bridge::{Bridge, Config};

/// How long something that must happen is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

pub(crate) type Headers = Vec<(&'static str, String)>;

pub(crate) struct Rig {
    pub(crate) bridge: Bridge,
    pub(crate) client: Client<HttpConnector, Full<Bytes>>,
    published: UnboundedReceiver<AnyEvent>,
    pub(crate) folder: tempfile::TempDir,
}

impl Rig {
    /// A bridge with a source of Standard Webhooks, `shop`, whose events are test ones.
    pub(crate) async fn start(config: Config) -> Self {
        let shop = SourceConfig::new("standard", SECRET).mode(Mode::Test);
        Self::with(config, vec![Source::new("shop", shop).unwrap()]).await
    }

    pub(crate) async fn with(config: Config, sources: Vec<Source>) -> Self {
        Self::on(config.sources(sources), tempfile::tempdir().unwrap()).await
    }

    /// A bridge on a folder that may have been another one's.
    pub(crate) async fn on(config: Config, folder: tempfile::TempDir) -> Self {
        let anywhere = config.listen == Config::new().listen;
        let config = if anywhere { config.listen("127.0.0.1:0".parse().unwrap()) } else { config };
        let config = config.data(folder.path());
        let bridge = Bridge::start(config).await.unwrap();
        let (sender, published) = unbounded_channel();
        let keep = move |event: AnyEvent| {
            // Nobody looks any more once the test is over.
            let _ = sender.send(event);
            async { Ok(()) }
        };
        bridge.bus().subscribe("probe").on(keep).start().await.unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { bridge, client, published, folder }
    }

    /// What a provider is answered.
    pub(crate) async fn post(
        &self,
        path: &str,
        headers: &Headers,
        body: impl Into<Bytes>,
    ) -> Response<Bytes> {
        let mut request = Request::post(format!("http://{}{path}", self.bridge.address()));
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = self.client.request(request.body(Full::from(body.into())).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
    }

    pub(crate) async fn status(&self, path: &str, headers: &Headers, body: impl Into<Bytes>) -> StatusCode {
        self.post(path, headers, body).await.status()
    }

    /// The next event that was published.
    pub(crate) async fn next(&mut self) -> AnyEvent {
        timeout(PATIENCE, self.published.recv()).await.expect("an event within a minute").unwrap()
    }

    /// Nothing else was published: what is published now is the next to come.
    pub(crate) async fn nothing_else(&mut self) {
        let last = r#"{"id":"evt_last","livemode":false,"type":"a.last","source":"test","data":{},"created_at":"2026-01-01T00:00:00Z"}"#;
        self.bridge.bus().publish(AnyEvent::from_json(last).unwrap()).await.unwrap();
        assert_eq!(self.next().await.id().as_str(), "evt_last", "nothing else was published");
    }

    /// What `/metrics` says of a result.
    pub(crate) async fn count(&self, result: &str) -> u64 {
        self.metric(&format!("webhook_bridge_webhooks_total{{result=\"{result}\"}}")).await
    }

    /// How many events it stored that came by the bus.
    pub(crate) async fn taken(&self) -> u64 {
        self.metric(r#"webhook_bridge_events_total{intake="bus",mode="test",result="stored"}"#).await
    }

    /// The value of a series.
    pub(crate) async fn metric(&self, series: &str) -> u64 {
        let uri = format!("http://{}/metrics", self.bridge.address()).parse().unwrap();
        let body = self.client.get(uri).await.unwrap().into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        count.map_or(0, |count| count.parse().unwrap())
    }

    /// Stops it, and leaves what it kept.
    pub(crate) async fn stop(self) -> tempfile::TempDir {
        self.bridge.stop().await;
        self.folder
    }
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// Signs as Standard Webhooks has it.
pub(crate) fn standard(id: &str, at: u64, body: &str) -> Headers {
    let key = STANDARD.decode(SECRET.strip_prefix("whsec_").unwrap()).unwrap();
    let signature = STANDARD.encode(tag(&key, &format!("{id}.{at}.{body}")));
    vec![
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", at.to_string()),
        ("webhook-signature", format!("v1,{signature}")),
    ]
}

pub(crate) fn tag(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

pub(crate) fn hex(tag: impl AsRef<[u8]>) -> String {
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
