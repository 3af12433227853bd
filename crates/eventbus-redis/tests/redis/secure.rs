//! Users with few rights, and TLS.

use std::time::Duration;

use eventbus::ErrorKind;
use eventbus::conformance::Redis;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::ground::{self, Seen, event, transport, until};

#[tokio::test]
async fn a_user_who_may_not_ask_about_the_server_can_publish_and_subscribe() {
    let rights = ["app", "on", ">secret", "~eventbus:*", "+@all", "-config", "-client"];
    let server = ground::server(Redis::new().set("user", rights)).await;
    let url = format!("redis://app:secret@127.0.0.1:{}/0?lease=1s", server.port());
    let bus = eventbus::EventBus::new(
        std::sync::Arc::new(transport(&url).await.unwrap()),
        eventbus::BusConfig::new(),
    );
    let seen = Seen::default();
    let running = bus.subscribe("g").on_pattern("#", seen.handler()).start().await.unwrap();
    bus.publish(event(1, "k")).await.unwrap();
    until("it has come", || async { seen.has("evt_1") }).await;
    running.stop(Duration::from_secs(5)).await;
}

#[tokio::test]
async fn tls_is_checked_against_the_authority_that_was_given() {
    let folder = tempfile::tempdir().unwrap();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (cert, key) = (file("cert.pem", cert.pem()), file("key.pem", signing_key.serialize_pem()));
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let redis = Redis::new()
        .set("tls-port", [port.to_string()])
        .set("tls-cert-file", [cert.as_str()])
        .set("tls-key-file", [key.as_str()])
        .set("tls-auth-clients", ["no"]);
    let _server = ground::server(redis).await;
    let trusting = transport(&format!("rediss://localhost:{port}?ca={cert}")).await.unwrap();
    let bus = eventbus::EventBus::new(std::sync::Arc::new(trusting), eventbus::BusConfig::new());
    bus.publish(event(1, "k")).await.unwrap();
    let error = transport(&format!("rediss://localhost:{port}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSent, "a stranger's certificate is not taken: {error}");
    let error = transport(&format!("redis://localhost:{port}?ca={cert}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
