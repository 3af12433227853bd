//! What a key may not see or do: what is of the other mode, and what would outlive it.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::Client;
use crate::{EVENT, Scene};

/// Everything there is in the test mode, asked for with the key of the live mode.
#[tokio::test]
async fn the_other_mode_sees_nothing_and_changes_nothing() {
    let mut scene = Scene::start().await;
    let (path, made) = scene.endpoint(&[]).await;
    scene.publish("evt_1").await;
    scene.receiver.next().await.answer(StatusCode::OK);
    let id = made["id"].as_str().unwrap();
    let key = scene.client.get("/v1/api_keys").await.1["list"][0]["id"].as_str().unwrap().to_owned();
    let delivery = scene.client.get("/v1/deliveries").await.1["list"][0]["id"].as_str().unwrap().to_owned();
    scene.delivery(&delivery, "succeeded").await;
    let live = Client::new(scene.bridge.address(), scene.bridge.fresh_keys()[1].reveal());
    for list in [
        "/v1/events".to_owned(),
        "/v1/events?q=evt_1".to_owned(),
        "/v1/events?key=cs_1".to_owned(),
        "/v1/deliveries".to_owned(),
        "/v1/deliveries?event=evt_1".to_owned(),
        "/v1/deliveries?q=evt_1".to_owned(),
        "/v1/deliveries?key=cs_1".to_owned(),
        "/v1/deliveries?state=succeeded".to_owned(),
        format!("/v1/deliveries?q={delivery}"),
        format!("/v1/deliveries?endpoint={id}"),
        format!("/v1/attempts?endpoint={id}"),
    ] {
        let (status, listed) = live.get(&list).await;
        assert_eq!((status, &listed["list"]), (StatusCode::OK, &json!([])), "{list}");
        if !list.contains("key=") {
            assert_ne!(scene.client.get(&list).await.1["list"], json!([]), "{list}");
        }
    }
    let (_, keys) = live.get("/v1/api_keys").await;
    assert_eq!(keys["list"].as_array().unwrap().len(), 1);
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/test")),
        (Method::GET, "/v1/events/evt_1".to_owned()),
        (Method::GET, "/v1/events/evt_1/body".to_owned()),
        (Method::GET, "/v1/events/evt_1/deliveries".to_owned()),
        (Method::GET, format!("/v1/events/evt_1/explain?endpoint={id}")),
        (Method::GET, format!("/v1/deliveries/{delivery}")),
        (Method::GET, format!("/v1/deliveries/{delivery}/attempts")),
        (Method::POST, format!("/v1/deliveries/{delivery}/resend")),
        (Method::POST, format!("/v1/deliveries/{delivery}/release")),
        (Method::DELETE, format!("/v1/api_keys/{key}")),
    ] {
        let (status, problem) = live.send(method, &path, &Value::Null).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {problem}");
    }
    for path in ["/v1/events", "/v1/events/batch"] {
        let event = if path == "/v1/events" { EVENT.to_owned() } else { format!("[{EVENT}]") };
        let (status, problem) = live.text(path, ("application/json", &event)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
    }
    scene.bridge.stop().await;
}

/// Who was let in for a day may not let anybody in for ever, nor lock the owner out.
#[tokio::test]
async fn a_key_that_runs_out_makes_and_deletes_no_keys() {
    let scene = Scene::start().await;
    let day = json!({ "name": "for a day", "expires_at": "2999-01-01T00:00:00Z" });
    let (status, made) = scene.client.post("/v1/api_keys", &day).await;
    assert_eq!(status, StatusCode::CREATED, "{made}");
    scene.client.post("/v1/api_keys", &json!({ "name": "second" })).await;
    let guest = Client::new(scene.bridge.address(), made["key"].as_str().unwrap());
    let (status, listed) = guest.get("/v1/api_keys").await;
    assert_eq!((status, listed["list"].as_array().unwrap().len()), (StatusCode::OK, 3));
    for body in [json!({}), day] {
        assert_eq!(guest.post("/v1/api_keys", &body).await.0, StatusCode::FORBIDDEN);
    }
    for key in listed["list"].as_array().unwrap() {
        let path = format!("/v1/api_keys/{}", key["id"].as_str().unwrap());
        assert_eq!(guest.send(Method::DELETE, &path, &Value::Null).await.0, StatusCode::FORBIDDEN);
    }
    scene.bridge.stop().await;
}
