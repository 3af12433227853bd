//! Stopping.

use std::time::{Duration, Instant};

use http::StatusCode;
use webhook_bridge::{Bridge, Config};

use crate::rig::Rig;

#[tokio::test]
async fn an_endpoint_that_hangs_does_not_keep_the_bridge_from_stopping_and_is_asked_again() {
    let mut config = Config::new();
    config.drain = Duration::from_millis(300);
    let mut rig = Rig::start(config.clone()).await;
    rig.publish("evt_1").await;
    let hanging = rig.receiver.next().await;
    let began = Instant::now();
    rig.bridge.stop().await;
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}: less than the request's time-out",
        began.elapsed()
    );
    drop(hanging);

    let config = config.data(rig.folder.path()).allow_targets(vec![rig.receiver.target()]);
    let bridge = Bridge::start(config.listen("127.0.0.1:0".parse().unwrap())).await.unwrap();
    let again = rig.receiver.next().await;
    again.answer(StatusCode::OK);
    assert_eq!((again.header("webhook-id"), again.header("webhook-attempt")), ("evt_1", "2"));
    bridge.stop().await;
}
