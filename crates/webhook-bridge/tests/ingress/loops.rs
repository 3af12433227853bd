//! A bridge one of whose endpoints is its own ingress.

use std::net::TcpListener;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tokio::time::{interval, timeout};
use webhook_bridge::Config;

use crate::rig::{PATIENCE, Rig, SECRET, now, standard};

#[tokio::test]
async fn what_comes_back_to_the_bridge_goes_round_no_second_time() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let allowed = format!("127.0.0.1/32:{}", address.port()).parse().unwrap();
    let mut rig = Rig::start(Config::new().listen(address).allow_targets(vec![allowed])).await;
    let wish = json!({
        "url": format!("http://{}/in/shop", rig.bridge.address()), "enabled_events": ["order.*"], "secret": SECRET,
    });
    let request = Request::post(format!("http://{}/v1/endpoints", rig.bridge.address()))
        .header("authorization", format!("Bearer {}", rig.bridge.fresh_keys()[0].reveal()))
        .body(Full::<Bytes>::from(wish.to_string()))
        .unwrap();
    assert_eq!(rig.client.request(request).await.unwrap().status(), StatusCode::CREATED);

    let body = r#"{"type":"order.paid","data":{"id":"ord_1"}}"#;
    assert_eq!(rig.status("/in/shop", &standard("msg_1", now(), body), body).await, StatusCode::OK);
    let mut looks = interval(std::time::Duration::from_millis(20));
    let back = async {
        while rig.count("known").await == 0 {
            looks.tick().await;
        }
    };
    timeout(PATIENCE, back).await.expect("it is delivered to the bridge itself");
    assert_eq!(rig.next().await.id().as_str(), "msg_1");
    rig.nothing_else().await;
    assert_eq!(rig.count("published").await, 1);
    rig.stop().await;
}
