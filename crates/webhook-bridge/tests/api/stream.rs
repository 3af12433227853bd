//! Events as they are stored, to whoever listens.

use std::time::Duration;

use http::{Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::client::Client;
use crate::{EVENT, Scene};

pub(crate) const PATH: &str = "/v1/events/stream";

/// Reads until this was said.
pub(crate) async fn until(stream: &mut Incoming, text: &str) -> String {
    let mut read = String::new();
    let said = async {
        while !read.contains(text) {
            let frame = stream.frame().await.expect(text).unwrap();
            read += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
        }
    };
    // What is sent where there is nothing to say does not count.
    timeout(Duration::from_secs(20), said).await.expect(text);
    read
}

#[tokio::test]
async fn a_listener_hears_its_mode_and_what_it_missed_and_keeps_no_bridge_from_stopping() {
    let scene = Scene::start().await;
    let live = Client::new(scene.bridge.address(), scene.bridge.fresh_keys()[1].reveal());
    scene.publish("evt_before").await;
    let (mut stream, mut other) = (scene.client.listen(PATH, None).await, live.listen(PATH, None).await);
    until(&mut stream, "event: ready").await;
    until(&mut other, "event: ready").await;
    scene.publish("evt_1").await;
    let heard = until(&mut stream, "evt_1").await;
    assert!(!heard.contains("evt_before"), "{heard}");
    let data = heard.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
    let event: Value = serde_json::from_str(data).unwrap();
    assert_eq!((&event["id"], &event["type"]), (&"evt_1".into(), &"checkout.session.completed".into()));

    // One that comes again hears what came meanwhile; of much only the newest, and how much it missed.
    let no = heard.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    for batch in 0..3 {
        let events: Vec<Value> = (0..100)
            .map(|one| serde_json::from_str(&EVENT.replace("evt_1", &format!("evt_{batch}_{one}"))).unwrap())
            .collect();
        assert!(scene.client.post("/v1/events/batch", &events.into()).await.0.is_success());
    }
    let mut again = scene.client.listen(PATH, Some(no)).await;
    scene.publish("evt_last").await;
    let heard = until(&mut again, "evt_last").await;
    assert!(heard.contains("event: missed\ndata: {\"count\":101,\"more\":false}"), "{}", &heard[..200]);
    assert_eq!(heard.matches("event: event").count(), 200);

    let event = serde_json::from_str(&EVENT.replace("evt_1", "evt_live").replace("false", "true")).unwrap();
    assert!(live.post("/v1/events", &event).await.0.is_success());
    let heard = until(&mut other, "evt_live").await;
    assert_eq!(heard.matches("event: event").count(), 1, "{heard}");
    let began = Instant::now();
    scene.bridge.stop().await;
    assert!(began.elapsed() < Duration::from_secs(5), "who listens is sent away");
}

/// How long a stream goes on that has to end: less than it takes until somebody looks by the way.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test]
async fn who_may_not_listen_any_more_hears_nothing_of_what_comes_then() {
    let scene = Scene::start().await;
    let (_, made) = scene.client.post("/v1/api_keys", &json!({ "name": "a listener" })).await;
    let (address, key) = (scene.bridge.address(), made["key"].as_str().unwrap());
    let by_key = Client::new(address, key);
    let [leaves, stays] = [Client::signed_in(address, key).await, Client::signed_in(address, key).await];
    let mut streams = Vec::new();
    for client in [&by_key, &leaves, &stays] {
        let mut stream = client.listen(PATH, None).await;
        until(&mut stream, "event: ready").await;
        streams.push(stream);
    }
    assert_eq!(leaves.send(Method::DELETE, "/v1/session", &Value::Null).await.0, StatusCode::OK);
    scene.publish("evt_1").await;
    assert_eq!(rest(streams.remove(1)).await, "", "signed out");
    for stream in &mut streams {
        until(stream, "evt_1").await;
    }
    let path = format!("/v1/api_keys/{}", made["id"].as_str().unwrap());
    assert_eq!(scene.client.send(Method::DELETE, &path, &Value::Null).await.0, StatusCode::OK);
    scene.publish("evt_2").await;
    for stream in streams {
        assert_eq!(rest(stream).await, "", "its key is gone");
    }
    scene.bridge.stop().await;
}

/// What is said until it ends.
async fn rest(stream: Incoming) -> String {
    let rest = timeout(SOON, stream.collect()).await.expect("it ends").unwrap().to_bytes();
    String::from_utf8(rest.to_vec()).unwrap()
}

#[tokio::test]
async fn only_so_many_listen_at_once() {
    let scene = Scene::start().await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(scene.client.listen(PATH, None).await);
    }
    assert_eq!(scene.client.get(PATH).await.0, StatusCode::CONFLICT);
    drop(streams);
    scene.bridge.stop().await;
}
