//! An application that takes webhooks in its own server, without the bridge.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use bytes::Bytes;
use eventbus::payment_kit::PaymentEvent;
use eventbus::{Event, Timestamp, payment_kit};
use http::Request;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use webhook_bridge::ingress::{Source, SourceConfig, Webhook};
use webhook_bridge::model::{Mode, Payload, Secret};
use webhook_bridge::signing::{Delivery, Format};

use crate::rig::{Headers, SECRET, now, standard};

#[path = "../../examples/webhooks.rs"]
#[allow(dead_code, unreachable_pub, reason = "the example is also a program")]
mod example;

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

async fn status(address: SocketAddr, path: &str, headers: &Headers, body: &str) -> StatusCode {
    let mut request = Request::post(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::<Bytes>::from(body.to_owned())).unwrap();
    Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap().status()
}

#[tokio::test]
async fn the_example_takes_what_is_signed_and_nothing_else() {
    let source = SourceConfig::new("standard", SECRET).mode(Mode::Test);
    let address = serve(example::app(Source::new("shop", source).unwrap())).await;
    let body = r#"{"type":"order.paid","data":{"id":"ord_1"}}"#;
    let headers = standard("msg_1", now(), body);
    assert_eq!(status(address, "/hooks", &headers, body).await, StatusCode::NO_CONTENT);
    assert_eq!(status(address, "/hooks", &headers, "{}").await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(address, "/hooks", &Headers::new(), body).await, StatusCode::UNAUTHORIZED);
}

const KEY: &str = "0x9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

/// Signed as Payment Kit does, for this URL.
fn payment_kit(url: &str, body: &str) -> Headers {
    let payload =
        Payload { event_id: "evt_1".into(), event_type: "a.b".into(), body: body.to_owned().into() };
    let delivery = Delivery {
        url: &url.parse().unwrap(),
        id: "evt_1",
        now: Timestamp::now(),
        payload: &payload,
        secrets: &[Secret::new(KEY)],
        application: None,
    };
    Format::find("payment-kit").unwrap().render(&delivery).unwrap().headers
}

#[tokio::test]
async fn a_handler_gets_its_type_alone_also_below_a_nested_path() {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&taken);
    let renewed = async move |Webhook(event): Webhook<Event<payment_kit::CustomerSubscriptionRenewed>>| {
        keep.lock().await.push(event.object().id.clone());
        StatusCode::NO_CONTENT
    };
    let any = async |Webhook(_): Webhook<PaymentEvent>| StatusCode::OK;
    // The public half is enough.
    let public = format!("0x{}", &KEY[66..]);
    let source = Source::new("payments", SourceConfig::new("payment-kit", public)).unwrap();
    let inner = Router::new().route("/renewed", post(renewed)).route("/any", post(any));
    let address = serve(Router::new().nest("/api/payment", inner).with_state(source)).await;
    let event = |kind: &str, source: &str| {
        format!(
            r#"{{"id":"evt_1","livemode":true,"type":"{kind}",{source}"data":{{"object":{{"id":"sub_1","object":"subscription"}}}},"object_id":"sub_1","created_at":"2026-01-01T00:00:00.000Z"}}"#
        )
    };
    let post = async |path: &str, body: &str| {
        let path = format!("/api/payment{path}");
        status(address, &path, &payment_kit(&format!("https://shop.example{path}"), body), body).await
    };
    let renewal = event("customer.subscription.renewed", "");
    assert_eq!(post("/renewed", &renewal).await, StatusCode::NO_CONTENT);
    assert_eq!(post("/renewed", &event("customer.subscription.started", "")).await, StatusCode::NO_CONTENT);
    assert_eq!(post("/any", &event("customer.subscription.started", "")).await, StatusCode::OK);
    assert_eq!(
        post("/any", &event("product.created", r#""source":"gstable","#)).await,
        422,
        "not its source"
    );
    let elsewhere = payment_kit("https://shop.example/api/payment/any", &renewal);
    assert_eq!(status(address, "/api/payment/renewed", &elsewhere, &renewal).await, 401, "another path");
    assert_eq!(*taken.lock().await, ["sub_1"]);
}
