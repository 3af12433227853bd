//! The log: trimmed up to what every group has settled, never further, and nothing is left behind in it.

use eventbus::conformance::RedisServer;
use eventbus::{AnyEvent, ErrorKind, EventBus, TraceContext};

use crate::ground::{self, LOG, Seen, command, count, events, json, settled, until};

async fn length(server: &RedisServer) -> i64 {
    count(server, &["XLEN", LOG]).await
}

/// Entries go in blocks of the server's own, of a hundred.
const BLOCK: i64 = 100;

#[tokio::test]
async fn an_entry_is_a_line_for_routing_and_the_json_form() {
    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let server = ground::plain().await;
    let bus = ground::bus(&server, "").await;
    let plain = json("evt_1", "k");
    let kits = json("evt_2", "k").replace("shop", "payment-kit");
    let traced = AnyEvent::from_json(plain.clone()).unwrap().with_envelope(|envelope| {
        envelope.key = None;
        envelope.trace = PARENT.parse().ok().map(|trace: TraceContext| trace.with_state("a=b"));
    });
    bus.publish(AnyEvent::from_json(plain.clone()).unwrap()).await.unwrap();
    bus.publish(AnyEvent::from_json(kits.clone()).unwrap()).await.unwrap();
    bus.publish(traced).await.unwrap();
    let entries = format!("{:?}", command(&server, &["XRANGE", LOG, "-", "+"]).await);
    let shop = "1\tevt_1\tparcel.shipped\tshop\t1767225600000\ttest\t";
    for stored in [
        format!("{shop}k\n{plain}"),
        format!("1\tevt_2\tparcel.shipped\t\t1767225600000\ttest\tk\n{kits}"),
        format!("{shop}\t{PARENT}\ta=b\n{plain}"),
    ] {
        assert!(entries.contains(&format!("{stored:?}")), "{stored:?} is not in {entries}");
    }
}

#[tokio::test]
async fn what_all_groups_have_settled_is_trimmed_to_the_floor() {
    let server = ground::plain().await;
    let bus = ground::bus(&server, "&keep=200").await;
    let (one, two) = (Seen::default(), Seen::default());
    for (group, seen) in [("one", &one), ("two", &two)] {
        bus.subscribe(group).on_pattern("#", seen.handler()).start().await.unwrap();
    }
    bus.publish_all(events(0, 1000)).await.unwrap();
    settled(&bus, "one").await;
    settled(&bus, "two").await;
    until("it is trimmed", || async { length(&server).await <= 200 + BLOCK }).await;
    assert!(length(&server).await >= 200, "the floor is kept");
    assert!(one.len() >= 1000 && two.len() >= 1000);
}

#[tokio::test]
async fn unread_and_pending_entries_are_never_trimmed() {
    let server = ground::plain().await;
    let bus = ground::bus(&server, "&keep=0").await;
    let quick = Seen::default();
    bus.subscribe("quick").on_pattern("#", quick.handler()).start().await.unwrap();
    let stuck = |_: AnyEvent| std::future::pending();
    bus.subscribe("stuck").on_pattern("#", stuck).no_timeout().concurrency(1).start().await.unwrap();
    let idle = Seen::default();
    let leaving = bus.subscribe("idle").on_pattern("#", idle.handler()).start().await.unwrap();
    leaving.stop(std::time::Duration::from_secs(1)).await;
    bus.publish_all(events(0, 500)).await.unwrap();
    settled(&bus, "quick").await;
    // Two rounds of trimming and more.
    let trimmed = tokio::time::Instant::now() + std::time::Duration::from_secs(3);
    tokio::time::sleep_until(trimmed).await;
    assert_eq!(length(&server).await, 500);
    bus.subscribe("idle").on_pattern("#", idle.handler()).start().await.unwrap();
    settled(&bus, "idle").await;
    let mut seen = idle.ids();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 500);
}

#[tokio::test]
async fn without_groups_the_log_keeps_its_floor_and_no_more() {
    let server = ground::plain().await;
    let bus = ground::bus(&server, "&keep=100").await;
    bus.publish_all(events(0, 1000)).await.unwrap();
    until("it is trimmed", || async { length(&server).await <= 100 + BLOCK }).await;
}

#[tokio::test]
async fn a_group_without_members_that_holds_the_log_is_an_alarm() {
    let server = ground::plain().await;
    let bus = ground::bus(&server, "&keep=50").await;
    let seen = Seen::default();
    let running = bus.subscribe("gone").on_pattern("#", seen.handler()).start().await.unwrap();
    running.stop(std::time::Duration::from_secs(1)).await;
    bus.publish_all(events(0, 300)).await.unwrap();
    let told = |bus: &EventBus| bus.health().warnings.iter().any(|warning| warning.contains("group gone"));
    until("the alarm is raised", || async { told(&bus) }).await;
    assert_eq!(bus.health().troubles, [""; 0], "whoever publishes is well all the same");
    assert!(bus.forget("gone").await.unwrap());
    until("the alarm is over", || async { !told(&bus) }).await;
    until("the log is trimmed", || async { length(&server).await <= 50 + BLOCK }).await;
}

#[tokio::test]
async fn members_that_ended_leave_no_names_and_no_groups_behind() {
    let server = ground::plain().await;
    let bus = ground::bus(&server, "").await;
    let seen = Seen::default();
    let staying = bus.subscribe("g").on_pattern("#", seen.handler()).start().await.unwrap();
    for _ in 0..5 {
        let second = ground::bus(&server, "").await;
        second.subscribe("g").on_pattern("#", seen.handler()).start().await.unwrap();
        second.subscribe("b").on_pattern("#", seen.handler()).broadcast().start().await.unwrap();
        second.publish(ground::event(1, "k")).await.unwrap();
        settled(&second, "g").await;
        second.shutdown(std::time::Duration::from_secs(5)).await;
    }
    let list = async |what: &str| format!("{:?}", command(&server, &["XINFO", what, LOG, "g"]).await);
    until("one name is left", || async { list("CONSUMERS").await.matches("pending").count() <= 1 }).await;
    let groups = format!("{:?}", command(&server, &["XINFO", "GROUPS", LOG]).await);
    assert_eq!(groups.matches("last-delivered-id").count(), 1, "{groups}");
    let keys = format!("{:?}", command(&server, &["KEYS", "*b#*"]).await);
    assert!(!keys.contains("b#"), "{keys}");
    drop(staying);
}

#[tokio::test]
async fn a_group_with_members_is_not_forgotten_and_one_without_is_whole() {
    let server = ground::plain().await;
    let (bus, other) = (ground::bus(&server, "").await, ground::bus(&server, "").await);
    let seen = Seen::default();
    let running = bus.subscribe("g").on_pattern("#", seen.handler()).start().await.unwrap();
    assert_eq!(other.forget("g").await.unwrap_err().kind(), ErrorKind::Conflict);
    running.stop(std::time::Duration::from_secs(1)).await;
    assert!(other.forget("g").await.unwrap());
    let keys = format!("{:?}", command(&server, &["KEYS", "*group:g:*"]).await);
    assert!(!keys.contains("group:g:"), "{keys}");
}
