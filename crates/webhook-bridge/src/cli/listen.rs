//! `listen`: a temporary endpoint, whose deliveries come here and go on to a URL of this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Request, State};
use bytes::Bytes;
use clap::Args;
use eventbus::{EventId, Timestamp};
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use url::Url;

use super::client::Client;
use super::exchange::{Trouble, exchange, host, target};
use super::failure::Failure;
use super::table::{Paint, paint, plain};
use super::{goes_on, note, print, serve};

/// The largest body that is taken: an event's, with room for what formats put around it.
const LARGEST: usize = 4 << 20;
/// The longest the target may take; the bridge itself waits less.
const LONGEST: Duration = Duration::from_secs(30);
/// How long answers under way may take at the end.
const GOODBYE: Duration = Duration::from_secs(5);

/// Receive deliveries here and forward them, while this runs
///
/// Makes an endpoint at the bridge, prints its signing secret, and hands each delivery on as it came, byte for byte and with its
/// headers; the bridge is answered what the target answered. The endpoint goes when this ends.
#[derive(Args)]
pub(super) struct Listen {
    /// Where deliveries go: http://localhost:3000/webhooks
    #[arg(long, value_name = "URL")]
    forward_to: Url,
    /// Types of events and patterns: customer.*,refund.#
    #[arg(long, value_name = "TYPE", value_delimiter = ',', default_value = "*")]
    events: Vec<String>,
    /// Where the bridge's requests are taken
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8442")]
    address: SocketAddr,
    /// How the bridge reaches that address, where it is another for it: a tunnel's URL
    #[arg(long, value_name = "URL")]
    public_url: Option<Url>,
    /// How requests are signed: standard and others, as for `endpoints create`
    #[arg(long)]
    signature: Option<String>,
    /// End after so many
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    #[command(flatten)]
    client: Client,
}

/// What hands requests on.
struct Relay {
    to: Url,
    /// The one path that is the endpoint's.
    path: String,
    told: mpsc::UnboundedSender<Value>,
}

impl Listen {
    pub(super) async fn run(self) -> Result<String, Failure> {
        let stopped = serve::stopped()?;
        if !matches!(self.forward_to.scheme(), "http" | "https") || !self.forward_to.has_host() {
            let text = format!("--forward-to: {}: must be such as http://localhost:3000", self.forward_to);
            return Err(Failure::Usage(text));
        }
        let (listener, url) = self.open().await?;
        let endpoint = self.register(&url).await?;
        let id = endpoint["id"].as_str().unwrap_or_default().to_owned();
        let relayed = tokio::select! {
            relayed = self.relay(listener, &url, &endpoint) => relayed,
            () = stopped => Ok(()),
        };
        let removed = self.client.send(Method::DELETE, &["endpoints", &id], &Value::Null).await;
        if let Err(failure) = removed {
            note(&format!("{id} is still there ({failure}): webhook-bridge endpoints delete {id}"));
        }
        relayed.map(|()| String::new())
    }

    /// Where the bridge's requests come in, and what the bridge calls that.
    async fn open(&self) -> Result<(TcpListener, Url), Failure> {
        if self.public_url.is_none() && !self.client.is_local() {
            let text = format!(
                "a bridge at {} cannot call this machine's {}: make a tunnel to it, and name it with --public-url",
                self.client.name(),
                self.address
            );
            return Err(Failure::Usage(text));
        }
        let failed =
            |error| Failure::Failed(format!("--address {}: cannot listen there: {error}", self.address));
        let listener = TcpListener::bind(self.address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let here =
            || format!("http://{address}/").parse().map_err(|error| Failure::Failed(format!("{error}")));
        let mut url: Url = self.public_url.clone().map_or_else(here, Ok)?;
        // Whoever does not know it sends nothing through here.
        url.set_path(&format!("/listen/{}", EventId::generate(Timestamp::now())));
        Ok((listener, url))
    }

    async fn register(&self, url: &Url) -> Result<Value, Failure> {
        let mut body = json!({
            "url": url.as_str(),
            "enabled_events": self.events,
            "description": format!("webhook-bridge listen, to {}", self.forward_to),
        });
        if let Some(signature) = &self.signature {
            body["signature"] = signature.as_str().into();
        }
        match self.client.post(&["endpoints"], &body).await {
            Ok(answer) => Ok(answer.value),
            Err(Failure::Refused(text)) if text.contains("loopback") && self.public_url.is_none() => {
                let network = format!("{}/32:{}", self.address.ip(), url.port().unwrap_or(80));
                Err(Failure::Refused(format!(
                    "{text}\nThe bridge calls no address of its own machine unless it may: start it with \
                     `webhook-bridge serve --allow-targets {network}`"
                )))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn relay(&self, listener: TcpListener, url: &Url, endpoint: &Value) -> Result<(), Failure> {
        let (told, mut lines) = mpsc::unbounded_channel();
        let relay = Relay { to: self.forward_to.clone(), path: url.path().to_owned(), told };
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new().fallback(forward).with_state(Arc::new(relay));
        let served =
            axum::serve(listener, router).with_graceful_shutdown(async move { stopped.await.unwrap_or(()) });
        let served = tokio::spawn(served.into_future());
        print(&self.begun(endpoint))?;
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0
            && let Some(line) = lines.recv().await
            && goes_on(&self.line(&line))?
        {
            left -= 1;
        }
        let _ = stop.send(());
        // What is answered meanwhile is answered to the end.
        let _ = timeout(GOODBYE, served).await;
        Ok(())
    }

    fn begun(&self, endpoint: &Value) -> String {
        if self.client.wants_json() {
            return format!("{endpoint}\n");
        }
        let events = self.events.join(", ");
        let secret = endpoint["secret"].as_str().unwrap_or("none");
        format!("{events} to {}: Ctrl-C ends it\nThe signing secret: {secret}\n", self.forward_to)
    }

    fn line(&self, told: &Value) -> String {
        if self.client.wants_json() {
            return format!("{told}\n");
        }
        let word = match told["status"].as_u64() {
            Some(status @ 200..300) => paint(Paint::Good, &status.to_string()),
            Some(status) => paint(Paint::Alarm, &status.to_string()),
            None => paint(Paint::Alarm, &plain(&told["error"])),
        };
        let (event_type, id) = (paint(Paint::Bold, &plain(&told["type"])), plain(&told["id"]));
        let (attempt, millis) = (plain(&told["attempt"]), plain(&told["duration_ms"]));
        format!("{event_type}  {id}  attempt {attempt}  {word}  {millis} ms\n")
    }
}

/// Hands a request on, and its answer back.
async fn forward(State(relay): State<Arc<Relay>>, request: Request) -> Response<axum::body::Body> {
    let (head, body) = request.into_parts();
    if head.uri.path() != relay.path {
        return answer(StatusCode::NOT_FOUND, HeaderMap::new(), Bytes::new());
    }
    let Ok(body) = axum::body::to_bytes(body, LARGEST).await else {
        return answer(StatusCode::PAYLOAD_TOO_LARGE, HeaderMap::new(), Bytes::new());
    };
    let (mut told, began) = (describe(&head.headers, &body), Instant::now());
    let answered = onward(&relay.to, head.headers, body).await;
    told["duration_ms"] = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX).into();
    match &answered {
        Ok(answer) => told["status"] = answer.status().as_u16().into(),
        Err(error) => told["error"] = error.to_string().into(),
    }
    // At the end nobody listens any more.
    let _ = relay.told.send(told);
    match answered {
        Ok(from) => {
            let kept = |name: &&http::HeaderName| {
                [CONTENT_TYPE, RETRY_AFTER].contains(name) || name.as_str() == "webhook-delivery"
            };
            let names: Vec<_> = from.headers().keys().filter(kept).cloned().collect();
            let headers =
                names.into_iter().filter_map(|name| Some((name.clone(), from.headers().get(name)?.clone())));
            answer(from.status(), headers.collect(), from.body().clone())
        }
        Err(error) => answer(StatusCode::BAD_GATEWAY, HeaderMap::new(), error.to_string().into()),
    }
}

async fn onward(to: &Url, mut headers: HeaderMap, body: Bytes) -> Result<Response<Bytes>, Trouble> {
    for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
        headers.remove(name);
    }
    let mut request = http::Request::post(target(to)).header(HOST, host(to)).body(Full::new(body))?;
    request.headers_mut().extend(headers);
    timeout(LONGEST, exchange(to, request)).await.map_err(|_| format!("no answer within {LONGEST:?}"))?
}

/// What is known of a delivery by its request.
fn describe(headers: &HeaderMap, body: &Bytes) -> Value {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let field = |name: &str| body[name].as_str();
    json!({
        "id": header("webhook-id").or_else(|| field("id")),
        "type": field("type").or_else(|| field("eventType")),
        "attempt": header("webhook-attempt"),
    })
}

fn answer(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response<axum::body::Body> {
    let mut response = Response::new(axum::body::Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}
