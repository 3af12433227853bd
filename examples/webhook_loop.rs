//! Run with `cargo run -p eventbus-examples --bin webhook_loop`: a provider's webhook to a handler, and on to a merchant.
#![expect(clippy::print_stdout, reason = "examples speak to the terminal")]

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use eventbus::gstable::SessionPaid;
use eventbus::{Event, Timestamp};
use ring::hmac;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use webhook_bridge::ingress::{Source, SourceConfig, Webhook};
use webhook_bridge::{Bridge, Config, model::Mode};

type Outcome<T> = Result<T, Box<dyn Error>>;
/// What GStable signs with for us, and what we sign with for the merchant.
const PROVIDER: &str = "wkk_between_the_provider_and_us";
const MERCHANT: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const WEBHOOK: &str = r#"{"eventId":"evt_1","eventType":"session.paid","businessType":"session","occurrence":"2026-01-04 08:10:35",
    "payload":{"sessionData":{"sessionId":"sess_1","amount":12500000},"transaction":null}}"#;

/// With the URL of a broker as an argument the handler could be in any process; on `local:` it is in the bridge's.
#[tokio::main]
async fn main() -> Outcome<()> {
    let bus = std::env::args().nth(1).unwrap_or("local:".to_owned());
    let (folder, (tell, mut verified)) = (tempfile::tempdir()?, unbounded_channel());
    let merchant = merchant(tell).await?;
    let stable = SourceConfig::new("gstable", PROVIDER).mode(Mode::Test);
    let config = Config::new().data(folder.path()).listen("127.0.0.1:0".parse()?).bus(bus);
    let config = config.allow_targets(vec![format!("127.0.0.1/32:{}", merchant.port()).parse()?]);
    let bridge = Bridge::start(config.sources(vec![Source::new("stable", stable)?])).await?;
    let mut handled = subscribe(&bridge).await?;

    let endpoint = format!(
        r#"{{"url":"http://{merchant}/hooks","enabled_events":["session.*"],"source":"gstable","secret":"{MERCHANT}"}}"#
    );
    let key = bridge.fresh_keys().first().ok_or("it has a store of its own")?.reveal().to_owned();
    let made =
        request(&bridge, "/v1/endpoints", (&format!("authorization: Bearer {key}"), &endpoint)).await?;
    println!("answered: the merchant {made}, the provider {}", provider(&bridge).await?);
    println!("handled: {}", handled.recv().await.ok_or("the bus ended")?);
    println!("verified by the merchant: {}", verified.recv().await.ok_or("the merchant ended")?);
    bridge.stop().await;
    Ok(())
}

/// An application's handler, typed by its argument.
async fn subscribe(bridge: &Bridge) -> Outcome<UnboundedReceiver<String>> {
    let (tell, handled) = unbounded_channel();
    let pay = move |paid: Event<SessionPaid>| {
        let _ = tell.send(format!(
            "{} micro-USD of {}",
            paid.object().amount.unwrap_or(0),
            paid.object().session_id
        ));
        async { Ok(()) }
    };
    bridge.bus().subscribe("entitlements").on(pay).start().await?;
    Ok(handled)
}

/// A merchant's endpoint: its handler sees only what is signed, as a typed event.
async fn merchant(tell: UnboundedSender<String>) -> Outcome<SocketAddr> {
    let source = SourceConfig::new("standard", MERCHANT).mode(Mode::Test).event_source("gstable");
    let taken = |Webhook(paid): Webhook<Event<SessionPaid>>| async move {
        let _ = tell.send(format!("{} of {}", paid.id(), paid.object().session_id));
        StatusCode::NO_CONTENT
    };
    let app: Router = Router::new().route("/hooks", post(taken)).with_state(Source::new("bridge", source)?);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, app).into_future());
    Ok(address)
}

/// Posts a webhook as GStable does; answered 200 when the bus has it, and otherwise to be posted again.
async fn provider(bridge: &Bridge) -> Outcome<String> {
    let time = Timestamp::now().as_millis();
    let key = hmac::Key::new(hmac::HMAC_SHA256, PROVIDER.as_bytes());
    let tag = hmac::sign(&key, format!("{time}:{WEBHOOK}").as_bytes());
    let signature: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let headers = format!("x-gstable-timestamp: {time}\r\nx-gstable-signature: {signature}");
    request(bridge, "/in/stable", (&headers, WEBHOOK)).await
}

/// Posts, and gives the status it is answered with.
async fn request(bridge: &Bridge, path: &str, (headers, body): (&str, &str)) -> Outcome<String> {
    let mut stream = TcpStream::connect(bridge.address()).await?;
    let (length, fixed) = (body.len(), "host: bridge\r\nconnection: close");
    let text =
        format!("POST {path} HTTP/1.1\r\n{fixed}\r\n{headers}\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer.split(' ').nth(1).ok_or("no answer")?.to_owned())
}
