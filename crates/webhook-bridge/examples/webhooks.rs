//! Run with `cargo run -p webhook-bridge --example webhooks -- stripe whsec_…`: prints each webhook that the scheme's secret signed.
//!
//! An application takes webhooks in its own server, without the bridge: `webhook-bridge = { default-features = false }`. The
//! handler gets what is verified, as an event of the type it names; anything else never reaches it.

use std::error::Error;
use std::io::Write as _;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use eventbus::AnyEvent;
use tokio::net::TcpListener;
use webhook_bridge::ingress::{Source, SourceConfig, Webhook};

const ADDRESS: &str = "127.0.0.1:8442";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (scheme, secret) =
        arguments.next().zip(arguments.next()).ok_or("a scheme and a secret are needed")?;
    let source = Source::new("shop", SourceConfig::new(scheme, secret))?;
    axum::serve(TcpListener::bind(ADDRESS).await?, app(source)).await?;
    Ok(())
}

/// One route; its source is the router's state.
pub fn app(source: Source) -> Router {
    Router::new().route("/hooks", post(taken)).with_state(source)
}

/// An event may come twice, with the same id; 2xx says that it is kept.
async fn taken(Webhook(event): Webhook<AnyEvent>) -> StatusCode {
    // Where nobody reads there is nobody to tell.
    let _ = writeln!(std::io::stdout(), "{} {}", event.event_type(), event.id());
    StatusCode::NO_CONTENT
}
