//! Lists: every filter narrows every list, and every page but the last says where the next begins.

use http::StatusCode;
use serde_json::{Value, json};

use crate::{EVENT, Scene};

impl Scene {
    /// All that is on the pages of a list, by a field.
    async fn all(&self, path: &str, field: &str) -> Vec<String> {
        let (mut at, mut listed) = (path.to_owned(), Vec::new());
        loop {
            let (status, page) = self.client.get(&at).await;
            assert_eq!(status, StatusCode::OK, "{at}: {page}");
            let list = page["list"].as_array().unwrap();
            listed.extend(list.iter().map(|one| one[field].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { return listed };
            at = format!("{path}&cursor={next}");
        }
    }
}

#[tokio::test]
async fn every_filter_narrows_every_list() {
    let mut scene = Scene::start().await;
    let (_, one) = scene.endpoint(&[]).await;
    let (_, other) = scene.endpoint(&[]).await;
    let (one, other) = (one["id"].as_str().unwrap(), other["id"].as_str().unwrap());
    for event in ["evt_1", "evt_2"] {
        let event: Value =
            serde_json::from_str(&EVENT.replace("evt_1", event).replace("cs_1", event)).unwrap();
        scene.client.post("/v1/events", &event).await;
        for _ in 0..2 {
            scene.receiver.next().await.answer(StatusCode::OK);
        }
    }
    let ids = scene.all("/v1/deliveries?limit=1", "id").await;
    for id in &ids {
        scene.delivery(id, "succeeded").await;
    }
    for (query, expected) in [
        ("event=evt_1", vec![one, other]),
        ("q=evt_1", vec![one, other]),
        ("event=evt_1&state=succeeded", vec![one, other]),
        ("event=evt_1&state=exhausted", vec![]),
        ("event=evt_1&type=refund.created", vec![]),
        ("event=evt_1&key=other", vec![]),
        ("event=evt_1&until=2026-01-02T00:00:00Z", vec![]),
        ("event=evt_1&since=2999-01-02T00:00:00Z", vec![]),
        ("q=evt_1&state=exhausted", vec![]),
        (&format!("event=evt_1&endpoint={other}"), vec![other]),
        (&format!("q=evt_1&endpoint={other}"), vec![other]),
        (&format!("q={}&endpoint={other}", ids[0]), vec![]),
        (&format!("q={}&state=exhausted", ids[0]), vec![]),
        (&format!("q={}&until=2026-01-02T00:00:00Z", ids[0]), vec![]),
        (&format!("q={}", ids[0]), vec![one]),
    ] {
        for limit in [1, 250] {
            let path = format!("/v1/deliveries?{query}&limit={limit}");
            assert_eq!(scene.all(&path, "endpoint").await, expected, "{path}");
        }
    }
    assert_eq!(scene.all("/v1/events/evt_1/deliveries?limit=1", "endpoint").await, [one, other]);
    let none: [&str; 0] = [];
    assert_eq!(scene.all("/v1/events/evt_1/deliveries?source=other", "endpoint").await, none);
    assert_eq!(scene.all("/v1/events?q=evt_1&limit=1", "id").await, ["evt_1"]);
    for query in ["type=refund.created", "source=other", "key=other", "until=2026-01-02T00:00:00Z"] {
        assert_eq!(scene.all(&format!("/v1/events?q=evt_1&{query}"), "id").await, none, "{query}");
    }
    scene.bridge.stop().await;
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused() {
    let scene = Scene::start().await;
    let wish = json!({ "url": scene.receiver.url(), "enabled_events": ["*"], "source": "" });
    let (status, problem) = scene.client.post("/v1/endpoints", &wish).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "no event has no source: {problem}");
    for path in ["/v1/endpoints?cursor=we_0", "/v1/deliveries?q=a&key=b", "/v1/events?q=a&key=b"] {
        assert_eq!(scene.client.get(path).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    }
    let late = "/v1/events?expires_at=2001-01-01T00:00:00Z";
    let event = serde_json::from_str(EVENT).unwrap();
    assert_eq!(scene.client.post(late, &event).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(scene.client.publish_at(late, ("fresh", EVENT)).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(scene.client.get("/v1/events/evt_1").await.0, StatusCode::NOT_FOUND);
    scene.bridge.stop().await;
}

#[tokio::test]
async fn a_key_of_publishing_is_for_the_same_bytes_and_the_same_time() {
    let scene = Scene::start().await;
    let at = |year| format!("/v1/events?expires_at={year}-01-01T00:00:00Z");
    let first = scene.client.publish_at(&at(2998), ("key", EVENT)).await;
    assert_eq!(first.0, StatusCode::ACCEPTED);
    assert_eq!(scene.client.publish_at(&at(2998), ("key", EVENT)).await, first);
    assert_eq!(scene.client.publish_at(&at(2999), ("key", EVENT)).await.0, StatusCode::CONFLICT);
    assert_eq!(scene.client.publish("key", EVENT).await.0, StatusCode::CONFLICT);

    let batch = format!("[{},{}]", EVENT.replace("evt_1", "evt_2"), EVENT.replace("evt_1", "evt_3"));
    let first = scene.client.publish_at("/v1/events/batch", ("batch", &batch)).await;
    assert_eq!((first.0, &first.1["list"][1]["duplicate"]), (StatusCode::ACCEPTED, &json!(false)));
    assert_eq!(scene.client.publish_at("/v1/events/batch", ("batch", &batch)).await, first);
    let (status, _) = scene.client.publish_at("/v1/events/batch", ("batch", &format!("[{EVENT}]"))).await;
    assert_eq!(status, StatusCode::CONFLICT);
    scene.bridge.stop().await;
}

#[tokio::test]
async fn a_batch_has_so_many_events_and_none_more() {
    let scene = Scene::start().await;
    let events = |count| (0..count).map(|n| EVENT.replace("evt_1", &format!("evt_{n}"))).collect::<Vec<_>>();
    for (count, status) in [
        (257, StatusCode::UNPROCESSABLE_ENTITY),
        (0, StatusCode::UNPROCESSABLE_ENTITY),
        (256, StatusCode::ACCEPTED),
    ] {
        let array = format!("[{}]", events(count).join(","));
        let lines = events(count).join("\n");
        for (kind, body) in [("application/json", array), ("application/x-ndjson", lines)] {
            assert_eq!(
                scene.client.text("/v1/events/batch", (kind, &body)).await.0,
                status,
                "{count} {kind}"
            );
        }
        let there = scene.client.get("/v1/events?limit=1").await.1["list"].as_array().unwrap().len();
        assert_eq!(there, usize::from(status.is_success()), "all or none");
    }
    scene.bridge.stop().await;
}

/// Counted once, however often it is asked for.
#[tokio::test]
async fn publishing_again_with_a_key_counts_nothing() {
    let scene = Scene::start().await;
    let counted = || async {
        let text = scene.client.bytes("/metrics").await;
        let text = std::str::from_utf8(&text).unwrap().to_owned();
        let lines = text.lines().filter(|line| line.contains("intake=\"http\""));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let first = scene.client.publish("key", EVENT).await;
    let once = counted().await;
    assert!(!once.is_empty());
    assert_eq!(scene.client.publish("key", EVENT).await, first);
    assert_eq!(counted().await, once);
    scene.bridge.stop().await;
}
