//! What names stand for is judged at every attempt, whatever a name server answers and whenever it changes its mind.

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData};
use http::header::{CONNECTION, HeaderValue};
use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use webhook_bridge::{Bridge, Config};

use crate::EVENT;
use crate::caller::Caller;
use crate::names::{Names, Reply, addresses, fully};
use crate::receiver::Receiver;

/// The name that is called; its port is no service's.
const NAME: &str = "shop.example";

struct Case {
    names: Names,
    bridge: Bridge,
    caller: Caller,
    _folder: tempfile::TempDir,
}

impl Case {
    /// A bridge that asks the case's name server, and may call these targets.
    async fn start(allowed: &[&str]) -> Self {
        let (folder, names) = (tempfile::tempdir().unwrap(), Names::start().await);
        let allowed = allowed.iter().map(|text| text.parse().unwrap()).collect();
        let config = Config::new().data(folder.path()).listen("127.0.0.1:0".parse().unwrap());
        let config = config.allow_targets(allowed).dns_servers(vec![names.address]);
        let bridge = Bridge::start(config.public_name("hooks.shop.example")).await.unwrap();
        let caller = Caller::new(bridge.address(), bridge.fresh_keys()[0].reveal().to_owned());
        Self { names, bridge, caller, _folder: folder }
    }

    /// Makes an endpoint for events of one type.
    async fn endpoint(&self, url: &str, event_type: &str) -> (StatusCode, Value) {
        let wish = json!({ "url": url, "enabled_events": [event_type], "schedule": [1] });
        self.caller.post("/v1/endpoints", wish.to_string()).await
    }

    async fn publish(&self, id: &str, event_type: &str) {
        let event = EVENT.replace("evt_1", id).replace("checkout.session.completed", event_type);
        let (status, problem) = self.caller.post("/v1/events", event).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{problem}");
    }

    /// What becomes of an attempt at a name that was fine when the endpoint was made.
    async fn becomes(&self, (name, reply): (&str, Reply)) -> (String, String) {
        let fine = Reply::Records(addresses(name, &["93.184.216.34"]), 0);
        self.names.say(name, &[fine, reply]);
        let event_type = format!("dns.{}", name.split('.').next().unwrap().replace('-', ""));
        let (status, endpoint) = self.endpoint(&format!("http://{name}:8080/"), &event_type).await;
        assert_eq!(status, StatusCode::CREATED, "{name}: {endpoint}");
        self.publish(&event_type.replace('.', "_"), &event_type).await;
        let attempt = self.caller.attempt(&endpoint).await;
        assert!(attempt["duration_ms"].as_u64().unwrap() < 6_000, "{name}: {attempt}");
        let text = |field: &str| attempt[field].as_str().unwrap_or_default().to_owned();
        (text("error"), text("note"))
    }

    /// What becomes of each: a word for all, a note for each.
    async fn become_all(&self, word: &str, answers: &[(&str, Reply, &str)]) {
        let mut wrong = Vec::new();
        for (name, reply, note) in answers {
            let became = self.becomes((name, reply.clone())).await;
            if (became.0.as_str(), became.1.as_str()) != (word, *note) {
                wrong.push((name, became));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}

fn records(name: &str, ips: &[&str]) -> Reply {
    Reply::Records(addresses(name, ips), 0)
}

fn alias(name: &str, of: &str, ips: &[&str]) -> Reply {
    let mut records = vec![(fully(name), RData::CNAME(CNAME(fully(of))))];
    records.extend(addresses(of, ips));
    Reply::Records(records, 0)
}

#[tokio::test]
async fn a_name_that_stands_for_anything_private_is_refused_at_the_attempt() {
    let case = Case::start(&[]).await;
    let many: Vec<_> =
        (0..200).map(|number| format!("93.184.217.{number}")).chain(["10.0.0.9".to_owned()]).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let answers: &[(&str, Reply, &str)] = &[
        ("rebound.example", records("rebound.example", &["127.0.0.1"]), "127.0.0.1:8080: loopback"),
        ("mixed.example", records("mixed.example", &["93.184.216.34", "10.0.0.1"]), "10.0.0.1:8080: private"),
        (
            "families.example",
            records("families.example", &["93.184.216.34", "::1"]),
            "[::1]:8080: not global unicast IPv6",
        ),
        (
            "alias.example",
            alias("alias.example", "inside.example", &["192.168.0.1"]),
            "192.168.0.1:8080: private",
        ),
        ("home.example", alias("home.example", "localhost", &["127.0.0.1"]), "127.0.0.1:8080: loopback"),
        (
            "mapped.example",
            records("mapped.example", &["::ffff:127.0.0.1"]),
            "[::ffff:127.0.0.1]:8080: not global unicast IPv6",
        ),
        (
            "compatible.example",
            records("compatible.example", &["::7f00:1"]),
            "[::7f00:1]:8080: not global unicast IPv6",
        ),
        (
            "nat64.example",
            records("nat64.example", &["64:ff9b::a9fe:a9fe"]),
            "[64:ff9b::a9fe:a9fe]:8080: link-local, cloud metadata",
        ),
        (
            "six-to-four.example",
            records("six-to-four.example", &["2002:7f00:1::"]),
            "[2002:7f00:1::]:8080: 6to4",
        ),
        (
            "metadata.example",
            records("metadata.example", &["169.254.169.254"]),
            "169.254.169.254:8080: link-local, cloud metadata",
        ),
        ("unspecified.example", records("unspecified.example", &["0.0.0.0"]), "0.0.0.0:8080: this network"),
        (
            "unique-local.example",
            records("unique-local.example", &["fd00:ec2::254"]),
            "[fd00:ec2::254]:8080: not global unicast IPv6",
        ),
        (
            "carrier.example",
            records("carrier.example", &["100.64.0.1"]),
            "100.64.0.1:8080: shared with a carrier",
        ),
        ("many.example", Reply::Long(addresses("many.example", &many)), "10.0.0.9:8080: private"),
    ];
    case.become_all("blocked_target", answers).await;
    case.bridge.stop().await;
}

#[tokio::test]
async fn a_name_without_an_address_fails_soon_and_with_a_word_that_stays() {
    let case = Case::start(&[]).await;
    let none = |data: Vec<(Name, RData)>| Reply::Records(data, 0);
    let to = |of: &str| RData::CNAME(CNAME(fully(of)));
    let answers = [
        ("missing.example", Reply::Code(ResponseCode::NXDomain), "there is no such name"),
        ("empty.example", none(vec![]), "the name has no address"),
        ("failing.example", Reply::Code(ResponseCode::ServFail), "the name was not resolved"),
        ("refusing.example", Reply::Code(ResponseCode::Refused), "the name was not resolved"),
        ("silent.example", Reply::Silence, "the name was not resolved in time"),
        ("garbage.example", Reply::Garbage, "the name was not resolved"),
        ("foreign.example", none(addresses("other.example", &["93.184.216.34"])), "the name has no address"),
        ("loop.example", none(vec![(fully("loop.example"), to("loop.example"))]), "the name has no address"),
        (
            "nowhere.example",
            none(vec![(fully("nowhere.example"), to("void.example"))]),
            "there is no such name",
        ),
    ];
    case.become_all("dns", &answers).await;
    case.bridge.stop().await;
}

#[tokio::test]
async fn what_a_name_stands_for_is_judged_when_an_endpoint_is_made_too() {
    let case = Case::start(&[]).await;
    case.names.say(NAME, &[records(NAME, &["93.184.216.34", "10.0.0.1"])]);
    for (url, detail) in [
        ("http://shop.example/", "url: 10.0.0.1:80: private"),
        ("http://SHOP.example.:8443/", "url: 10.0.0.1:8443: private"),
        ("http://nas.local/", "url: nas.local: a name of this machine or network"),
        (
            "http://metadata.google.internal/",
            "url: metadata.google.internal: a name of this machine or network",
        ),
        ("http://localhost:8080/", "url: localhost: a name of this machine or network"),
        ("http://redis:8080/", "url: redis: a name without a domain"),
        ("http://hooks.shop.example/", "url: hooks.shop.example: the bridge's own name"),
        (
            "http://hооks.shop.example/",
            "url: xn--hks-seda.shop.example: a name that looks like the bridge's own",
        ),
    ] {
        let (status, problem) = case.endpoint(url, "*").await;
        assert_eq!((status, &problem["detail"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!(detail)), "{url}");
    }
    assert_eq!(case.names.asked("nas.local"), 0, "unless it is allowed, it is nobody's business");
    case.bridge.stop().await;
}

/// Delivers three events, each over a connection of its own, and says how often the name was asked for.
async fn asked(ttl: u32) -> usize {
    let mut receiver = Receiver::start().await;
    let case = Case::start(&[&receiver.target_text()]).await;
    case.names.say(NAME, &[Reply::Records(addresses(NAME, &["127.0.0.1"]), ttl)]);
    let (status, endpoint) = case.endpoint(&format!("http://{NAME}:{}/", receiver.port()), "*").await;
    assert_eq!(status, StatusCode::CREATED, "{endpoint}");
    for id in ["evt_1", "evt_2", "evt_3"] {
        case.publish(id, "a.b").await;
        let request = receiver.next().await;
        assert_eq!(request.header("host"), format!("{NAME}:{}", receiver.port()));
        request.answer_with(
            StatusCode::OK,
            HeaderMap::from_iter([(CONNECTION, HeaderValue::from_static("close"))]),
        );
    }
    case.bridge.stop().await;
    case.names.asked(NAME)
}

#[tokio::test]
async fn an_answer_is_used_for_as_long_as_it_says_and_the_address_dialled_is_the_one_judged() {
    assert_eq!(asked(30).await, 1, "when the endpoint was made");
    assert_eq!(asked(0).await, 4, "and once for each attempt");
}
