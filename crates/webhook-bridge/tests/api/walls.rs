//! What a key may not see or do: what is of the other mode, and what would outlive it. Every operation of the document is
//! tried, so that a new one without a wall is found.

use std::time::Duration;

use eventbus::{AnyEvent, HandlerError, Retry};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, Client};
use crate::{EVENT, Scene, stream};

/// A group of somebody else's on the same bus, which gives up what it gets.
const GROUP: &str = "ledger";
/// Whatever a mode has, these say nothing of it: numbers of a group are of both modes, and types of none.
const OF_NO_MODE: [&str; 3] = ["/v1/event_types", "/v1/groups", "/v1/groups/{id}"];

/// One of everything in the test mode.
struct Test {
    scene: Scene,
    live: Client,
    endpoint: String,
    delivery: String,
    key: String,
    letter: String,
}

/// An operation of the document.
struct Operation {
    method: Method,
    path: String,
    /// Whether it names the endpoint it is about in its query.
    of_endpoint: bool,
    secured: bool,
}

impl Operation {
    /// All of them; those that delete last, and of these the one that deletes keys.
    async fn all(client: &Client) -> Vec<Self> {
        let (_, document) = client.get("/v1/openapi.json").await;
        let mut all = Vec::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let asked = operation["parameters"].as_array().cloned().unwrap_or_default();
                all.push(Self {
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.clone(),
                    of_endpoint: asked.iter().any(|one| one["name"] == "endpoint" && one["required"] == true),
                    secured: operation["security"].is_array(),
                });
            }
        }
        all.sort_by_key(|one| (one.method == Method::DELETE, one.path.contains("api_keys")));
        assert!(all.len() >= 40, "{}", all.len());
        all
    }

    /// A request that changes something wherever it is let.
    fn body(&self) -> Value {
        let since = "2026-01-01T00:00:00Z";
        match self.path.rsplit('/').next().unwrap() {
            _ if self.method == Method::GET || self.method == Method::DELETE => Value::Null,
            _ if self.method == Method::PATCH => json!({ "description": "taken", "status": "disabled" }),
            "recover" | "replay" => json!({ "since": since }),
            "enable" => json!({ "recover_since": since }),
            "rotate_secret" => json!({ "overlap_seconds": 0 }),
            "purge" => json!({ "all": true }),
            _ => json!({}),
        }
    }

    async fn call(&self, client: &Client, (id, endpoint): (&str, &str)) -> Answer {
        let query = if self.of_endpoint { format!("?endpoint={endpoint}") } else { String::new() };
        let path = format!("{}{query}", self.path.replace("{id}", id));
        client.send(self.method.clone(), &path, &self.body()).await
    }
}

impl Test {
    async fn start() -> Self {
        let mut scene = Scene::start().await;
        let (_, made) = scene.endpoint(&[]).await;
        let keyed = EVENT.replace("\"source\"", "\"object_id\":\"cs_1\",\"source\"");
        assert_eq!(scene.client.publish("first", &keyed).await.0, StatusCode::ACCEPTED);
        scene.receiver.next().await.answer(StatusCode::OK);
        let delivery =
            scene.client.get("/v1/deliveries").await.1["list"][0]["id"].as_str().unwrap().to_owned();
        scene.delivery(&delivery, "succeeded").await;
        let letter = give_up(&mut scene).await;
        let key = scene.client.get("/v1/api_keys").await.1["list"][0]["id"].as_str().unwrap().to_owned();
        let live = Client::new(scene.bridge.address(), scene.bridge.fresh_keys()[1].reveal());
        let endpoint = made["id"].as_str().unwrap().to_owned();
        Self { scene, live, endpoint, delivery, key, letter }
    }

    /// What is at a path, and what of its kind nobody has.
    fn ids(&self, path: &str) -> Option<(&str, &'static str)> {
        let noun = path.strip_prefix("/v1/")?.split('/').next()?;
        Some(match noun {
            _ if !path.contains("{id}") => return None,
            "endpoints" => (self.endpoint.as_str(), "we_none"),
            "deliveries" => (self.delivery.as_str(), "dlv_9_9"),
            "events" => ("evt_1", "evt_none"),
            "api_keys" => (self.key.as_str(), "key_none"),
            "groups" => (GROUP, "nobody"),
            other => panic!("{other}: what of a mode is that?"),
        })
    }

    /// Whether an answer tells of something that the test mode has.
    fn tells(&self, answer: &Value) -> bool {
        let text = answer.to_string();
        let own = [self.endpoint.as_str(), &self.delivery, &self.key, "evt_1", "evt_dead", "cs_1"];
        own.iter().any(|id| text.contains(&format!("\"{id}\"")))
    }

    /// All that the test mode has, but for when its keys were used.
    async fn all(&self) -> Vec<Value> {
        let endpoint = format!("/v1/endpoints/{}", self.endpoint);
        let mut all = Vec::new();
        for path in [
            "/v1/endpoints",
            &endpoint,
            &format!("{endpoint}/secrets"),
            "/v1/events",
            "/v1/deliveries",
            &format!("/v1/attempts?endpoint={}", self.endpoint),
            "/v1/api_keys",
            "/v1/session",
            &format!("/v1/groups/{GROUP}/dead_letters"),
        ] {
            let (status, mut found) = self.scene.client.get(path).await;
            assert_eq!(status, StatusCode::OK, "{path}: {found}");
            for one in found["list"].as_array_mut().into_iter().flatten() {
                one.as_object_mut().unwrap().remove("last_used_at");
            }
            all.push(found);
        }
        all.push(self.scene.client.tag(&endpoint).await.into());
        all
    }

    async fn stop(self) {
        // What it was made to send again is not waited for.
        drop(self.scene.receiver);
        self.scene.bridge.stop().await;
    }
}

/// Lets the group give up an event of the test mode, which the bridge has too; gives the dead letter's number.
async fn give_up(scene: &mut Scene) -> String {
    let refuse = |_: AnyEvent| async { Err::<(), _>(HandlerError::permanent("the ledger is closed")) };
    let bus = scene.bridge.bus();
    bus.subscribe(GROUP).on(refuse).retry(Retry::never()).start().await.unwrap();
    bus.publish(AnyEvent::from_json(EVENT.replace("evt_1", "evt_dead")).unwrap()).await.unwrap();
    scene.receiver.next().await.answer(StatusCode::OK);
    let (_, owed) = scene.client.get("/v1/events/evt_dead/deliveries").await;
    scene.delivery(owed["list"][0]["id"].as_str().unwrap(), "succeeded").await;
    let dead = async {
        loop {
            let (_, found) = scene.client.get(&format!("/v1/groups/{GROUP}/dead_letters")).await;
            if let Some(id) = found["list"][0]["id"].as_str() {
                return id.to_owned();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), dead).await.expect("it is given up")
}

/// For whoever has the key of the other mode, what is there is as if it were not.
#[tokio::test]
async fn the_other_mode_is_told_of_nothing_and_changes_nothing() {
    let test = Test::start().await;
    let before = test.all().await;
    for operation in Operation::all(&test.live).await {
        let name = format!("{} {}", operation.method, operation.path);
        // It does not end: below.
        if operation.path.ends_with("/stream") {
            continue;
        }
        let own = operation.path.as_str();
        let Some((id, none)) = test.ids(own) else {
            let (status, answer) = operation.call(&test.live, ("", &test.endpoint)).await;
            assert!(!test.tells(&answer), "{name}: {status} {answer}");
            continue;
        };
        let (status, answer) = operation.call(&test.live, (id, &test.endpoint)).await;
        if own.starts_with("/v1/groups") {
            assert!(status == StatusCode::OK && !test.tells(&answer), "{name}: {status} {answer}");
            continue;
        }
        assert_eq!(status, StatusCode::NOT_FOUND, "{name}: {answer}");
        assert_eq!((status, answer), operation.call(&test.live, (none, &test.endpoint)).await, "{name}");
    }
    assert_eq!(test.all().await, before, "something was changed");
    test.stop().await;
}

/// The requests of the case above are right ones: with the key of the mode each of them is answered, and tells of it.
#[tokio::test]
async fn the_own_mode_is_told_of_it_all() {
    let test = Test::start().await;
    for operation in Operation::all(&test.scene.client).await {
        let name = format!("{} {}", operation.method, operation.path);
        if operation.path.ends_with("/stream") {
            continue;
        }
        let (id, _) = test.ids(&operation.path).unwrap_or_default();
        let (status, answer) = operation.call(&test.scene.client, (id, &test.endpoint)).await;
        let makes = operation.method == Method::POST && id.is_empty();
        assert!(makes || ![401, 403, 404, 422].contains(&status.as_u16()), "{name}: {status} {answer}");
        let lists = operation.method == Method::GET && !OF_NO_MODE.contains(&operation.path.as_str());
        assert!(!lists || test.tells(&answer) || operation.path.ends_with("/secrets"), "{name}: {answer}");
    }
    test.stop().await;
}

/// What is named in a query or a body is as much of its mode as what is named in a path.
#[tokio::test]
async fn the_other_modes_ids_are_of_no_use_beside_the_own_ones() {
    let test = Test::start().await;
    let (live, before) = (&test.live, test.all().await);
    let event = EVENT.replace("evt_1", "evt_live").replace("false", "true");
    assert_eq!(live.publish("once", &event).await.0, StatusCode::ACCEPTED);
    for path in [
        "/v1/events/evt_live/explain?endpoint=ENDPOINT",
        "/v1/attempts?endpoint=ENDPOINT",
        "/v1/deliveries?endpoint=ENDPOINT",
        "/v1/deliveries?q=DELIVERY",
        "/v1/deliveries?q=EVENT",
        "/v1/deliveries?event=EVENT",
        "/v1/events?q=EVENT",
    ] {
        let with = |endpoint: &str, delivery: &str, event: &str| {
            path.replace("ENDPOINT", endpoint).replace("DELIVERY", delivery).replace("EVENT", event)
        };
        let seen = live.get(&with(&test.endpoint, &test.delivery, "evt_1")).await;
        assert_eq!(seen, live.get(&with("we_none", "dlv_9_9", "evt_none")).await, "{path}");
        let own = test.scene.client.get(&with(&test.endpoint, &test.delivery, "evt_1")).await.1;
        assert!(test.tells(&own) || path.contains("explain"), "{path}: {own}");
    }
    for path in [
        "/v1/deliveries?key=cs_1",
        "/v1/deliveries?state=succeeded",
        "/v1/deliveries?type=checkout.session.completed",
    ] {
        assert_eq!(live.get(path).await.1["list"], json!([]), "{path}");
        assert_ne!(test.scene.client.get(path).await.1["list"], json!([]), "{path}");
    }
    for (verb, all) in [("redrive", json!({})), ("purge", json!({ "all": true }))] {
        let path = format!("/v1/groups/{GROUP}/{verb}");
        let letter = |id: &str| json!({ "dead_letter": id });
        assert_eq!(live.post(&path, &letter(&test.letter)).await, live.post(&path, &letter("77777")).await);
        assert_eq!(live.post(&path, &all).await.1["dead_letters"], 0);
    }
    // Each mode has `Idempotency-Key`s of its own.
    assert_eq!(test.scene.client.publish("once", EVENT).await.0, StatusCode::OK);
    for path in ["/v1/events", "/v1/events/batch"] {
        let event = if path == "/v1/events" { EVENT.to_owned() } else { format!("[{EVENT}]") };
        let (status, problem) = live.text(path, ("application/json", &event)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{problem}");
    }
    assert_eq!(test.all().await, before, "something was changed");
    test.stop().await;
}

/// Also who listens from the beginning on hears nothing of it.
#[tokio::test]
async fn who_listens_hears_its_own_mode_alone() {
    let test = Test::start().await;
    let mut own = test.scene.client.listen(stream::PATH, Some("0")).await;
    let mut other = test.live.listen(stream::PATH, Some("0")).await;
    assert!(stream::until(&mut own, "evt_dead").await.contains("evt_1"));
    let event = EVENT.replace("evt_1", "evt_live").replace("false", "true");
    assert_eq!(test.live.publish("once", &event).await.0, StatusCode::ACCEPTED);
    let heard = stream::until(&mut other, "evt_live").await;
    assert!(!heard.contains("evt_1") && !heard.contains("evt_dead"), "{heard}");
    drop((own, other));
    test.stop().await;
}

/// Nothing but the way in, and nothing at all, is answered to whoever has no key, an unknown one, or one that was deleted.
#[tokio::test]
async fn without_a_key_there_is_nothing() {
    let test = Test::start().await;
    let address = test.scene.bridge.address();
    let (_, deleted) = test.scene.client.post("/v1/api_keys", &json!({ "name": "former" })).await;
    let path = format!("/v1/api_keys/{}", deleted["id"].as_str().unwrap());
    assert_eq!(test.scene.client.send(Method::DELETE, &path, &Value::Null).await.0, StatusCode::OK);
    let before = test.all().await;
    for key in ["", "whb_test_guessed", deleted["key"].as_str().unwrap()] {
        let nobody = Client::new(address, key);
        for operation in Operation::all(&test.live).await {
            let name = format!("{} {} with {key:?}", operation.method, operation.path);
            let open = (operation.method.as_str(), operation.path.as_str()) == ("POST", "/v1/session");
            assert_eq!(operation.secured, !open, "{name}");
            let (id, _) = test.ids(&operation.path).unwrap_or_default();
            let (status, answer) = operation.call(&nobody, (id, &test.endpoint)).await;
            assert_eq!(status, StatusCode::UNAUTHORIZED, "{name}: {answer}");
            assert!(!test.tells(&answer), "{name}: {answer}");
        }
    }
    assert_eq!(test.all().await, before, "something was changed");
    test.stop().await;
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
    for operation in Operation::all(&guest).await {
        if operation.path.contains("api_keys") && operation.method != Method::GET {
            let (status, answer) = operation.call(&guest, ("key_none", "")).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{} {}: {answer}", operation.method, operation.path);
        }
    }
    for key in listed["list"].as_array().unwrap() {
        let path = format!("/v1/api_keys/{}", key["id"].as_str().unwrap());
        assert_eq!(guest.send(Method::DELETE, &path, &Value::Null).await.0, StatusCode::FORBIDDEN);
    }
    scene.bridge.stop().await;
}
