//! GStable's own API: its answers, its limits, and what is sent to a webhook that was made there.

use std::time::Duration;

use eventbus::Timestamp;
use http::{Method, StatusCode};
use ring::hmac;
use serde_json::{Value, json};
use webhook_bridge::Config;
use webhook_bridge::api::GstableConfig;
use webhook_bridge::ingress::{Source, SourceConfig};
use webhook_bridge::model::Mode;
use webhook_bridge::signing::Arrival;

use crate::Scene;
use crate::client::Client;
use crate::receiver::Request;

const PATH: &str = "/payment/v1/webhook";
const PAID: &str = r#"{"id":"evt_1","livemode":false,"type":"session.paid","source":"gstable","data":{"object":{"sessionId":"sess_1","amount":9007199254740993}},"object_id":"sess_1","created_at":"2026-01-04T08:10:35.000Z"}"#;

fn wish(scene: &Scene) -> Value {
    json!({
        "webhookName": "Shop ü",
        "webhookUrl": scene.receiver.url(),
        "webhookDescription": "d".repeat(1000),
        "subscribedEvents": ["session.paid", "payment.completed"],
    })
}

async fn at(config: &str) -> Scene {
    let config = GstableConfig::parse(config).unwrap();
    Scene::with(Config::new().gstable(config)).await
}

/// What was asked for, by the letter of the documented answer.
async fn done(scene: &Scene, path: &str, body: &Value) -> Value {
    let mut answer = asked(&scene.client, path, body).await;
    assert_eq!((&answer["code"], &answer["message"]), (&json!(0), &json!("success")), "{path}: {answer}");
    answer["data"].take()
}

/// With status 200, whatever came of it.
async fn asked(client: &Client, path: &str, body: &Value) -> Value {
    let method = if body.is_null() { Method::GET } else { Method::POST };
    let (status, answer) = client.plain(method, path, body).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

async fn code(client: &Client, path: &str, body: &Value) -> i64 {
    let answer = asked(client, path, body).await;
    assert!(answer["data"].is_null() && answer["message"].is_string(), "{answer}");
    answer["code"].as_i64().unwrap()
}

async fn made(scene: &Scene) -> Value {
    done(scene, &format!("{PATH}/create"), &wish(scene)).await
}

async fn paid(scene: &Scene, id: &str) -> Value {
    let event = serde_json::from_str(&PAID.replace("evt_1", id)).unwrap();
    scene.client.post("/v1/events", &event).await.1
}

/// As a merchant verifies, with none of the bridge's code; and as the bridge itself does.
fn is_signed(request: &Request, key: &str) -> bool {
    let time = request.header("x-gstable-timestamp");
    let signed = [time.as_bytes(), b":", &request.body].concat();
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), &signed);
    let digits: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let independent = digits == request.header("x-gstable-signature");
    let source = Source::new("gs", SourceConfig::new("gstable", key).mode(Mode::Test)).unwrap();
    let (method, path, query) = (&Method::POST, "/", "");
    let (headers, body, now) = (&request.headers, &request.body, Timestamp::now());
    let arrival = Arrival { method, path, query, headers, body, now };
    assert_eq!(source.verify(&arrival).is_ok(), independent, "both say the same");
    independent
}

#[tokio::test]
async fn a_webhook_is_made_as_documented_and_gets_what_gstable_would_sign() {
    let mut scene = Scene::start().await;
    let webhook = made(&scene).await;
    for (field, value) in wish(&scene).as_object().unwrap() {
        assert_eq!(&webhook[field], value, "{field}");
    }
    assert_eq!(webhook["status"], "active");
    let text = |field: &str| webhook[field].as_str().unwrap().to_owned();
    assert!(text("webhookId").starts_with("wkid_") && text("key").starts_with("wkk_"), "{webhook}");
    for field in ["createAt", "updateAt"] {
        assert_eq!((text(field).len(), &text(field)[10..11]), (19, " "), "{webhook}");
    }
    assert_eq!(webhook.as_object().unwrap().len(), 9, "{webhook}");
    let detail = done(&scene, &format!("{PATH}/detail/{}", text("webhookId")), &Value::Null).await;
    assert_eq!(detail, webhook, "with its key");
    assert_eq!(done(&scene, &format!("{PATH}/list"), &Value::Null).await, json!({ "webhooks": [webhook] }));

    assert_eq!(paid(&scene, "evt_1").await["deliveries"], 1);
    let request = scene.receiver.next().await;
    request.answer(StatusCode::OK);
    assert!(is_signed(&request, &text("key")));
    assert!(!is_signed(&request, "wkk_another_key_of_theirs"));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((&body["eventId"], &body["businessType"]), (&json!("evt_1"), &json!("session")));
    assert_eq!(body["payload"]["sessionData"]["amount"], json!(9_007_199_254_740_993_u64));
    scene.publish("evt_2").await;
    assert!(scene.receiver.is_empty(), "events of others are not its");
    scene.bridge.stop().await;
}

#[tokio::test]
async fn a_refreshed_key_signs_at_once_and_the_former_one_nothing() {
    let mut scene = Scene::start().await;
    let webhook = made(&scene).await;
    let named = json!({ "webhookId": webhook["webhookId"] });
    let refreshed = done(&scene, &format!("{PATH}/key/refresh"), &named).await;
    assert_eq!(refreshed["success"], true);
    let path = format!("{PATH}/detail/{}", webhook["webhookId"].as_str().unwrap());
    let detail = done(&scene, &path, &Value::Null).await;
    assert_eq!(detail["key"], refreshed["key"]);
    assert_ne!(detail["key"], webhook["key"]);
    paid(&scene, "evt_1").await;
    let request = scene.receiver.next().await;
    request.answer(StatusCode::OK);
    assert!(is_signed(&request, detail["key"].as_str().unwrap()));
    assert!(!is_signed(&request, webhook["key"].as_str().unwrap()));
    scene.bridge.stop().await;
}

#[tokio::test]
async fn an_update_replaces_all_but_what_others_attached() {
    let scene = Scene::start().await;
    let webhook = made(&scene).await;
    let id = webhook["webhookId"].as_str().unwrap();
    let native = format!("/v1/endpoints/{}", id.replace("wkid_", "we_"));
    let metadata = json!({ "webhookName": "Shop ü", "ours": 1 });
    scene.client.send(Method::PATCH, &native, &json!({ "metadata": metadata })).await;
    let other = json!({
        "webhookId": id, "webhookName": "Other", "webhookUrl": scene.receiver.url(), "subscribedEvents": ["product.created"],
    });
    assert_eq!(done(&scene, &format!("{PATH}/update"), &other).await, json!({ "success": true }));
    let detail = done(&scene, &format!("{PATH}/detail/{id}"), &Value::Null).await;
    assert_eq!((&detail["webhookName"], &detail["webhookDescription"]), (&json!("Other"), &json!("")));
    assert_eq!((&detail["subscribedEvents"], &detail["key"]), (&json!(["product.created"]), &webhook["key"]));
    let (_, endpoint) = scene.client.get(&native).await;
    assert_eq!(endpoint["metadata"], json!({ "webhookName": "Other", "ours": 1 }));
    scene.bridge.stop().await;
}

#[tokio::test]
async fn its_owner_makes_it_inactive_the_bridge_pauses_it_and_both_are_enabled() {
    let mut scene = Scene::start().await;
    let webhook = made(&scene).await;
    let id = webhook["webhookId"].as_str().unwrap();
    let named = json!({ "webhookId": id });
    let detail = format!("{PATH}/detail/{id}");
    let status = async |scene: &Scene| done(scene, &detail, &Value::Null).await["status"].clone();
    assert_eq!(done(&scene, &format!("{PATH}/disable"), &named).await, json!({ "success": true }));
    assert_eq!(status(&scene).await, "inactive");
    assert_eq!(paid(&scene, "evt_1").await["deliveries"], 0);
    assert_eq!(done(&scene, &format!("{PATH}/enable"), &named).await, json!({ "success": true }));
    assert_eq!(status(&scene).await, "active");

    let native = format!("/v1/endpoints/{}", id.replace("wkid_", "we_"));
    scene.client.send(Method::PATCH, &native, &json!({ "gone_policy": "immediate" })).await;
    paid(&scene, "evt_2").await;
    scene.receiver.next().await.answer(StatusCode::GONE);
    let paused = async { while status(&scene).await != "paused" {} };
    tokio::time::timeout(Duration::from_secs(30), paused).await.expect("paused by the bridge");
    done(&scene, &format!("{PATH}/enable"), &named).await;
    assert_eq!(status(&scene).await, "active");

    assert_eq!(done(&scene, &format!("{PATH}/remove"), &named).await, json!({ "success": true }));
    assert_eq!(code(&scene.client, &detail, &Value::Null).await, 990_101);
    assert_eq!(done(&scene, &format!("{PATH}/list"), &Value::Null).await, json!({ "webhooks": [] }));
    scene.bridge.stop().await;
}

#[tokio::test]
async fn what_is_not_asked_right_is_refused_with_its_code_and_changes_nothing() {
    let scene = Scene::start().await;
    let create = format!("{PATH}/create");
    for (field, value) in [
        ("webhookName", Value::Null),
        ("webhookName", json!("")),
        ("webhookName", json!("n".repeat(101))),
        ("webhookUrl", Value::Null),
        ("webhookUrl", json!("here")),
        ("webhookUrl", json!(format!("https://example.com/{}", "u".repeat(981)))),
        ("webhookUrl", json!("http://192.168.0.1/")),
        ("webhookDescription", json!("d".repeat(1001))),
        ("subscribedEvents", Value::Null),
        ("subscribedEvents", json!([])),
        ("subscribedEvents", json!([1])),
    ] {
        let mut wish = wish(&scene);
        wish[field] = value;
        assert_eq!(code(&scene.client, &create, &wish).await, 400_101, "{field}: {}", wish[field]);
    }
    let live = Client::new(scene.bridge.address(), scene.bridge.fresh_keys()[1].reveal());
    assert_eq!(code(&live, &create, &wish(&scene)).await, 400_101, "live ones go to https only");
    for path in ["disable", "enable", "key/refresh", "remove"] {
        let path = format!("{PATH}/{path}");
        assert_eq!(code(&scene.client, &path, &json!({})).await, 400_101, "{path}");
        assert_eq!(code(&scene.client, &path, &json!({ "webhookId": "wkid_no" })).await, 990_101, "{path}");
    }
    assert_eq!(done(&scene, &format!("{PATH}/list"), &Value::Null).await, json!({ "webhooks": [] }));
    scene.bridge.stop().await;
}

#[tokio::test]
async fn nobody_sees_or_changes_what_is_of_another_mode_or_no_webhook_of_gstables() {
    let scene = Scene::start().await;
    let webhook = made(&scene).await;
    let (_, endpoint) = scene.endpoint(&[]).await;
    let named = json!({ "webhookId": webhook["webhookId"] });
    let foreign = json!({ "webhookId": endpoint["id"].as_str().unwrap().replace("we_", "wkid_") });
    let live = Client::new(scene.bridge.address(), scene.bridge.fresh_keys()[1].reveal());
    let nobody = Client::new(scene.bridge.address(), "whb_test_no");
    for path in ["disable", "enable", "key/refresh", "remove", "update"] {
        let path = format!("{PATH}/{path}");
        assert_eq!(code(&live, &path, &named).await, 990_101, "{path}");
        assert_eq!(code(&scene.client, &path, &foreign).await, 990_101, "{path}");
        let (status, answer) = nobody.plain(Method::POST, &path, &named).await;
        assert_eq!((status, &answer["code"]), (StatusCode::UNAUTHORIZED, &json!(401)), "{path}");
    }
    for path in [format!("{PATH}/list"), format!("{PATH}/detail/{}", named["webhookId"].as_str().unwrap())] {
        assert_eq!(nobody.plain(Method::GET, &path, &Value::Null).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(asked(&live, &format!("{PATH}/list"), &Value::Null).await["data"], json!({ "webhooks": [] }));
    assert_eq!(done(&scene, &format!("{PATH}/list"), &Value::Null).await, json!({ "webhooks": [webhook] }));
    scene.bridge.stop().await;
}

#[tokio::test]
async fn there_are_ten_at_most_however_many_are_made_at_once() {
    let scene = Scene::start().await;
    let create = format!("{PATH}/create");
    let wish = wish(&scene);
    let answers = futures::future::join_all((0..12).map(|_| asked(&scene.client, &create, &wish))).await;
    let codes: Vec<_> = answers.iter().filter_map(|answer| answer["code"].as_i64()).collect();
    assert_eq!(codes.iter().filter(|&&code| code == 0).count(), 10);
    assert_eq!(codes.iter().filter(|&&code| code == 990_102).count(), 2);
    let id = answers.iter().find(|answer| answer["code"] == 0).unwrap()["data"]["webhookId"].clone();
    done(&scene, &format!("{PATH}/remove"), &json!({ "webhookId": id })).await;
    made(&scene).await;
    scene.bridge.stop().await;
}

#[tokio::test]
async fn what_gstable_does_not_say_is_a_setting() {
    let mut scene = at(
        r#"{"paths":["/elsewhere","/"],"most":1,"unknown_events":false,"while_inactive":"keep","zone":"+08:00","limit_code":7,"not_found_code":8}"#,
    )
    .await;
    let wish = |event: &str| json!({ "webhookName": "n", "webhookUrl": scene.receiver.url(), "subscribedEvents": [event] });
    assert_eq!(code(&scene.client, "/elsewhere/webhook/create", &wish("payment.completed")).await, 400_101);
    let (known, one_more) = (wish("session.*"), wish("session.paid"));
    let webhook = done(&scene, "/elsewhere/webhook/create", &known).await;
    assert_eq!(code(&scene.client, "/webhook/create", &one_more).await, 7);
    assert_eq!(code(&scene.client, "/webhook/detail/wkid_no", &Value::Null).await, 8);
    assert_eq!(
        scene.client.plain(Method::GET, &format!("{PATH}/list"), &Value::Null).await.0,
        StatusCode::NOT_FOUND
    );
    let zone: eventbus::gstable::UtcOffset = "+08:00".parse().unwrap();
    let made = zone.instant(webhook["createAt"].as_str().unwrap()).unwrap();
    assert!(Timestamp::now().since(made) < Duration::from_secs(600), "{webhook}");

    let named = json!({ "webhookId": webhook["webhookId"] });
    done(&scene, "/webhook/disable", &named).await;
    assert_eq!(paid(&scene, "evt_1").await["deliveries"], 1, "it gathers");
    let (_, listed) = scene.client.get("/v1/deliveries").await;
    assert_eq!(listed["list"][0]["state"], "pending", "{listed}");
    done(&scene, "/webhook/enable", &named).await;
    scene.receiver.next().await.answer(StatusCode::OK);
    scene.bridge.stop().await;
}
