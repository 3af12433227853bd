//! A bus that is gone: its provider is told to come again, and nothing is lost.

use std::collections::BTreeSet;

use http::StatusCode;
use http::header::RETRY_AFTER;
use tokio::time::timeout;
use webhook_bridge::Config;

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
