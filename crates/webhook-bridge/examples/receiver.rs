//! Run with `cargo run -p webhook-bridge --example receiver -- SECRET`: prints each webhook that was signed with the secret.
//!
//! What a receiver does, without any code of the bridge: it verifies the signature of Standard Webhooks over the bytes as
//! they came, refuses what is old, and answers 2xx as soon as it has kept what it needs. An event may come twice, with the
//! same `webhook-id`.

use std::error::Error;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use ring::hmac;
use serde_json::Value;
use tokio::net::TcpListener;

const ADDRESS: &str = "127.0.0.1:8441";

/// How far the clocks of sender and receiver may be apart; what is older may have been recorded and sent again.
const TOLERANCE: Duration = Duration::from_secs(300);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let secret = std::env::args().nth(1).ok_or("the secret of the endpoint is needed: whsec_…")?;
    let secret = STANDARD.decode(secret.strip_prefix("whsec_").ok_or("a secret begins with whsec_")?)?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let listener = TcpListener::bind(ADDRESS).await?;
    axum::serve(listener, Router::new().route("/", post(receive)).with_state(key)).await?;
    Ok(())
}

async fn receive(State(key): State<hmac::Key>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some(event) = verify(&key, &headers, &body) else {
        print("refused: not signed with the secret, or too old");
        return StatusCode::UNAUTHORIZED;
    };
    let event_type = event["type"].as_str().unwrap_or_default();
    let header =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
    let names = ["webhook-id", "webhook-sequence", "webhook-attempt"];
    let rest = names.map(|name| format!("{name} {}", header(name))).join(", ");
    print(&format!("{event_type}: the signature is right, {rest}"));
    StatusCode::NO_CONTENT
}

/// The event, if one of the signatures is right and fresh.
fn verify(key: &hmac::Key, headers: &HeaderMap, body: &[u8]) -> Option<Value> {
    let header = |name| headers.get(name)?.to_str().ok();
    let (id, sent, signatures) =
        (header("webhook-id")?, header("webhook-timestamp")?, header("webhook-signature")?);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs();
    if now.abs_diff(sent.parse().ok()?) > TOLERANCE.as_secs() {
        return None;
    }
    let signed = [id.as_bytes(), b".", sent.as_bytes(), b".", body].concat();
    // While a secret is rotated there is a signature by each.
    let right = signatures.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
    right.into_iter().find(|one| hmac::verify(key, &signed, one).is_ok())?;
    serde_json::from_slice(body).ok()
}

fn print(text: &str) {
    // Where nobody reads there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{text}");
}
