//! What a running bridge sends, verified by programs that share no code with it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test helper that fails is a test that fails")]

mod program;
mod receiver;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use webhook_bridge::model::Application;
use webhook_bridge::{Bridge, Config};

use program::Program;
use receiver::{Receiver, Request};

/// An event with everything that signatures stumble over: other alphabets, numbers of any form, white space, escapes.
const EVENT: &str = r#"{"id": "evt_1", "livemode":false, "type":"checkout.session.completed","source":"payment-kit",
 "data":{"object":{"id":"cs_1","name":"\u00fc \ud83d\ude00 \"\\\/\n\u0007\u2028</x>","amount_total":"12.50","n":1.0,"big":12345678901234567890,
 "e":1E+3,"zero":-0.0,"10":"b","9":"a"},"previous_attributes":{"name":null}},"created_at":"2026-01-01T00:00:00.000Z"}"#;

const GSTABLE_EVENT: &str = r#"{"id":"evt_2","livemode":false,"type":"product.archived","source":"gstable","data":{"object":{"productId":"p_ü","price":"1.50"}},"created_at":"2026-01-01T00:00:00Z"}"#;

fn application() -> Application {
    let [did, pk, url, name] = ["zNKX7f2ojJ", "0xd75a98", "https://example.com", "Läden"].map(str::to_owned);
    Application { did, pk, url, name }
}

/// A bridge with one endpoint.
struct Case {
    bridge: Bridge,
    receiver: Receiver,
    endpoint: Value,
    _folder: tempfile::TempDir,
}

impl Case {
    async fn start(scheme: &str) -> Self {
        let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
        let config = Config::new().data(folder.path()).listen("127.0.0.1:0".parse().unwrap());
        let target = format!("127.0.0.1/32:{}", receiver.address.port()).parse().unwrap();
        let config = config.allow_targets(vec![target]).application(application());
        let bridge = Bridge::start(config).await.unwrap();
        let wish = json!({
            "url": format!("http://{}/hooks", receiver.address), "enabled_events": ["*"], "signature": scheme,
        });
        let endpoint = post(&bridge, "/v1/endpoints", wish.to_string()).await;
        Self { bridge, receiver, endpoint, _folder: folder }
    }

    /// The secret that was shown once.
    fn secret(&self) -> &str {
        self.endpoint["secret"].as_str().unwrap()
    }

    /// What is sent for an event.
    async fn delivered(&mut self, event: &str) -> Request {
        post(&self.bridge, "/v1/events", event.to_owned()).await;
        self.receiver.next().await
    }
}

async fn post(bridge: &Bridge, path: &str, body: String) -> Value {
    let (status, answer) = send(bridge, path, body).await;
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
    answer
}

async fn send(bridge: &Bridge, path: &str, body: String) -> (u16, Value) {
    let request = http::Request::post(format!("http://{}{path}", bridge.address()))
        .header("authorization", format!("Bearer {}", bridge.fresh_keys()[0].reveal()))
        .header("content-type", "application/json")
        .body(Full::<Bytes>::from(body));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let response = client.request(request.unwrap()).await.unwrap();
    let status = response.status().as_u16();
    let answer = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&answer).unwrap())
}

/// A verifier accepts what was sent, for five minutes, and nothing else.
async fn verifies(mut verifier: Program, scheme: &str, event: &str) {
    let mut case = Case::start(scheme).await;
    let request = case.delivered(event).await;
    let secret = case.secret().to_owned();
    for later in [0, 290] {
        assert_eq!(verifier.refusal(scheme, &secret, (&request, later)).await, None, "{later} s later");
    }
    assert!(verifier.refusal(scheme, &secret, (&request, 302)).await.is_some(), "stale");

    let tampered = Request { body: request.body.replacen("1.50", "1.60", 1), ..request.clone() };
    let tampered = Request { body: tampered.body.replacen("12.50", "99.50", 1), ..tampered };
    assert_ne!(tampered.body, request.body);
    assert!(verifier.refusal(scheme, &secret, (&tampered, 0)).await.is_some(), "another body");
    for (name, value) in request.headers.iter().filter(|(name, _)| name.contains("signature")) {
        let mut forged = request.clone();
        let last = value.len() - 4;
        let other = if value.as_bytes()[last] == b'0' { "1" } else { "0" };
        forged.headers.insert(name.clone(), format!("{}{other}{}", &value[..last], &value[last + 1..]));
        assert!(verifier.refusal(scheme, &secret, (&forged, 0)).await.is_some(), "another signature");
    }
    case.bridge.stop().await;
}

#[tokio::test]
async fn standard_webhooks_library_of_npm_accepts_v1() {
    verifies(Program::node(), "standard", EVENT).await;
}

#[tokio::test]
async fn standard_webhooks_library_of_pypi_accepts_v1() {
    verifies(Program::python(), "standard", EVENT).await;
}

#[tokio::test]
async fn ed25519_of_pynacl_accepts_v1a() {
    verifies(Program::python(), "standard-v1a", EVENT).await;
}

#[tokio::test]
async fn blocklet_servers_rule_in_node_accepts_its_format_and_signs_the_same_again() {
    verifies(Program::node(), "blocklet", EVENT).await;
}

#[tokio::test]
async fn blocklet_servers_rule_in_python_accepts_its_format() {
    verifies(Program::python(), "blocklet", EVENT).await;
}

#[tokio::test]
async fn what_blocklet_server_sends_says_who_and_what_and_the_id_is_beside_it() {
    let mut case = Case::start("blocklet").await;
    let request = case.delivered(EVENT).await;
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(
        (&body["$eventName"], &body["$sender"]),
        (&json!("checkout.session.completed"), &json!(application()))
    );
    assert_eq!((&body["type"], &body["object"]["id"]), (&json!("application/json"), &json!("cs_1")));
    assert_eq!((&*request.headers["webhook-id"], &*request.headers["webhook-sequence"]), ("evt_1", "1"));
    case.bridge.stop().await;
}

#[tokio::test]
async fn without_an_application_no_endpoint_is_made_that_needs_one() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new().data(folder.path()).listen("127.0.0.1:0".parse().unwrap());
    let bridge = Bridge::start(config).await.unwrap();
    let wish = json!({ "url": "https://example.com/", "enabled_events": ["*"], "signature": "blocklet" });
    let (status, problem) = send(&bridge, "/v1/endpoints", wish.to_string()).await;
    assert_eq!(status, 422);
    assert_eq!(problem["detail"], "signature: blocklet needs the setting `application`: did, pk, url, name");
    bridge.stop().await;
}

#[tokio::test]
async fn gstables_rule_in_node_accepts_its_format() {
    verifies(Program::node(), "gstable", GSTABLE_EVENT).await;
}

#[tokio::test]
async fn gstables_rule_in_python_accepts_its_format() {
    verifies(Program::python(), "gstable", GSTABLE_EVENT).await;
}

#[tokio::test]
async fn while_a_secret_is_rotated_receivers_with_either_accept() {
    for (mut verifier, scheme) in
        [(Program::node(), "standard"), (Program::python(), "standard"), (Program::python(), "standard-v1a")]
    {
        let mut case = Case::start(scheme).await;
        let path = format!("/v1/endpoints/{}/rotate_secret", case.endpoint["id"].as_str().unwrap());
        let rotated = post(&case.bridge, &path, "{}".to_owned()).await;
        let request = case.delivered(EVENT).await;
        let (former, newer) = (case.secret().to_owned(), rotated["secret"].as_str().unwrap());
        for secret in [newer, &former] {
            assert_eq!(verifier.refusal(scheme, secret, (&request, 0)).await, None);
        }
        assert_eq!(request.headers["webhook-signature"].split(' ').count(), 2, "a signature by each");
        case.bridge.stop().await;
    }
}
