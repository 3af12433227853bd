//! From a provider to the bus, once.

use eventbus::Timestamp;
use http::StatusCode;
use webhook_bridge::Config;
use webhook_bridge::ingress::{Source, SourceConfig};
use webhook_bridge::model::Mode;

use crate::rig::{Rig, SECRET, now, standard};

const BODY: &str = r#"{"type":"order.paid","timestamp":"2026-01-04T08:10:35Z","data":{"id":"ord_1","amount":12.50,"n":12345678901234567890}}"#;

#[tokio::test]
async fn a_signed_webhook_is_published_as_an_event_of_its_source() {
    let mut rig = Rig::start(Config::new()).await;
    assert_eq!(rig.status("/in/shop", &standard("msg_1", now(), BODY), BODY).await, StatusCode::OK);
    let event = rig.next().await;
    assert_eq!(
        (event.id().as_str(), event.event_type().as_str(), event.source().as_str(), event.livemode()),
        ("msg_1", "order.paid", "shop", false)
    );
    assert_eq!(event.time(), "2026-01-04T08:10:35Z".parse::<Timestamp>().unwrap());
    assert_eq!(event.key().unwrap().as_str(), "ord_1");
    assert_eq!(
        event.object_json().unwrap().text(),
        r#"{"id":"ord_1","amount":12.50,"n":12345678901234567890}"#
    );
    rig.nothing_else().await;
    assert_eq!(rig.count("published").await, 1);
    rig.stop().await;
}

#[tokio::test]
async fn an_event_in_the_form_of_the_bus_stays_as_it_is() {
    let body = r#"{ "id":"evt_9","livemode":false, "type":"order.paid","source":"shop","data":{"object":{"id":"o"}},"extra":1.0,"created_at":"2026-01-01T00:00:00Z"}"#;
    let mut rig = Rig::start(Config::new()).await;
    assert_eq!(rig.status("/in/shop", &standard("evt_9", now(), body), body).await, StatusCode::OK);
    assert_eq!(rig.next().await.to_json().unwrap(), body);
    for other in [body.replace("\"shop\"", "\"payment-kit\""), body.replace("false", "true")] {
        let answer = rig.status("/in/shop", &standard("evt_9", now(), &other), other).await;
        assert_eq!(answer, StatusCode::UNPROCESSABLE_ENTITY, "of another source, or mode");
    }
    rig.nothing_else().await;
    rig.stop().await;
}

#[tokio::test]
async fn what_comes_again_is_answered_and_not_published_again_also_after_a_restart() {
    let mut rig = Rig::start(Config::new()).await;
    let headers = standard("msg_1", now(), BODY);
    let together: Vec<_> = (0..8).map(|_| rig.status("/in/shop", &headers, BODY)).collect();
    assert_eq!(futures::future::join_all(together).await, [StatusCode::OK; 8]);
    let later = standard("msg_1", now() + 5, BODY);
    assert_eq!(rig.status("/in/shop", &later, BODY).await, StatusCode::OK);
    assert_eq!(rig.next().await.id().as_str(), "msg_1");
    rig.nothing_else().await;
    assert_eq!((rig.count("published").await, rig.count("known").await), (1, 8));

    let folder = rig.stop().await;
    let shop = SourceConfig::new("standard", SECRET).mode(Mode::Test);
    let sources = vec![Source::new("shop", shop).unwrap()];
    let mut rig = Rig::on(Config::new().sources(sources), folder).await;
    assert_eq!(rig.status("/in/shop", &headers, BODY).await, StatusCode::OK);
    rig.nothing_else().await;
    assert_eq!(rig.count("known").await, 1);
    rig.stop().await;
}
