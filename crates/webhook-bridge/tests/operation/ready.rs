//! `/health/ready`.

use std::time::Duration;

use http::StatusCode;
use rusqlite::Connection;
use serde_json::json;
use webhook_bridge::Config;

use crate::rig::Rig;

const READY: &str = "/health/ready";
const BOUND: Duration = Duration::from_millis(600);

#[tokio::test]
async fn deliveries_that_nobody_sends_are_seen_until_they_are_sent() {
    let mut rig = Rig::start(Config::new().unsent(BOUND)).await;
    assert_eq!(rig.caller.get(READY).await, (StatusCode::OK, json!({ "status": "ready" })));
    rig.publish("evt_1").await;
    rig.receiver.next().await.answer(StatusCode::OK);
    let store = Connection::open(rig.folder.path().join("bridge.sqlite")).unwrap();
    let ended = || store.query_row("SELECT state FROM delivery", [], |row| row.get::<_, u8>(0)).unwrap() == 2;
    let mut looks = tokio::time::interval(Duration::from_millis(10));
    while !ended() {
        looks.tick().await;
    }
    // Due, and the dispatcher does not know it: as if it had stopped.
    store.execute("UPDATE delivery SET state = 0, finished_at = NULL, due_at = 1", []).unwrap();
    let names = |status, answer: &serde_json::Value| {
        status == StatusCode::SERVICE_UNAVAILABLE && answer["faults"][0]["part"] == "deliveries"
    };
    rig.until(READY, names).await;

    rig.publish("evt_2").await;
    // A retry is claimed, and with it all that is due.
    rig.receiver.next().await.answer(StatusCode::INTERNAL_SERVER_ERROR);
    rig.receiver.next().await.answer(StatusCode::OK);
    rig.receiver.next().await.answer(StatusCode::OK);
    rig.until(READY, |status, _| status == StatusCode::OK).await;
    rig.bridge.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_hangs_or_is_down_is_no_fault_of_the_bridge() {
    let mut rig = Rig::start(Config::new().unsent(BOUND)).await;
    for id in 0..20 {
        rig.publish(&format!("evt_{id}")).await;
    }
    let mut unanswered = Vec::new();
    while unanswered.len() < 8 {
        unanswered.push(rig.receiver.next().await);
    }
    let mut looks = tokio::time::interval(BOUND / 10);
    for _ in 0..25 {
        looks.tick().await;
        assert_eq!(rig.caller.get(READY).await.0, StatusCode::OK);
    }
    // Down from here on: each is refused until the breaker opens.
    drop(unanswered);
    drop(rig.receiver);
    for _ in 0..25 {
        looks.tick().await;
        assert_eq!(rig.caller.get(READY).await.0, StatusCode::OK);
    }
    rig.bridge.stop().await;
}

#[tokio::test]
async fn a_bus_that_is_gone_is_named() {
    let rig = Rig::start(Config::new()).await;
    rig.bridge.bus().shutdown(Duration::ZERO).await;
    let (status, answer) = rig.caller.get(READY).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer["faults"], json!([{ "part": "bus", "detail": "it is closed" }]));
    assert_eq!(rig.caller.get("/v1/endpoints").await.0, StatusCode::OK, "what does not need it goes on");
    rig.bridge.stop().await;
}
