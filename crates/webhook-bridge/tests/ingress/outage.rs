//! A bus that is gone: its provider is told to come again, and nothing is lost.

use std::collections::BTreeSet;

use http::StatusCode;
use http::header::RETRY_AFTER;
use rustix::process::Signal;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;
use webhook_bridge::{Bridge, Config, ErrorKind};

use crate::redis::Redis;
use crate::rig::{PATIENCE, Rig, now, standard};

const BODY: &str = r#"{"type":"order.paid","data":{"id":"ord_1"}}"#;

#[tokio::test]
async fn an_outage_of_the_bus_is_503_and_loses_nothing() {
    let mut redis = Redis::start().await;
    let mut rig = Rig::start(Config::new().bus(redis.url())).await;
    assert_eq!(rig.status("/in/shop", &standard("msg_0", now(), BODY), BODY).await, StatusCode::OK);
    redis.kill();
    let answer = rig.post("/in/shop", &standard("msg_1", now(), BODY), BODY).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    let later: u64 = answer.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&later), "{later}");
    assert!(rig.count("unavailable").await >= 1);

    redis.restart().await;
    // As a provider: again until it is taken.
    let again = async {
        while rig.status("/in/shop", &standard("msg_1", now(), BODY), BODY).await != StatusCode::OK {}
    };
    timeout(PATIENCE, again).await.expect("the bus is back within a minute");
    assert_eq!(rig.status("/in/shop", &standard("msg_0", now(), BODY), BODY).await, StatusCode::OK);
    let mut missing = BTreeSet::from(["msg_0".to_owned(), "msg_1".to_owned()]);
    while !missing.is_empty() {
        missing.remove(rig.next().await.id().as_str());
    }
    assert_eq!(rig.count("known").await, 1, "what was on the bus before the outage is not published again");
    rig.stop().await;
}

/// That the broker does not let us in is no fault of who sent it.
#[tokio::test]
async fn a_broker_that_refuses_us_is_503_too() {
    let redis = Redis::start().await;
    let mut rig = Rig::start(Config::new().bus(redis.url())).await;
    redis.command(&["ACL", "SETUSER", "default", "-xadd"]);
    let answer = rig.post("/in/shop", &standard("msg_1", now(), BODY), BODY).await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.headers().contains_key(RETRY_AFTER));
    assert!(!String::from_utf8_lossy(answer.body()).contains("xadd"), "the broker's words are ours alone");
    redis.command(&["ACL", "SETUSER", "default", "+xadd"]);
    assert_eq!(rig.status("/in/shop", &standard("msg_1", now(), BODY), BODY).await, StatusCode::OK);
    assert_eq!(rig.next().await.id().as_str(), "msg_1");
    rig.stop().await;
}

/// A provider that hangs up while the bus is slow comes again, and its webhook is published once.
#[tokio::test]
async fn who_hangs_up_and_comes_again_has_it_published_once() {
    let redis = Redis::start().await;
    let mut rig = Rig::start(Config::new().bus(redis.url())).await;
    for round in 0..8 {
        let id = format!("msg_{round}");
        let headers = standard(&id, now(), BODY);
        redis.signal(Signal::STOP);
        let mut request = format!("POST /in/shop HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n", BODY.len());
        headers.iter().for_each(|(name, value)| request += &format!("{name}: {value}\r\n"));
        let mut stream = TcpStream::connect(rig.bridge.address()).await.unwrap();
        stream.write_all(format!("{request}\r\n{BODY}").as_bytes()).await.unwrap();
        // Answered after the request was taken, and after it was seen that its sender is gone.
        rig.count("published").await;
        drop(stream);
        rig.count("published").await;
        redis.signal(Signal::CONT);
        assert_eq!(rig.status("/in/shop", &headers, BODY).await, StatusCode::OK);
        assert_eq!(rig.next().await.id().as_str(), id);
    }
    rig.nothing_else().await;
    rig.stop().await;
}

/// What one takes in is for another to deliver, which is at another place.
#[tokio::test]
async fn a_bridge_that_does_not_subscribe_takes_webhooks_in_and_stores_no_event() {
    let redis = Redis::start().await;
    let alone = tempfile::tempdir().unwrap();
    let early = Config::new().bus(redis.url()).without_subscription().data(alone.path());
    let refused = Bridge::start(early.listen("127.0.0.1:0".parse().unwrap())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::NotFound, "what nobody has a group for would be lost");
    let behind = Rig::on(Config::new().bus(redis.url()), tempfile::tempdir().unwrap()).await;
    let front = Rig::start(Config::new().bus(redis.url()).without_subscription()).await;
    assert_eq!(front.status("/in/shop", &standard("msg_1", now(), BODY), BODY).await, StatusCode::OK);
    let stored = async { while behind.taken().await == 0 {} };
    timeout(PATIENCE, stored).await.expect("another bridge has it");
    assert_eq!(front.taken().await, 0);
    assert_eq!(front.status("/in/shop", &standard("msg_1", now(), BODY), BODY).await, StatusCode::OK);
    assert_eq!(front.count("known").await, 1, "it remembers what it published");

    let bearer = format!("Bearer {}", front.bridge.fresh_keys()[0].reveal());
    let headers = vec![("authorization", bearer), ("content-type", "application/json".to_owned())];
    let posted = r#"{"id":"evt_1","livemode":false,"type":"a.b","source":"shop","data":{},"created_at":"2026-01-01T00:00:00Z"}"#;
    assert_eq!(front.status("/v1/events", &headers, posted).await, StatusCode::ACCEPTED);
    let stored = r#"webhook_bridge_events_total{intake="http",mode="test",result="stored"}"#;
    assert_eq!(front.metric(stored).await, 1, "what is posted to its own API it stores itself");
    front.stop().await;
    behind.stop().await;
}
