//! What goes wrong only at the wrong moment: full memory, pauses longer than a lease, answers that come too late.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

use std::num::NonZeroU32;
use std::time::Duration;

use eventbus::conformance::{Proxy, Redis, RedisServer, Reply, Server};
use eventbus::transport::{
    Body, Group, Membership, Mode, Order, Publishing, Received, Settled, Settlement, Start, SubscriptionSpec,
    Token, Transport as _, WhenFull,
};
use eventbus::{AnyEvent, ErrorKind, Filter};
use eventbus_redis::{RedisConfig, RedisTransport};

use crate::ground::{LOG, command, count, plain, until};

fn key(group: &str, part: &str) -> String {
    format!("eventbus:{{bus/0}}:group:{group}:{part}")
}

async fn connect(port: u16, options: &str) -> RedisTransport {
    let url = format!("redis://127.0.0.1:{port}?lease=1s&response_timeout=1s{options}");
    RedisTransport::connect(RedisConfig::parse(&url).unwrap()).await.unwrap()
}

fn json(id: &str, key: &str, size: usize) -> String {
    format!(
        r#"{{"id":"{id}","livemode":false,"type":"parcel.shipped","source":"shop","object_id":"{key}","data":{{"object":{{"pad":"{}"}}}},"created_at":"2026-01-01T00:00:00.000Z"}}"#,
        "x".repeat(size)
    )
}

fn event(id: &str, key: &str) -> AnyEvent {
    AnyEvent::from_json(json(id, key, 0)).unwrap()
}

const PUBLISHING: Publishing = Publishing { deadline: Duration::from_secs(3), when_full: WhenFull::Wait };

async fn publish(transport: &RedisTransport, events: &[AnyEvent]) {
    for outcome in transport.publish(events, PUBLISHING).await {
        outcome.unwrap();
    }
}

fn spec(group: &str, order: Order) -> SubscriptionSpec {
    SubscriptionSpec {
        group: Group::new(group.to_owned()).unwrap(),
        mode: Mode::Shared,
        ephemeral: false,
        filters: vec![Filter::new("#".parse().unwrap())],
        order,
        overflow: None,
        capacity: None,
        start: Start::Now,
    }
}

async fn take(membership: &mut Membership, credit: u32) -> Vec<Received> {
    within(membership, credit, Duration::from_secs(5)).await
}

/// Receives until there are so many, or the time is over.
async fn within(membership: &mut Membership, credit: u32, time: Duration) -> Vec<Received> {
    let mut taken = Vec::new();
    let end = tokio::time::Instant::now() + time;
    while taken.len() < credit as usize {
        let left = NonZeroU32::new(credit - taken.len() as u32).unwrap();
        // Dropping the future is not what the engine does, but the reader keeps its reads.
        match tokio::time::timeout_at(end, membership.reader.receive(left)).await {
            Ok(batch) => taken.extend(batch.unwrap()),
            Err(_) => break,
        }
    }
    taken
}

fn ids(taken: &[Received]) -> Vec<String> {
    taken
        .iter()
        .map(|received| match &received.body {
            Body::Event(event) => event.id().to_string(),
            Body::Undecodable(_) => "undecodable".to_owned(),
        })
        .collect()
}

async fn settle(membership: &Membership, token: Token, settlement: Settlement) -> Settled {
    membership.settler.settle(&[(token, settlement)]).await[0]
}

async fn sleep(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// Fills the server's memory to its limit.
async fn fill(server: &RedisServer) {
    let used = format!("{:?}", command(server, &["INFO", "memory"]).await);
    let used: u64 =
        used.split("used_memory:").nth(1).unwrap().split(['\\', '\r']).next().unwrap().parse().unwrap();
    command(server, &["CONFIG", "SET", "maxmemory", &(used / 2).to_string()]).await;
    let full = command(server, &["SET", "x", "y"]).await;
    assert!(matches!(&full, Reply::Error(text) if text.starts_with("OOM")), "{full:?}");
}

#[tokio::test]
async fn a_full_server_is_trimmed() {
    let server = plain().await;
    let transport = connect(server.port(), "&keep=0").await;
    command(&server, &["SET", "eventbus:{bus/0}:trimming", "1", "PX", "1500"]).await;
    let events: Vec<AnyEvent> =
        (0..2000).map(|number| AnyEvent::from_json(json(&format!("e{number}"), "k", 500)).unwrap()).collect();
    publish(&transport, &events).await;
    assert_eq!(count(&server, &["XLEN", LOG]).await, 2000);
    fill(&server).await;
    let trimmed = async || count(&server, &["XLEN", LOG]).await < 200;
    until("what nobody needs is trimmed", trimmed).await;
}

#[tokio::test]
async fn members_of_a_full_server_keep_their_messages() {
    let server = plain().await;
    let (one, two) = (connect(server.port(), "").await, connect(server.port(), "").await);
    let mut holder = one.open(&spec("g", Order::None)).await.unwrap();
    publish(&one, &[event("a", "k")]).await;
    let held = take(&mut holder, 1).await;
    assert_eq!(ids(&held), ["a"]);
    let mut other = two.open(&spec("g", Order::None)).await.unwrap();
    assert!(within(&mut other, 1, Duration::from_millis(300)).await.is_empty());
    publish(&one, &(0..5).map(|n| event(&format!("b{n}"), "k")).collect::<Vec<_>>()).await;
    fill(&server).await;
    sleep(2500).await;
    let taken = within(&mut other, 6, Duration::from_secs(2)).await;
    assert!(!ids(&taken).contains(&"a".to_owned()), "{:?}", ids(&taken));
}

#[tokio::test]
async fn a_full_server_can_be_emptied_by_members_that_come() {
    let server = plain().await;
    let transport = connect(server.port(), "").await;
    let first = transport.open(&spec("g", Order::None)).await.unwrap();
    drop(first);
    publish(&transport, &[event("a", "k")]).await;
    fill(&server).await;
    let mut member = transport.open(&spec("g", Order::None)).await.expect("a member may join");
    assert_eq!(ids(&take(&mut member, 1).await), ["a"]);
}

#[tokio::test]
async fn a_taken_over_key_comes_in_its_order() {
    let server = plain().await;
    let transport = connect(server.port(), "").await;
    let mut first = transport.open(&spec("g", Order::PerKey)).await.unwrap();
    publish(&transport, &[event("1", "k"), event("2", "k")]).await;
    let taken = take(&mut first, 2).await;
    assert_eq!(ids(&taken), ["1", "2"]);
    // What the engine does with what has not started, while the first of the key still runs.
    assert_eq!(settle(&first, taken[1].token, Settlement::Return).await, Settled::Applied);
    assert_eq!(ids(&take(&mut first, 1).await), ["2"]);
    drop(first);
    let mut second = transport.open(&spec("g", Order::PerKey)).await.unwrap();
    assert_eq!(ids(&take(&mut second, 2).await), ["1", "2"]);
}

/// The member stands still for longer than its lease, and is back before the next owner of its shard looks.
#[tokio::test]
async fn who_comes_back_late_and_who_took_over_do_not_share_a_key() {
    let server = plain().await;
    let proxy = Proxy::start(server.port()).unwrap();
    let (slow, quick) = (connect(proxy.port(), "").await, connect(server.port(), "").await);
    let mut owner = slow.open(&spec("g", Order::PerKey)).await.unwrap();
    publish(&quick, &[event("1", "k")]).await;
    let held = take(&mut owner, 1).await;
    assert_eq!(ids(&held), ["1"]);
    let mut next = quick.open(&spec("g", Order::PerKey)).await.unwrap();
    let owning = async || command(&server, &["HGET", &key("g", "meta"), "owner"]).await;
    let before = owning().await;
    proxy.stall();
    until("the shard is the other's", async || owning().await != before).await;
    proxy.forward();
    until("both live", async || count(&server, &["ZCARD", &key("g", "members")]).await == 2).await;
    publish(&quick, &[event("2", "k")]).await;
    let taken = within(&mut next, 1, Duration::from_secs(3)).await;
    assert_ne!(ids(&taken), ["2"], "1 still runs, or is to run again");
    drop(owner);
}

#[tokio::test]
async fn who_lost_a_shard_without_knowing_reads_nothing_of_it() {
    let server = plain().await;
    let transport = connect(server.port(), "").await;
    let mut member = transport.open(&spec("g", Order::PerKey)).await.unwrap();
    publish(&transport, &[event("1", "k")]).await;
    let held = take(&mut member, 1).await;
    assert_eq!(settle(&member, held[0].token, Settlement::Ack).await, Settled::Applied);
    assert!(within(&mut member, 1, Duration::from_millis(50)).await.is_empty(), "its read waits");
    command(&server, &["HSET", &key("g", "meta"), "owner", "another"]).await;
    publish(&transport, &[event("2", "k")]).await;
    let error = member.reader.receive(NonZeroU32::MIN).await.unwrap_err();
    assert!(error.to_string().contains("took over"), "{error}");
    let pending = format!("{:?}", command(&server, &["XPENDING", LOG, "g"]).await);
    assert!(pending.starts_with("Array([Integer(0)"), "{pending}");
}

#[tokio::test]
async fn a_broadcast_survives_an_outage_longer_than_its_lease() {
    let server =
        Server::start(Redis::new().append_only(eventbus::conformance::AppendOnly::Always)).await.unwrap();
    let proxy = Proxy::start(server.port()).unwrap();
    let (here, there) = (connect(proxy.port(), "").await, connect(server.port(), "").await);
    let mut member =
        here.open(&SubscriptionSpec { mode: Mode::Broadcast, ..spec("g", Order::None) }).await.unwrap();
    publish(&there, &[event("0", "k")]).await;
    let zero = take(&mut member, 1).await;
    settle(&member, zero[0].token, Settlement::Ack).await;
    proxy.stall();
    publish(&there, &[event("1", "k")]).await;
    sleep(3000).await;
    proxy.forward();
    let taken = within(&mut member, 1, Duration::from_secs(5)).await;
    assert_eq!(ids(&taken), ["1"]);
}

#[tokio::test]
async fn a_scheduled_event_is_as_safe_as_a_published_one() {
    let server = plain().await;
    let transport = connect(server.port(), "&durability=replicas:1").await;
    let published = transport.publish(&[event("1", "k")], PUBLISHING).await;
    assert_eq!(published[0].as_ref().unwrap_err().kind(), ErrorKind::Unknown);
    let scheduled = transport.schedule(&event("2", "k"), Duration::from_secs(60)).await;
    assert_eq!(scheduled.unwrap_err().kind(), ErrorKind::Unknown);
}

/// A member with a healthy peer that holds much gets to work at once.
#[tokio::test]
async fn a_peer_that_holds_much_delays_nobody() {
    let server = plain().await;
    let transport = connect(server.port(), "").await;
    let mut first = transport.open(&spec("g", Order::None)).await.unwrap();
    let events: Vec<AnyEvent> = (0..5000).map(|number| event(&format!("e{number}"), "k")).collect();
    publish(&transport, &events).await;
    assert_eq!(take(&mut first, 5000).await.len(), 5000);
    let mut second = transport.open(&spec("g", Order::None)).await.unwrap();
    let since = tokio::time::Instant::now();
    let work = async {
        loop {
            publish(&transport, &[event("new", "k")]).await;
            if !within(&mut second, 1, Duration::from_millis(500)).await.is_empty() {
                return;
            }
        }
    };
    work.await;
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
}

fn many_fields() -> Vec<String> {
    let mut words = vec!["XADD".to_owned(), LOG.to_owned(), "*".to_owned()];
    words.extend((0..9000).map(|number| format!("f{number}")));
    words
}

#[tokio::test]
async fn an_entry_of_many_fields_is_returned_and_redriven_and_never_lost() {
    let server = plain().await;
    let transport = connect(server.port(), "").await;
    let mut member = transport.open(&spec("g", Order::None)).await.unwrap();
    let words = many_fields();
    command(&server, &words.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let taken = take(&mut member, 1).await;
    assert_eq!(ids(&taken), ["undecodable"]);
    settle(&member, taken[0].token, Settlement::Return).await;
    let again = take(&mut member, 1).await;
    assert_eq!(ids(&again), ["undecodable"], "it was returned");
    let failure = eventbus::transport::Failure::now(eventbus::transport::Reason::Undecodable, "x", 1);
    let dead = Settlement::DeadLetter { failure: Box::new(failure), hold: false };
    assert_eq!(settle(&member, again[0].token, dead).await, Settled::Applied);
    let letters = transport.dead_letters(&Group::new("g").unwrap());
    let id = letters.list(None, 10).await.unwrap()[0].id;
    let redriven = letters.redrive(id).await;
    let left = letters.list(None, 10).await.unwrap().len();
    let came = within(&mut member, 1, Duration::from_secs(2)).await.len();
    assert_eq!(left + came, 1, "{redriven:?}");
}

#[tokio::test]
async fn bytes_that_are_no_text_reach_the_dead_letter() {
    let server = plain().await;
    let transport = connect(server.port(), "").await;
    let mut member = transport.open(&spec("g", Order::None)).await.unwrap();
    let script = "return redis.call('XADD', KEYS[1], '*', 'payload', '\\255\\254\\0')";
    command(&server, &["EVAL", script, "1", LOG]).await;
    let taken = take(&mut member, 1).await;
    let Body::Undecodable(body) = &taken[0].body else { panic!("it is no event") };
    assert!(body.bytes.ends_with(b"\xff\xfe\0"), "{:?}", body.bytes);
}

/// A member that was away for longer than its lease, while the group got other filters.
#[tokio::test]
async fn a_member_of_old_filters_eats_nothing_of_new_ones() {
    let server = plain().await;
    let proxy = Proxy::start(server.port()).unwrap();
    let (slow, quick) = (connect(proxy.port(), "").await, connect(server.port(), "").await);
    let old =
        SubscriptionSpec { filters: vec![Filter::new("other.*".parse().unwrap())], ..spec("g", Order::None) };
    let mut old = slow.open(&old).await.unwrap();
    within(&mut old, 1, Duration::from_millis(100)).await;
    proxy.stall();
    sleep(1500).await;
    let mut new = quick.open(&spec("g", Order::None)).await.unwrap();
    proxy.forward();
    let reads = async { while old.reader.receive(NonZeroU32::MIN).await.is_ok() {} };
    let checks = async {
        sleep(1500).await;
        let mut seen = Vec::new();
        for number in 0..20 {
            publish(&quick, &[event(&format!("e{number}"), "k")]).await;
            let taken = within(&mut new, 1, Duration::from_millis(200)).await;
            for message in &taken {
                settle(&new, message.token, Settlement::Ack).await;
            }
            seen.extend(ids(&taken));
        }
        seen.extend(ids(&within(&mut new, 20, Duration::from_secs(2)).await));
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 20, "{seen:?}");
    };
    tokio::select! { biased; () = checks => {}, () = async { reads.await; std::future::pending().await } => {} }
}

#[tokio::test]
async fn a_member_that_left_leaves_nothing_unwanted_behind() {
    let server = plain().await;
    let transport = connect(server.port(), "").await;
    let spec =
        SubscriptionSpec { filters: vec![Filter::new("other.*".parse().unwrap())], ..spec("g", Order::None) };
    let mut member = transport.open(&spec).await.unwrap();
    let events: Vec<AnyEvent> = (0..100).map(|number| event(&format!("e{number}"), "k")).collect();
    publish(&transport, &events).await;
    assert!(within(&mut member, 1, Duration::from_millis(20)).await.is_empty());
    member.settler.stop().await;
    while !member.reader.receive(NonZeroU32::MIN).await.unwrap().len() == 0 {}
    drop(member);
    let left = transport.backlog(&spec.group).await.unwrap().unwrap();
    assert_eq!(left.in_flight, 0, "{left:?}");
}

/// Skips its dead letters: one is redriven and fails once more while a later one of its key waits for a retry.
#[tokio::test]
async fn a_redriven_message_does_not_free_a_key_that_another_holds() {
    let server = plain().await;
    let transport = connect(server.port(), "").await;
    let mut member = transport.open(&spec("g", Order::PerKey)).await.unwrap();
    publish(&transport, &[event("1", "k")]).await;
    let failure =
        || Box::new(eventbus::transport::Failure::now(eventbus::transport::Reason::Transient, "x", 1));
    let retry = |millis| Settlement::RetryAfter { delay: Duration::from_millis(millis), failure: failure() };
    let one = take(&mut member, 1).await;
    settle(&member, one[0].token, Settlement::DeadLetter { failure: failure(), hold: false }).await;
    publish(&transport, &[event("2", "k"), event("3", "k")]).await;
    let two = take(&mut member, 1).await;
    assert_eq!(ids(&two), ["2"]);
    settle(&member, two[0].token, retry(3000)).await;
    assert!(within(&mut member, 1, Duration::from_millis(300)).await.is_empty(), "3 is parked");
    let letters = transport.dead_letters(&Group::new("g").unwrap());
    let id = letters.list(None, 10).await.unwrap()[0].id;
    assert!(letters.redrive(id).await.unwrap());
    let one = take(&mut member, 1).await;
    assert_eq!(ids(&one), ["1"]);
    settle(&member, one[0].token, retry(100)).await;
    let one = take(&mut member, 1).await;
    assert_eq!(ids(&one), ["1"]);
    settle(&member, one[0].token, Settlement::Ack).await;
    let next = take(&mut member, 1).await;
    assert_eq!(ids(&next), ["2"], "3 comes after 2");
}

/// Listens in front of a server; once told, it keeps back what asks for entries, and sends it on when its client has
/// given up long ago, as a network may.
async fn tardy(server: u16) -> (u16, tokio::sync::watch::Sender<bool>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let late = tokio::sync::watch::Sender::new(false);
    let told = late.clone();
    tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            let server = tokio::net::TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            let (mut from, mut to) = client.into_split();
            let (mut answers, mut asks) = server.into_split();
            let mut late = told.subscribe();
            tokio::spawn(async move { tokio::io::copy(&mut answers, &mut to).await });
            tokio::spawn(async move {
                let mut bytes = vec![0; 1 << 16];
                while let Ok(count @ 1..) = from.read(&mut bytes).await {
                    if *late.borrow() && bytes[..count].windows(10).any(|word| word == b"XREADGROUP") {
                        late.wait_for(|late| !late).await.unwrap();
                    }
                    asks.write_all(&bytes[..count]).await.unwrap();
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            });
        }
    });
    (port, late)
}

#[tokio::test]
async fn a_read_that_arrives_when_nobody_waits_for_it_loses_nothing() {
    let server = plain().await;
    let (port, late) = tardy(server.port()).await;
    let transport = connect(port, "").await;
    let mut member = transport.open(&spec("g", Order::None)).await.unwrap();
    assert!(within(&mut member, 1, Duration::from_millis(100)).await.is_empty());
    late.send_replace(true);
    // The read is given up after its block and the time for an answer.
    assert!(within(&mut member, 1, Duration::from_millis(5500)).await.is_empty());
    publish(&transport, &[event("1", "k")]).await;
    late.send_replace(false);
    until("it was handed out to nobody", async || {
        format!("{:?}", command(&server, &["XPENDING", LOG, "g"]).await).starts_with("Array([Integer(1)")
    })
    .await;
    assert_eq!(ids(&within(&mut member, 1, Duration::from_secs(10)).await), ["1"]);
}

#[tokio::test]
async fn a_publish_that_nobody_waits_for_leaves_nothing_queued() {
    let server = plain().await;
    let transport = connect(server.port(), "").await;
    publish(&transport, &[event("0", "k")]).await;
    server.kill();
    let patient = Publishing { deadline: Duration::from_secs(600), ..PUBLISHING };
    for number in 0..50 {
        let events = [event(&format!("e{number}"), "k")];
        let published = transport.publish(&events, patient);
        assert!(tokio::time::timeout(Duration::from_millis(30), published).await.is_err() || number < 3);
    }
    server.restart().await.unwrap();
    publish(&transport, &[event("last", "k")]).await;
    let stored = count(&server, &["XLEN", LOG]).await;
    assert!(stored < 10, "{stored}");
}

#[tokio::test]
async fn more_than_an_answer_can_carry_in_time_comes_in_parts() {
    let server = plain().await;
    let proxy = Proxy::start(server.port()).unwrap();
    let (slow, quick) = (connect(proxy.port(), "").await, connect(server.port(), "").await);
    let mut member = slow.open(&spec("g", Order::None)).await.unwrap();
    let large = |number| AnyEvent::from_json(json(&format!("e{number}"), "k", 1 << 20)).unwrap();
    publish(&quick, &(0..30).map(large).collect::<Vec<_>>()).await;
    proxy.throttle(std::num::NonZeroU64::new(8 << 20).unwrap());
    assert_eq!(within(&mut member, 30, Duration::from_secs(20)).await.len(), 30);
}

#[tokio::test]
async fn ids_ahead_of_the_clock_are_trimmed_too() {
    let server = plain().await;
    let transport = connect(server.port(), "&keep=0").await;
    command(&server, &["XADD", LOG, "99999999999999-0", "from", "a server whose clock was ahead"]).await;
    publish(&transport, &(0..1000).map(|number| event(&format!("e{number}"), "k")).collect::<Vec<_>>()).await;
    until("it is trimmed", async || count(&server, &["XLEN", LOG]).await <= 101).await;
}

/// Everybody's lease ends in an outage that is longer; nobody died of it.
#[tokio::test]
async fn after_an_outage_longer_than_a_lease_nobody_is_taken_for_dead() {
    let server = plain().await;
    let proxy = Proxy::start(server.port()).unwrap();
    let (one, two) = (connect(server.port(), "").await, connect(proxy.port(), "").await);
    let spec = spec("g", Order::None);
    let mut first = one.open(&spec).await.unwrap();
    let mut second = two.open(&spec).await.unwrap();
    let events: Vec<AnyEvent> = (0..10).map(|number| event(&format!("evt_{number}"), "k")).collect();
    publish(&one, &events).await;
    let (mine, others) = (take(&mut first, 5).await, take(&mut second, 5).await);
    server.stop();
    proxy.stall();
    sleep(2500).await;
    server.resume();
    // The second is heard later than the first, and still in time.
    sleep(600).await;
    proxy.forward();
    let again = within(&mut first, 10, Duration::from_secs(3)).await;
    assert!(again.is_empty(), "they are all held: {again:?}");
    for (membership, held) in [(&first, mine), (&second, others)] {
        for message in held {
            assert_eq!(settle(membership, message.token, Settlement::Ack).await, Settled::Applied);
        }
    }
    let group = Group::new("g").unwrap();
    until("all is settled", || async {
        one.backlog(&group).await.is_ok_and(|left| left.unwrap().unsettled() == 0)
    })
    .await;
}
