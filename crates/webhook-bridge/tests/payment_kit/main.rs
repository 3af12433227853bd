//! Payment Kit's published client against the bridge, and its verifier against what the bridge sends.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test helper that fails is a test that fails")]

#[allow(dead_code, reason = "the whole loop's tests need more of it")]
mod node;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use eventbus::payment_kit::{CustomerSubscriptionRenewed, Subscription};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use webhook_bridge::model::Mode;
use webhook_bridge::signing::AppKey;
use webhook_bridge::{Bridge, Config};

use node::Node;

/// RFC 8032's first test key, as `BLOCKLET_APP_SK` has it.
const KEY: &str = "0x9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
/// Its second one.
const OTHER: &str = "0x4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";

const ANY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn bridge(folder: &tempfile::TempDir) -> Bridge {
    bridge_to(folder, 1).await
}

/// A bridge that may call this port of this machine.
async fn bridge_to(folder: &tempfile::TempDir, port: u64) -> Bridge {
    let target = format!("127.0.0.1/32:{port}").parse().unwrap();
    let config = Config::new().data(folder.path()).listen(ANY).allow_targets(vec![target]);
    Bridge::start(config.app_key(AppKey::parse(KEY).unwrap())).await.unwrap()
}

fn wish(path: &str) -> Value {
    json!({
        "url": format!("https://127.0.0.1:1{path}"),
        "enabled_events": ["checkout.session.completed", "customer.subscription.*"],
        "description": "ü",
        "metadata": { "n": 1.5, "nested": { "list": [1, null, "x"] } },
    })
}

fn fields(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn the_published_client_creates_retrieves_updates_and_deletes() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = bridge(&folder).await;
    let mut node = Node::start(bridge.address(), KEY);

    let made = node.get(Mode::Live, "create", json!([wish("")])).await;
    let all = [
        "id",
        "livemode",
        "api_version",
        "url",
        "description",
        "enabled_events",
        "metadata",
        "status",
        "created_at",
        "created_via",
        "updated_at",
    ];
    assert_eq!(fields(&made), BTreeSet::from(all));
    for (field, value) in wish("").as_object().unwrap() {
        assert_eq!(&made[field], value, "{field}");
    }
    assert_eq!((&made["status"], &made["created_via"]), (&json!("enabled"), &json!("api")));
    assert_eq!((&made["livemode"], &made["api_version"]), (&json!(true), &json!("2023-09-05")));

    let id = &made["id"];
    let mut found = node.get(Mode::Live, "retrieve", json!([id])).await;
    assert_eq!((found["object"].take(), found["attempts"].take()), (json!("webhook_endpoint"), json!([])));
    found.as_object_mut().unwrap().retain(|field, _| field != "object" && field != "attempts");
    assert_eq!(found, made);

    let change = json!({ "enabled_events": ["refund.created"], "status": "disabled" });
    let changed = node.get(Mode::Live, "update", json!([id, change])).await;
    assert_eq!(
        (&changed["enabled_events"], &changed["status"]),
        (&json!(["refund.created"]), &json!("disabled"))
    );
    assert_eq!((&changed["url"], &changed["metadata"]), (&made["url"], &made["metadata"]), "the rest stays");

    assert_eq!(&node.get(Mode::Live, "del", json!([id])).await["id"], id);
    let gone = json!({ "status": 404, "refusal": { "error": "webhook endpoint not found" } });
    for (method, parameters) in [("retrieve", json!([id])), ("update", json!([id, {}])), ("del", json!([id]))]
    {
        assert_eq!(node.call(Mode::Live, method, parameters).await, gone, "{method}");
    }
    bridge.stop().await;
}

#[tokio::test]
async fn the_published_client_lists_by_page_and_order_and_mode() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = bridge(&folder).await;
    let mut node = Node::start(bridge.address(), KEY);
    for path in ["/b", "/a", "/c"] {
        node.get(Mode::Live, "create", json!([wish(path)])).await;
    }
    node.get(Mode::Test, "create", json!([wish("/test")])).await;

    for (parameters, paths) in [
        (json!([]), vec!["/c", "/a", "/b"]),
        (json!([{ "page": 1, "pageSize": 2 }]), vec!["/c", "/a"]),
        (json!([{ "page": 2, "pageSize": 2 }]), vec!["/b"]),
        (json!([{ "page": 1, "size": 100 }]), vec!["/c", "/a", "/b"]),
        (json!([{ "order": "created_at:ASC" }]), vec!["/b", "/a", "/c"]),
        (json!([{ "order": [["url", "ASC"], ["created_at", "DESC"]], "limit": 2 }]), vec!["/a", "/b"]),
        (json!([{ "order": ["url:DESC"], "query": { "deep": [{ "er": null }] } }]), vec!["/c", "/b", "/a"]),
    ] {
        let listed = node.get(Mode::Live, "list", parameters.clone()).await;
        let urls = listed["list"].as_array().unwrap().iter().map(|one| one["url"].as_str().unwrap());
        let listed_paths: Vec<_> = urls.map(|url| &url["https://127.0.0.1:1".len()..]).collect();
        assert_eq!((listed["count"].as_u64(), listed_paths), (Some(3), paths), "{parameters}");
    }
    assert_eq!(node.get(Mode::Test, "list", json!([])).await["count"], 1, "test and live are walls");
    bridge.stop().await;
}

#[tokio::test]
async fn a_request_that_is_sent_again_makes_no_second_endpoint_until_the_first_is_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = bridge(&folder).await;
    let mut node = Node::start(bridge.address(), KEY);
    let first = node.get(Mode::Live, "create", json!([wish("/a")])).await;
    assert_eq!(node.get(Mode::Live, "create", json!([wish("/a")])).await, first);
    node.get(Mode::Live, "del", json!([first["id"]])).await;
    assert_ne!(node.get(Mode::Live, "create", json!([wish("/a")])).await["id"], first["id"]);
    bridge.stop().await;
}

#[tokio::test]
async fn whoever_has_another_key_and_whatever_is_not_allowed_is_refused_in_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = bridge(&folder).await;
    let mut stranger = Node::start(bridge.address(), OTHER);
    let refused = json!({ "status": 401, "refusal": { "error": "verify sig failed" } });
    assert_eq!(stranger.call(Mode::Live, "list", json!([])).await, refused);
    assert_eq!(stranger.call(Mode::Live, "create", json!([wish("/a")])).await, refused);

    let mut node = Node::start(bridge.address(), KEY);
    for (wish, word) in [
        (json!({ "enabled_events": ["*"] }), "url: is required"),
        (json!({ "url": "https://127.0.0.1:1/" }), "enabled_events: is required"),
        (
            json!({ "url": "http://127.0.0.1:1/", "enabled_events": ["*"] }),
            "url: live events go to https only",
        ),
        (json!({ "url": "https://127.0.0.1:9/", "enabled_events": ["*"] }), "url: "),
        (json!({ "url": "https://127.0.0.1:1/", "enabled_events": ["a..b"] }), "enabled_events: "),
    ] {
        let answer = node.call(Mode::Live, "create", json!([wish])).await;
        let text = answer["refusal"]["error"].as_str().unwrap_or_default();
        assert!(answer["status"] == 400 && text.starts_with(word), "{answer}");
    }
    bridge.stop().await;
}

#[tokio::test]
async fn without_a_key_of_an_application_nobody_is_let_in() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = Bridge::start(Config::new().data(folder.path()).listen(ANY)).await.unwrap();
    let mut node = Node::start(bridge.address(), KEY);
    assert_eq!(node.call(Mode::Live, "list", json!([])).await["status"], 401);
    bridge.stop().await;
}

#[tokio::test]
async fn what_it_registered_gets_what_the_real_verifier_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let mut receiver = Node::start(ANY, KEY);
    let port = receiver.receive().await;
    let bridge = bridge_to(&folder, port).await;
    let mut node = Node::start(bridge.address(), KEY);
    let wish = json!({
        "url": format!("http://127.0.0.1:{port}/api/payment/callback?of=shop"),
        "enabled_events": ["customer.subscription.renewed"],
    });
    let made = node.get(Mode::Test, "create", json!([wish])).await;
    let object = Subscription { id: "sub_ü".into(), ..Subscription::default() };
    bridge.bus().publish(CustomerSubscriptionRenewed::new(object)).await.unwrap();
    let got = receiver.next().await;
    assert_eq!((&got["status"], &got["body"]["data"]["object"]["id"]), (&json!(200), &json!("sub_ü")));
    for other in ["tampered", "elsewhere", "stale"] {
        assert_eq!(got[other], 401, "the same request, {other}");
    }

    let attempt = loop {
        // An answer is stored after it was given.
        let mut found = node.get(Mode::Test, "retrieve", json!([made["id"]])).await;
        if found["attempts"] != json!([]) {
            break found["attempts"][0].take();
        }
    };
    for (field, value) in [
        ("object", json!("webhook_attempt")),
        ("livemode", json!(false)),
        ("event_id", got["body"]["id"].clone()),
        ("webhook_endpoint_id", made["id"].clone()),
        ("status", json!("succeeded")),
        ("response_status", json!(200)),
        ("response_body", json!({})),
        ("retry_count", json!(1)),
    ] {
        assert_eq!(attempt[field], value, "{field}");
    }
    bridge.stop().await;
}

/// Sends a request that was signed for `/api/webhook-endpoints`, perhaps to elsewhere.
async fn send(bridge: &Bridge, signed: &Value, (path, body): (&str, &str)) -> u16 {
    let text = |name| signed[name].as_str().map_or_else(|| signed[name].to_string(), str::to_owned);
    let request = http::Request::post(format!("http://{}{path}", bridge.address()))
        .header("content-type", "application/json")
        .header("x-component-sig", text("sig"))
        .header("x-component-sig-iat", text("iat"))
        .header("x-component-sig-exp", text("exp"))
        .body(Full::<Bytes>::from(body.to_owned()));
    let client = Client::builder(TokioExecutor::new()).build_http();
    client.request(request.unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn a_captured_request_passes_again_while_it_is_good_and_only_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = bridge(&folder).await;
    let mut node = Node::start(bridge.address(), KEY);
    let path = "/api/webhook-endpoints?livemode=true";
    let request = json!({ "method": "POST", "url": path, "data": wish("/a") });
    let signed = node.sign(request).await;
    let body = wish("/a").to_string();
    for _ in 0..2 {
        assert_eq!(send(&bridge, &signed, (path, &body)).await, 200);
    }
    assert_eq!(node.get(Mode::Live, "list", json!([])).await["count"], 1, "and makes no second endpoint");
    let test = path.replace("true", "false");
    for other in
        [(path, body.replace("/a", "/b").as_str()), (&test, &body), ("/api/webhook-endpoints", &body)]
    {
        assert_eq!(send(&bridge, &signed, other).await, 401, "{other:?}");
    }
    bridge.stop().await;
}
