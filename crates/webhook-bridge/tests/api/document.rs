//! The OpenAPI document beside the server it describes: every operation is called, and every answer is as it says.

use std::collections::BTreeSet;
use std::time::Duration;

use eventbus::{AnyEvent, Timestamp};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use webhook_bridge::model::{
    Answer, Attempt, EnabledEvents, EndpointUrl, Mode, NewEndpoint, Next, Outcome, Secret, Trouble, Wanted,
};
use webhook_bridge::store::{SqliteStore, Store};
use webhook_bridge::vault::Vault;
use webhook_bridge::{Bridge, Config};

use crate::EVENT;
use crate::client::Client;
use crate::receiver::Receiver;

/// A method, a path as the document has it, and a status.
type Seen = (String, String, u16);

/// A caller that compares each answer with the document.
struct Checked {
    client: Client,
    document: Value,
    seen: BTreeSet<Seen>,
}

impl Checked {
    async fn new(client: Client) -> Self {
        let (status, mut document) = client.get("/v1/openapi.json").await;
        assert_eq!((status, &document["openapi"]), (StatusCode::OK, &json!("3.1.0")));
        close(&mut document);
        Self { client, document, seen: BTreeSet::new() }
    }

    /// Calls an operation and gives what it answered, which must be as documented.
    async fn call(&mut self, (method, path): (Method, &str), fill: &str, body: Value) -> (u16, Value) {
        let (path_only, query) =
            path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let target = query.map_or(path_only.to_owned(), |query| format!("{path_only}?{query}"));
        let (status, answer) = self.client.send(method.clone(), &target.replace("{id}", fill), &body).await;
        self.check(&method, path_only, (status.as_u16(), &answer));
        if status.is_success() {
            let wrong = self.request(&method, path_only).wrong(query.unwrap_or_default(), &body);
            assert!(wrong.is_empty(), "{method} {path}: {status} to what is not documented: {wrong:?}");
        }
        (status.as_u16(), answer)
    }

    /// What the document says of the requests of an operation.
    fn request(&self, method: &Method, path: &str) -> Asked {
        let operation = &self.document["paths"][path][method.as_str().to_lowercase()];
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let query = parameters.into_iter().filter(|one| one["in"] == "query").collect();
        let mut body = operation["requestBody"]["content"]["application/json"]["schema"].clone();
        if let Some(name) = body["$ref"].as_str() {
            body = self.document["components"]["schemas"][name.rsplit('/').next().unwrap()].clone();
        }
        Asked { query, body, components: self.document["components"].clone() }
    }

    fn check(&mut self, method: &Method, path: &str, (status, answer): (u16, &Value)) {
        let name = method.as_str().to_lowercase();
        let operation = &self.document["paths"][path][&name];
        assert!(operation.is_object(), "{method} {path} is documented");
        let responses = &operation["responses"];
        let (response, kind) = match responses.get(status.to_string()) {
            Some(response) => (response, "application/json"),
            None => (&responses["default"], "application/problem+json"),
        };
        assert_eq!(kind == "application/json", status < 300, "{method} {path}: {status} {answer}");
        let mut schema = response["content"][kind]["schema"].clone();
        assert!(schema.is_object(), "{method} {path} {status}: {response}");
        schema["components"] = self.document["components"].clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let wrong: Vec<_> = validator.iter_errors(answer).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{method} {path} {status}: {wrong:?} in {answer}");
        self.seen.insert((name, path.to_owned(), status));
    }

    async fn expect(&mut self, of: (Method, &str), fill: &str, (body, status): (Value, u16)) -> Value {
        let (method, path) = (of.0.clone(), of.1.to_owned());
        let (answered, answer) = self.call(of, fill, body).await;
        assert_eq!(answered, status, "{method} {path}: {answer}");
        answer
    }

    /// Every operation with its path.
    fn operations(&self) -> Vec<(Method, String, Vec<u16>)> {
        let paths = self.document["paths"].as_object().unwrap();
        let methods = paths.iter().flat_map(|(path, item)| {
            item.as_object().unwrap().iter().map(move |(method, operation)| {
                let statuses = operation["responses"].as_object().unwrap().keys();
                let statuses = statuses.filter_map(|status| status.parse().ok()).collect();
                (method.to_uppercase().parse().unwrap(), path.clone(), statuses)
            })
        });
        methods.collect()
    }
}

/// What may be asked of an operation, by the document.
struct Asked {
    /// The parameters of its query.
    query: Vec<Value>,
    /// The schema of its body; `null` where it takes none.
    body: Value,
    components: Value,
}

impl Asked {
    /// What the document does not allow in a request.
    fn wrong(&self, query: &str, body: &Value) -> Vec<String> {
        let pairs: Vec<_> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let mut wrong: Vec<_> = pairs
            .iter()
            .filter(|(name, _)| !self.query.iter().any(|one| one["name"] == *name))
            .map(|(name, _)| format!("{name} is no parameter"))
            .collect();
        for one in &self.query {
            let given = pairs.iter().find(|(name, _)| one["name"] == *name);
            let schema = |value: &str| {
                let number = value.parse().map(|number: i64| json!(number)).unwrap_or(json!(value));
                self.errors(&one["schema"], &number).is_empty()
                    || self.errors(&one["schema"], &json!(value)).is_empty()
            };
            match given {
                None if one["required"] == true => wrong.push(format!("{} is missing", one["name"])),
                Some((name, value)) if !schema(value) => wrong.push(format!("{name} is {value}")),
                _ => {}
            }
        }
        if !self.body.is_null() {
            let nothing = json!({});
            wrong.extend(self.errors(&self.body, if body.is_null() { &nothing } else { body }));
        }
        wrong
    }

    fn errors(&self, schema: &Value, value: &Value) -> Vec<String> {
        let mut schema = schema.clone();
        schema["components"] = self.components.clone();
        let validator = jsonschema::validator_for(&schema).unwrap();
        validator.iter_errors(value).map(|error| error.to_string()).collect()
    }

    /// Values that a schema refuses: beside its range, none of its words, longer than it may be.
    fn outside(schema: &Value) -> Vec<Value> {
        let number = |name: &str| schema[name].as_i64();
        let mut outside = Vec::new();
        outside.extend(number("minimum").filter(|least| *least > 0).map(|least| json!(least - 1)));
        outside.extend(number("maximum").map(|most| json!(most + 1)));
        outside.extend(number("maxLength").map(|most| json!("x".repeat(most as usize + 1))));
        outside.extend(schema["enum"].as_array().map(|_| json!("odd")));
        outside.extend(number("minItems").map(|_| json!([])));
        outside
    }

    /// Requests that the document refuses, each by one rule: queries, and bodies beside a right one.
    fn refused(&self, right: &Value) -> (Vec<String>, Vec<Value>) {
        let mut queries = vec!["colour=red".to_owned()];
        for one in &self.query {
            let name = one["name"].as_str().unwrap();
            let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            queries.extend(
                Self::outside(&one["schema"]).into_iter().map(|value| format!("{name}={}", text(value))),
            );
            queries.extend((one["required"] == true).then(String::new));
        }
        let mut bodies = Vec::new();
        let Some(fields) = self.body["properties"].as_object() else { return (queries, bodies) };
        for (name, schema) in fields {
            bodies.extend(Self::outside(schema).into_iter().map(|value| with(right, name, value)));
        }
        for name in self.body["required"].as_array().into_iter().flatten() {
            let mut without = right.clone();
            without.as_object_mut().unwrap().remove(name.as_str().unwrap());
            bodies.push(without);
        }
        if self.body["additionalProperties"] == false {
            bodies.push(with(right, "colour", json!("red")));
        }
        (queries, bodies)
    }
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

/// What the document refuses is refused: every range, word, length, and whatever must or may not be there.
async fn refusals(api: &mut Checked, (endpoint, url): (&str, &str), delivery: &str) {
    let mut tried = 0;
    for (method, path, _) in api.operations() {
        let asked = api.request(&method, &path);
        let (fill, right) = match path.as_str() {
            "/v1/endpoints" => ("", json!({ "url": url, "enabled_events": ["*"] })),
            "/v1/events" => ("", serde_json::from_str(EVENT).unwrap()),
            path if path.ends_with("/recover") || path.ends_with("/replay") => {
                (endpoint, json!({ "since": "2026-01-01T00:00:00Z" }))
            }
            path if path.starts_with("/v1/endpoints") => (endpoint, json!({})),
            path if path.starts_with("/v1/deliveries") => (delivery, json!({})),
            _ => ("evt_1", json!({})),
        };
        let (queries, bodies) = asked.refused(&right);
        for query in queries.into_iter().filter(|_| !asked.query.is_empty()) {
            let asked = format!("{path}?{query}");
            let body = if method == Method::POST { right.clone() } else { Value::Null };
            api.expect((method.clone(), &asked), fill, (body, 422)).await;
            tried += 1;
        }
        for body in bodies {
            api.expect((method.clone(), &path), fill, (body, 422)).await;
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
}

/// Lets no schema take members that it does not name, so that what is answered and not documented is found.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.contains_key("properties") && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
            members.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

/// A store in which a delivery is parked, which takes a bridge that fails to send it ten minutes.
async fn park(folder: &std::path::Path, receiver: &Receiver) {
    let store = SqliteStore::open(&folder.join("bridge.sqlite"), Timestamp::now()).unwrap();
    let secret =
        Vault::open(&folder.join("secret.key"), None).unwrap().seal(&Secret::new("whsec_c2VjcmV0")).unwrap();
    let url = EndpointUrl::parse(&receiver.url()).unwrap();
    let events = EnabledEvents::parse(vec!["*".to_owned()]).unwrap();
    let new = NewEndpoint::new(Mode::Test, url, events, ("standard", secret));
    let made = store.create_endpoint(new, Timestamp::now()).await.unwrap();
    let endpoint = store.standing(Mode::Test, made.id).await.unwrap().unwrap().key;
    store.ingest(AnyEvent::from_json(EVENT.replace("evt_1", "evt_0")).unwrap()).await.unwrap();
    let wanted = Wanted { endpoint, most: 1, in_flight: 0 };
    let leased = store.claim(vec![wanted], Timestamp::now()).await.unwrap().remove(0).deliveries.remove(0);
    let attempt = Attempt {
        delivery: leased.key,
        lease: leased.lease,
        number: leased.attempt,
        started_at: Timestamp::now(),
        duration: Duration::ZERO,
        outcome: Outcome::Failed(Trouble::Internal),
        answer: Answer { body: "".into(), note: None },
        next: Next::Parked,
    };
    store.finish(attempt).await.unwrap();
    store.close().await;
}

const ENDPOINT: &str = "/v1/endpoints/{id}";
const DELIVERY: &str = "/v1/deliveries/{id}";
const EVENT_PATH: &str = "/v1/events/{id}";

async fn keys(api: &mut Checked) {
    let keys = "/v1/api_keys";
    let made = api.expect((Method::POST, keys), "", (json!({ "name": "second" }), 201)).await;
    api.expect((Method::POST, keys), "", (json!({ "expires_at": "2001-01-01T00:00:00Z" }), 422)).await;
    let listed = api.expect((Method::GET, keys), "", (Value::Null, 200)).await;
    assert_eq!(listed["list"].as_array().unwrap().len(), 2);
    let id = made["id"].as_str().unwrap();
    api.expect((Method::DELETE, "/v1/api_keys/{id}"), id, (Value::Null, 200)).await;
    api.expect((Method::DELETE, "/v1/api_keys/{id}"), id, (Value::Null, 404)).await;
}

async fn sessions(api: &mut Checked, key: &str) {
    let session = "/v1/session";
    let made = api.expect((Method::POST, session), "", (json!({ "key": key }), 201)).await;
    assert_eq!(api.expect((Method::GET, session), "", (Value::Null, 200)).await, made);
    api.expect((Method::POST, session), "", (json!({ "key": "whb_test_guessed" }), 401)).await;
    api.expect((Method::DELETE, session), "", (Value::Null, 200)).await;
}

/// Groups of the bus, of which the bridge's own is one.
async fn groups(api: &mut Checked) {
    assert_eq!(
        api.expect((Method::GET, "/v1/groups"), "", (Value::Null, 200)).await["list"][0]["id"],
        "webhook-bridge"
    );
    let (own, letters, redrive) =
        ("/v1/groups/{id}", "/v1/groups/{id}/dead_letters", "/v1/groups/{id}/redrive");
    api.expect((Method::GET, own), "webhook-bridge", (Value::Null, 200)).await;
    api.expect((Method::GET, own), "nobody", (Value::Null, 404)).await;
    api.expect((Method::GET, letters), "webhook-bridge", (Value::Null, 200)).await;
    api.expect((Method::GET, letters), "nobody", (Value::Null, 404)).await;
    let dry = json!({ "dry_run": true, "types": "invoice.*" });
    api.expect((Method::POST, redrive), "webhook-bridge", (dry, 200)).await;
    api.expect((Method::POST, redrive), "webhook-bridge", (json!({ "dead_letter": "7" }), 404)).await;
    let purge = "/v1/groups/{id}/purge";
    for (asked, status) in [
        (json!({ "all": true }), 200),
        (json!({ "types": "invoice.*", "dry_run": true }), 200),
        (json!({ "dead_letter": "7" }), 404),
        (json!({}), 422),
        (json!({ "all": false, "dry_run": true }), 422),
    ] {
        api.expect((Method::POST, purge), "webhook-bridge", (asked, status)).await;
    }
    api.expect((Method::GET, &format!("{letters}?cursor=x")), "webhook-bridge", (Value::Null, 422)).await;
    let types = api.expect((Method::GET, "/v1/event_types"), "", (Value::Null, 200)).await;
    assert_eq!(types["list"].as_array().unwrap().len(), eventbus::catalogue().count());
}

async fn endpoints(api: &mut Checked, url: &str) -> String {
    let wish = json!({ "url": url, "enabled_events": ["*", "shop.sold"], "schedule": "svix", "metadata": { "a": [1] } });
    let made = api.expect((Method::POST, "/v1/endpoints"), "", (wish, 201)).await;
    let id = made["id"].as_str().unwrap().to_owned();
    for (wish, status) in [
        (json!({ "url": url, "enabled_events": ["*"], "schedule": "often" }), 422),
        (json!({ "url": url, "enabled_events": ["*"], "gone_policy": "never" }), 422),
        (json!({ "url": url, "enabled_events": ["*"], "max_in_flight": 65 }), 422),
    ] {
        api.expect((Method::POST, "/v1/endpoints"), "", (wish, status)).await;
    }
    api.expect((Method::GET, "/v1/endpoints?limit=1"), "", (Value::Null, 200)).await;
    api.expect((Method::GET, ENDPOINT), &id, (Value::Null, 200)).await;
    api.expect((Method::GET, ENDPOINT), "we_0", (Value::Null, 404)).await;
    api.expect((Method::PATCH, ENDPOINT), &id, (json!({ "gone_policy": "immediate" }), 200)).await;
    let (status, problem) = api.client.change(&format!("/v1/endpoints/{id}"), "\"1\"", &json!({})).await;
    api.check(&Method::PATCH, ENDPOINT, (status.as_u16(), &problem));
    assert_eq!(status, StatusCode::PRECONDITION_FAILED);
    let of = |name: &str| format!("{ENDPOINT}/{name}");
    let statistics = of("statistics?seconds=3600&buckets=4");
    let found = api.expect((Method::GET, &statistics), &id, (Value::Null, 200)).await;
    assert_eq!(found["buckets"].as_array().unwrap().len(), 4);
    api.expect((Method::GET, &of("statistics?buckets=0")), &id, (Value::Null, 422)).await;
    for name in ["pause", "resume"] {
        api.expect((Method::POST, &of(name)), &id, (Value::Null, 200)).await;
    }
    api.expect((Method::POST, &of("rotate_secret")), &id, (json!({ "overlap_seconds": 9 }), 200)).await;
    api.expect((Method::GET, &of("secrets")), &id, (Value::Null, 200)).await;
    api.expect((Method::PATCH, ENDPOINT), &id, (json!({ "status": "disabled" }), 200)).await;
    api.expect((Method::POST, &of("recover")), &id, (json!({ "since": "2026-01-01T00:00:00Z" }), 409)).await;
    let since = json!({ "recover_since": "2026-01-01T00:00:00Z" });
    let enabled = api.expect((Method::POST, &of("enable")), &id, (since, 200)).await;
    assert_eq!(
        (&enabled["endpoint"]["status"], &enabled["replayed"]["deliveries"]),
        (&json!("enabled"), &json!(1))
    );
    for name in ["recover", "replay"] {
        let since = json!({ "since": "2026-01-01T00:00:00Z", "dry_run": true });
        api.expect((Method::POST, &of(name)), &id, (since, 200)).await;
        api.expect((Method::POST, &of(name)), &id, (json!({}), 422)).await;
    }
    api.expect((Method::POST, &of("test")), &id, (Value::Null, 202)).await;
    id
}

async fn events(api: &mut Checked, endpoint: &str) {
    let event: Value = serde_json::from_str(EVENT).unwrap();
    let publish = "/v1/events?expires_at=2999-01-01T00:00:00Z";
    api.expect((Method::POST, publish), "", (event.clone(), 202)).await;
    api.expect((Method::POST, "/v1/events"), "", (event.clone(), 200)).await;
    let live: Value = serde_json::from_str(&EVENT.replace("false", "true")).unwrap();
    api.expect((Method::POST, "/v1/events"), "", (live.clone(), 403)).await;
    let second: Value = serde_json::from_str(&EVENT.replace("evt_1", "evt_2")).unwrap();
    let batch = api.expect((Method::POST, "/v1/events/batch"), "", (json!([event, second]), 202)).await;
    assert_eq!(
        (&batch["list"][0]["duplicate"], &batch["list"][1]["duplicate"]),
        (&json!(true), &json!(false))
    );
    let third: Value = serde_json::from_str(&EVENT.replace("evt_1", "evt_3")).unwrap();
    for with in [json!({}), live] {
        let status = if with == json!({}) { 422 } else { 403 };
        api.expect((Method::POST, "/v1/events/batch"), "", (json!([third, with]), status)).await;
        api.expect((Method::GET, EVENT_PATH), "evt_3", (Value::Null, 404)).await;
    }
    let listed = api.expect((Method::GET, "/v1/events?limit=1"), "", (Value::Null, 200)).await;
    assert!(listed["next"].is_string());
    let found = api.expect((Method::GET, EVENT_PATH), "evt_1", (Value::Null, 200)).await;
    assert_eq!((&found["body"], &found["expires_at"]), (&event, &json!("2999-01-01T00:00:00.000Z")));
    api.expect((Method::GET, EVENT_PATH), "evt_9", (Value::Null, 404)).await;
    let of = |name: &str| format!("{EVENT_PATH}/{name}");
    assert_eq!(api.expect((Method::GET, &of("body")), "evt_1", (Value::Null, 200)).await, event);
    api.expect((Method::GET, &of("deliveries")), "evt_1", (Value::Null, 200)).await;
    let explain = format!("{}?endpoint={endpoint}", of("explain"));
    api.expect((Method::GET, &explain), "evt_1", (Value::Null, 200)).await;
}

async fn deliveries(api: &mut Checked, endpoint: &str) {
    let list = "/v1/deliveries";
    let parked = api.expect((Method::GET, "/v1/deliveries?state=parked"), "", (Value::Null, 200)).await;
    let parked = parked["list"][0]["id"].as_str().unwrap().to_owned();
    api.expect((Method::POST, "/v1/deliveries/{id}/release"), &parked, (Value::Null, 202)).await;
    api.expect((Method::GET, "/v1/deliveries/{id}/attempts"), &parked, (Value::Null, 200)).await;
    let sent =
        api.expect((Method::GET, "/v1/deliveries/{id}/request?attempt=1"), &parked, (Value::Null, 200)).await;
    assert!(
        sent["headers"].as_array().unwrap().iter().any(|header| header["name"] == "webhook-signature"),
        "{sent}"
    );
    api.expect((Method::GET, "/v1/deliveries/{id}/request?attempt=9"), &parked, (Value::Null, 404)).await;
    let q = format!("{list}?q={parked}");
    assert_eq!(api.expect((Method::GET, &q), "", (Value::Null, 200)).await["list"][0]["id"], parked.as_str());
    for query in ["state=odd", "limit=0", "since=now", "cursor=x", "colour=red"] {
        api.expect((Method::GET, &format!("{list}?{query}")), "", (Value::Null, 422)).await;
    }
    let waits =
        api.expect((Method::GET, &format!("{list}?endpoint={endpoint}")), "", (Value::Null, 200)).await;
    let waits = waits["list"][0]["id"].as_str().unwrap().to_owned();
    api.expect((Method::GET, DELIVERY), &waits, (Value::Null, 200)).await;
    api.expect((Method::POST, "/v1/deliveries/{id}/release"), &waits, (Value::Null, 409)).await;
    api.expect((Method::POST, "/v1/deliveries/{id}/resend"), &waits, (Value::Null, 202)).await;
    api.expect((Method::GET, &format!("/v1/attempts?endpoint={endpoint}")), "", (Value::Null, 200)).await;
}

/// The receiver answers nobody, so that what is owed stays so.
#[tokio::test]
async fn every_operation_answers_as_the_document_says() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    park(folder.path(), &receiver).await;
    let config = Config::new().data(folder.path()).listen("127.0.0.1:0".parse().unwrap());
    let bridge = Bridge::start(config.allow_targets(vec![receiver.target()])).await.unwrap();
    let mut api = Checked::new(Client::new(bridge.address(), bridge.fresh_keys()[0].reveal())).await;
    keys(&mut api).await;
    groups(&mut api).await;
    sessions(&mut api, bridge.fresh_keys()[0].reveal()).await;
    let endpoint = endpoints(&mut api, &receiver.url()).await;
    api.expect((Method::POST, "/v1/endpoints/{id}/pause"), &endpoint, (Value::Null, 200)).await;
    events(&mut api, &endpoint).await;
    deliveries(&mut api, &endpoint).await;
    let waits = api.expect((Method::GET, "/v1/deliveries?limit=1"), "", (Value::Null, 200)).await;
    refusals(&mut api, (&endpoint, &receiver.url()), waits["list"][0]["id"].as_str().unwrap()).await;
    api.expect((Method::DELETE, ENDPOINT), &endpoint, (Value::Null, 200)).await;

    // Its answer does not end: tests/api/stream.rs reads it.
    api.seen.insert(("get".to_owned(), "/v1/events/stream".to_owned(), 200));
    let nobody = Client::new(bridge.address(), "whb_test_none");
    api.client = nobody;
    for (method, path, statuses) in api.operations() {
        for status in statuses {
            let seen = (method.as_str().to_lowercase(), path.clone(), status);
            assert!(api.seen.contains(&seen), "{seen:?} was never answered");
        }
        api.expect((method, &path), "x", (Value::Null, 401)).await;
    }
    drop(receiver);
    bridge.stop().await;
}

/// Routes are made from literals on one screen, and each of them is documented.
#[tokio::test]
async fn every_route_is_in_the_document() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new().data(folder.path()).listen("127.0.0.1:0".parse().unwrap());
    let bridge = Bridge::start(config).await.unwrap();
    let api = Checked::new(Client::new(bridge.address(), "")).await;
    let routes = include_str!("../../src/api/mod.rs").matches("\"/v1/").count();
    assert_eq!(api.document["paths"].as_object().unwrap().len(), routes);
    bridge.stop().await;
}
