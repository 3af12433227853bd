//! Bad input gets a clear error or a place among the dead letters, and everything else goes on.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use eventbus::conformance::Redis;
use eventbus::transport::{Body, Reason, Start};
use eventbus::{ErrorKind, EventBus, Select};

use crate::ground::{self, LOG, Seen, command, event, events, json, settled, transport, until};

#[tokio::test]
async fn an_unreachable_server_is_an_error_at_once_without_the_password() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let since = Instant::now();
    let error = transport(&format!("redis://me:secret@127.0.0.1:{port}")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotSent);
    let text = format!("{error} {error:?}");
    assert!(text.contains(&port.to_string()) && !text.contains("secret"), "{text}");
    assert!(since.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_told() {
    let server = ground::server(Redis::new().password("right")).await;
    let plain = format!("redis://127.0.0.1:{}", server.port());
    for url in [plain.clone(), plain.replace("redis://", "redis://:wrong@")] {
        let error = transport(&url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
        assert!(!format!("{error:?}").contains("wrong@"), "{error:?}");
    }
    transport(&server.url()).await.unwrap();
}

#[tokio::test]
async fn bad_urls_are_refused_with_the_rule() {
    eventbus_redis::install();
    for (url, part) in [
        ("redis://127.0.0.1?speed=11", "does not know the option \"speed\""),
        ("redis://127.0.0.1/seven", "database"),
        ("redis://127.0.0.1?ca=/nowhere.pem", "/nowhere.pem"),
        ("redis://127.0.0.1?node=x:1", "sentinels only"),
        ("redis-sentinel://127.0.0.1", "must name the service"),
        ("redis://", "host"),
    ] {
        let error = EventBus::connect(url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{url}: {error}");
        assert!(error.to_string().to_lowercase().contains(part), "{url}: {error}");
    }
}

#[tokio::test]
async fn another_type_at_a_key_is_told_and_survived() {
    let server = ground::plain().await;
    command(&server, &["SET", LOG, "x"]).await;
    let bus = ground::bus(&server, "").await;
    let error = bus.publish(event(1, "k")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    let seen = Seen::default();
    let start = || bus.subscribe("g").on_pattern("#", seen.handler()).start();
    let error = start().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Refused && error.to_string().contains("WRONGTYPE"), "{error}");
    command(&server, &["DEL", LOG]).await;
    start().await.unwrap();
    bus.publish(event(2, "k")).await.unwrap();
    until("it works", || async { seen.has("evt_2") }).await;
    // While the subscription runs.
    command(&server, &["DEL", LOG]).await;
    command(&server, &["SET", LOG, "x"]).await;
    until("the health tells", || async { !bus.health().is_healthy() }).await;
    command(&server, &["DEL", LOG]).await;
    until("it is well again", || async { bus.health().is_healthy() }).await;
    bus.publish(event(3, "k")).await.unwrap();
    until("it works again", || async { seen.has("evt_3") }).await;
}

#[tokio::test]
async fn entries_that_are_no_events_are_dead_letters_with_their_bytes() {
    let server = ground::plain().await;
    let bus = ground::bus(&server, "&max_event_size=1000").await;
    let seen = Seen::default();
    bus.subscribe("g").on_pattern("#", seen.handler()).start().await.unwrap();
    let large = json("evt_large", &"k".repeat(2000));
    command(&server, &["XADD", LOG, "*", "event", "{not json"]).await;
    command(&server, &["XADD", LOG, "*", "colour", "red", "size", "1"]).await;
    command(&server, &["XADD", LOG, "*", "event", "9\tx\n{}"]).await;
    command(&server, &["XADD", LOG, "*", "event", &large]).await;
    command(&server, &["XADD", LOG, "*", "event", &json("evt_foreign", "k")]).await;
    bus.publish(event(1, "k")).await.unwrap();
    settled(&bus, "g").await;
    assert_eq!(seen.ids(), ["evt_foreign", "evt_1"], "what other programs publish is handled too");
    let letters = bus.dead_letters("g").unwrap().list(Select::all(), 10).await.unwrap();
    let raw: Vec<String> =
        letters.iter().map(|letter| String::from_utf8(letter.raw().unwrap().to_vec()).unwrap()).collect();
    assert_eq!(raw, ["{not json", "colour=red\nsize=1", "9\tx\n{}", &large]);
    assert!(letters.iter().all(|letter| letter.reason == Reason::Undecodable));
    assert!(letters.iter().all(|letter| matches!(letter.body, Body::Undecodable(_))));
}

#[tokio::test]
async fn an_event_over_the_limit_is_refused_and_its_batch_is_not() {
    let server = ground::plain().await;
    let bus = ground::bus(&server, "&max_event_size=1000").await;
    let large = json("evt_large", "k").replace("{}", &format!("\"{}\"", "x".repeat(2000)));
    let batch = [event(1, "k"), eventbus::AnyEvent::from_json(large).unwrap(), event(3, "k")];
    let error = bus.publish_all(batch).await.unwrap_err();
    let kinds: Vec<_> =
        error.outcomes().iter().map(|outcome| outcome.as_ref().err().map(eventbus::Error::kind)).collect();
    assert_eq!(kinds, [None, Some(ErrorKind::Refused), None]);
}

#[tokio::test]
async fn a_server_out_of_memory_is_full_and_mends() {
    let server = ground::plain().await;
    let bus = ground::bus(&server, "").await;
    bus.publish(event(1, "k")).await.unwrap();
    command(&server, &["CONFIG", "SET", "maxmemory", "1"]).await;
    assert_eq!(bus.publish(event(2, "k")).await.unwrap_err().kind(), ErrorKind::Full);
    command(&server, &["CONFIG", "SET", "maxmemory", "0"]).await;
    bus.publish(event(2, "k")).await.unwrap();
}

#[tokio::test]
async fn a_replica_takes_no_events_and_says_so() {
    let master = ground::plain().await;
    let replica =
        ground::server(Redis::new().set("replicaof", ["127.0.0.1", &master.port().to_string()])).await;
    let error = transport(&ground::url(&replica, "")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotSent | ErrorKind::Refused), "{error}");
}

#[tokio::test]
async fn a_cluster_is_refused_clearly() {
    let server = ground::server(Redis::new().set("cluster-enabled", ["yes"])).await;
    let error = transport(&ground::url(&server, "")).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unsupported && error.to_string().contains("cluster"), "{error}");
}

#[tokio::test]
async fn an_event_that_was_trimmed_is_no_start() {
    let server = ground::plain().await;
    let bus = ground::bus(&server, "").await;
    bus.publish_all(events(0, 5)).await.unwrap();
    let start = Start::Event("evt_99".parse().unwrap());
    let seen = Seen::default();
    let error =
        bus.subscribe("g").on_pattern("#", seen.handler()).start_from(start).start().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(bus.backlog("g").await.unwrap(), None, "no group was left behind");
}
