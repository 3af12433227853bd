//! What a stored event survives is stated, and a publish waits for what was asked.

use eventbus::ErrorKind;
use eventbus::conformance::{AppendOnly, Redis};
use eventbus::transport::Durability;

use crate::ground::{self, event, transport, url};

#[tokio::test]
async fn capabilities_state_what_the_server_is_set_to() {
    for (append_only, stated) in [
        (AppendOnly::No, Durability::Memory),
        (AppendOnly::EverySecond, Durability::Disk),
        (AppendOnly::Always, Durability::Synced),
    ] {
        let server = ground::server(Redis::new().append_only(append_only)).await;
        let bus = ground::bus(&server, "").await;
        assert_eq!(bus.capabilities().durability, stated);
        let synced =
            transport(&url(&server, "&durability=fsync")).await.map(|_| ()).map_err(|error| error.kind());
        // The baseline server has no WAITAOF.
        let expected = if append_only == AppendOnly::Always { Ok(()) } else { Err(ErrorKind::Unsupported) };
        assert_eq!(synced, expected, "{append_only:?}");
    }
}

#[tokio::test]
async fn a_publish_waits_for_replicas_and_does_not_say_ok_without_them() {
    let master = ground::plain().await;
    let bus = ground::bus(&master, "&durability=replicas:1").await;
    assert_eq!(bus.capabilities().durability, Durability::Replicated(2));
    let error = bus.publish(event(1, "k")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown, "there is no replica: {error}");
    let port = master.port().to_string();
    let replica = ground::server(Redis::new().set("replicaof", ["127.0.0.1", &port])).await;
    ground::until("the replica follows", || async { bus.publish(event(2, "k")).await.is_ok() }).await;
    let copies = ground::count(&replica, &["XLEN", ground::LOG]).await;
    assert!(copies >= 2, "what was confirmed is on the replica: {copies}");
}

#[tokio::test]
async fn a_server_that_may_evict_events_is_warned_of_or_refused() {
    let server = ground::server(Redis::new().set("maxmemory-policy", ["allkeys-lru"])).await;
    let bus = ground::bus(&server, "").await;
    let health = bus.health();
    assert!(!health.is_healthy() && health.troubles[0].contains("allkeys-lru"), "{:?}", health.troubles);
    let error = transport(&url(&server, "&eviction=refuse")).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Refused && error.to_string().contains("noeviction"), "{error}");
}
