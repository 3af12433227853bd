//! `/metrics`.

use http::StatusCode;
use serde_json::json;
use webhook_bridge::Config;

use crate::rig::{EVENT, Rig};

/// The value of a series.
fn value(text: &str, series: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} in {text}")).parse().unwrap()
}

#[tokio::test]
async fn what_the_bridge_does_is_counted() {
    let mut rig = Rig::start(Config::new()).await;
    rig.publish("evt_1").await;
    rig.receiver.next().await.answer(StatusCode::INTERNAL_SERVER_ERROR);
    rig.receiver.next().await.answer(StatusCode::OK);
    rig.publish("evt_2").await;
    rig.receiver.next().await.answer(StatusCode::GONE);
    rig.receiver.next().await.answer(StatusCode::OK);
    assert_eq!(rig.caller.post("/v1/events", EVENT.to_owned()).await.0, StatusCode::OK, "known");
    let wish = json!({ "url": "http://169.254.169.254/", "enabled_events": ["*"] });
    assert_eq!(rig.caller.post("/v1/endpoints", wish.to_string()).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    rig.caller.get("/v1/deliveries/dlv_9_9").await;
    rig.caller.get("/v1/nothing").await;

    let text = rig.metrics("webhook_bridge_deliveries_ended_total{state=\"succeeded\"} 2").await;
    for (series, expected) in [
        ("events_total{intake=\"http\",mode=\"test\",result=\"stored\"}", 2.0),
        ("events_total{intake=\"http\",mode=\"test\",result=\"known\"}", 1.0),
        ("deliveries_total", 2.0),
        ("attempts_total{outcome=\"2xx\"}", 2.0),
        ("attempts_total{outcome=\"5xx\"}", 1.0),
        ("attempts_total{outcome=\"410\"}", 1.0),
        ("attempt_duration_seconds_count", 4.0),
        ("delivery_duration_seconds_count", 2.0),
        ("retries_total", 2.0),
        ("requests_under_way", 0.0),
        ("egress_refusals_total{rule=\"link-local, cloud metadata\"}", 1.0),
        ("api_requests_total{method=\"GET\",route=\"/v1/deliveries/{id}\",status=\"4xx\"}", 1.0),
        ("api_requests_total{method=\"GET\",route=\"none\",status=\"4xx\"}", 1.0),
        ("api_requests_total{method=\"POST\",route=\"/v1/events\",status=\"2xx\"}", 3.0),
        ("ready", 1.0),
        ("bus_healthy", 1.0),
        ("store_queue", 0.0),
    ] {
        assert_eq!(value(&text, &format!("webhook_bridge_{series}")), expected, "{series}");
    }
    assert!(value(&text, "webhook_bridge_store_batch_count") >= 8.0);
    rig.bridge.stop().await;
}

#[tokio::test]
async fn nothing_of_a_customer_is_in_the_metrics() {
    let mut rig = Rig::start(Config::new()).await;
    rig.publish("evt_secret").await;
    rig.receiver.next().await.answer(StatusCode::OK);
    let text = rig.metrics("webhook_bridge_deliveries_ended_total{state=\"succeeded\"} 1").await;
    let endpoints = rig.caller.get("/v1/endpoints").await.1;
    let id = endpoints["list"][0]["id"].as_str().unwrap().to_owned();
    for secret in [id.as_str(), "evt_secret", "127.0.0.1", "/hooks", "whb_", "whsec_", "checkout", "cs_1"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    rig.bridge.stop().await;
}
