//! Sentinels: the master is found, and found again when another one takes over.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use eventbus::conformance::{AppendOnly, Process, Redis};
use eventbus::{BusConfig, EventBus};

use crate::ground::{self, Seen, event, transport, until};

#[tokio::test]
async fn a_bus_follows_the_master_through_a_failover() {
    let always = || Redis::new().append_only(AppendOnly::Always);
    let master = ground::server(always()).await;
    let port = master.port().to_string();
    let replica = ground::server(always().set("replicaof", ["127.0.0.1", &port])).await;
    let folder = tempfile::tempdir().unwrap();
    let own = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let file = folder.path().join("sentinel.conf");
    let text = format!(
        "port {own}\nbind 127.0.0.1\ndir {}\nlogfile log\nsentinel monitor shop 127.0.0.1 {port} 1\n\
         sentinel down-after-milliseconds shop 500\nsentinel failover-timeout shop 2000\n",
        folder.path().display()
    );
    fs::write(&file, text).unwrap();
    let mut command = Process::command("redis-server");
    command.arg(&file).arg("--sentinel");
    let _sentinel = Process::spawn(command).unwrap();

    let url =
        format!("redis-sentinel://127.0.0.1:{own}/shop/0?lease=1s&response_timeout=1s&durability=replicas:1");
    until("the master is known", || async { transport(&url).await.is_ok() }).await;
    let config = BusConfig::new().publish_deadline(Duration::from_secs(1));
    let bus = EventBus::new(Arc::new(transport(&url).await.unwrap()), config);
    let seen = Seen::default();
    bus.subscribe("g").on_pattern("#", seen.handler()).start().await.unwrap();
    until("the replica follows", || async { bus.publish(event(1, "k")).await.is_ok() }).await;
    until("it has come", || async { seen.has("evt_1") }).await;
    master.kill();
    let single = format!("redis-sentinel://127.0.0.1:{own}/shop/0?lease=1s&response_timeout=1s");
    let publisher = EventBus::new(Arc::new(transport_later(&single).await), BusConfig::new());
    until("the other one took over", || async { publisher.publish(event(2, "k")).await.is_ok() }).await;
    until("the subscription followed", || async { seen.has("evt_2") }).await;
    drop(replica);
}

/// Connects as soon as there is a master again.
async fn transport_later(url: &str) -> eventbus_redis::RedisTransport {
    loop {
        match transport(url).await {
            Ok(transport) => return transport,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
