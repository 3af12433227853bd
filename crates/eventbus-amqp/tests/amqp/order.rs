//! Order per key on RabbitMQ: who takes a shard over, what counts of copies, and how shards are dealt out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventbus::conformance::{Fault, VirtualHost};
use eventbus::transport::Order;
use eventbus::{AnyEvent, Context, ErrorKind, EventBus, HandlerError, Retry, Select, Subscription};
use futures::StreamExt as _;
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel};
use tokio::sync::Notify;

use crate::ground::{bus, client, host, keyed, until};

/// Which member handled what, in order, with the attempt.
type Handled = Arc<Mutex<Vec<(String, AnyEvent, u32)>>>;

/// A member that keeps order and handles everything at once, but for events whose ids begin with `bad`.
async fn member(bus: &EventBus, name: &str, handled: &Handled) -> Subscription {
    let (name, handled) = (name.to_owned(), Arc::clone(handled));
    let handler = move |event: AnyEvent, context: Context| {
        let is_bad = event.id().as_str().starts_with("bad");
        if !is_bad {
            handled.lock().expect("nobody panicked").push((name.clone(), event, context.attempt()));
        }
        async move { if is_bad { Err(HandlerError::permanent("it is bad")) } else { Ok(()) } }
    };
    let subscription =
        bus.subscribe("g").on(handler).order(Order::PerKey).retry(Retry::fixed(Duration::from_secs(1)));
    subscription.start().await.expect("it starts")
}

fn ids(handled: &Handled) -> Vec<String> {
    handled.lock().expect("nobody panicked").iter().map(|(_, event, _)| event.id().to_string()).collect()
}

async fn until_handled(handled: &Handled, count: usize) {
    until("the events are handled", async || handled.lock().expect("nobody panicked").len() >= count).await;
}

/// What the bus writes on a message that it keeps.
fn labelled(event: &AnyEvent, (stage, turn): (&str, i64), place: i64) -> BasicProperties {
    let id = event.id().as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut headers = FieldTable::default();
    let text = |text: &str| AMQPValue::LongString(text.into());
    headers.insert("eventbus-stage".into(), text(stage));
    headers.insert("eventbus-key".into(), text(event.key().expect("it has a key").as_str()));
    headers.insert("eventbus-route".into(), text("shop.parcel.shipped"));
    headers.insert("eventbus-id".into(), AMQPValue::LongLongInt(id.cast_signed()));
    headers.insert("eventbus-turn".into(), AMQPValue::LongLongInt(turn));
    headers.insert("eventbus-place".into(), AMQPValue::LongLongInt(place));
    headers.insert("eventbus-attempt".into(), AMQPValue::LongLongInt(turn));
    BasicProperties::default().with_message_id(event.id().as_str().into()).with_headers(headers)
}

/// A copy that is confirmed: one that is not may be on its way when the next member looks, and is not kept.
async fn keep(channel: &Channel, event: &AnyEvent, properties: BasicProperties) {
    channel.confirm_select(ConfirmSelectOptions::default()).await.expect("the broker confirms");
    let (options, body) = (BasicPublishOptions::default(), event.to_json().expect("it has a body"));
    let sent = channel.basic_publish("".into(), "bus/g/kept".into(), options, &body, properties).await;
    let told = sent.expect("it is sent").await.expect("it is answered");
    assert!(told.is_ack(), "{told:?}");
}

#[tokio::test]
async fn a_copy_that_was_kept_supersedes_the_event_that_was_not_acknowledged() {
    let host = host().await;
    let (bus, handled) = (bus(&host.url()).await.unwrap(), Handled::default());
    member(&bus, "first", &handled).await.stop(Duration::from_secs(1)).await;
    let events = ["evt_1", "evt_2", "evt_3"].map(|id| keyed(id, "par_1"));
    bus.publish_all(events.clone()).await.unwrap();
    // A member had all of them, kept copies of the first two, and was lost before it acknowledged them.
    let (_connection, channel) = client(&host).await;
    let reading = channel.basic_consume(
        "bus/g".into(),
        "lost".into(),
        BasicConsumeOptions::default(),
        FieldTable::default(),
    );
    let read: Vec<_> = reading.await.unwrap().take(3).collect().await;
    assert_eq!(read.len(), 3);
    for (place, event) in events[..2].iter().enumerate() {
        keep(&channel, event, labelled(event, ("parked", 1), place as i64)).await;
    }
    channel.close(200, "lost".into()).await.unwrap();
    member(&bus, "second", &handled).await;
    bus.publish(&keyed("evt_4", "par_1")).await.unwrap();
    until_handled(&handled, 4).await;
    assert_eq!(ids(&handled), ["evt_1", "evt_2", "evt_3", "evt_4"], "once each, in order");
    let attempts: Vec<u32> = handled.lock().unwrap().iter().map(|(_, _, attempt)| *attempt).collect();
    assert_eq!(attempts, [1, 1, 2, 1], "only what was not kept counts the loss");
}

#[tokio::test]
async fn of_two_copies_the_later_one_counts() {
    let host = host().await;
    let (bus, handled) = (bus(&host.url()).await.unwrap(), Handled::default());
    member(&bus, "first", &handled).await.stop(Duration::from_secs(1)).await;
    let (_connection, channel) = client(&host).await;
    let event = keyed("evt_1", "par_1");
    for label in [("out", 2), ("waiting", 3), ("parked", 1)] {
        keep(&channel, &event, labelled(&event, label, 7)).await;
    }
    member(&bus, "second", &handled).await;
    bus.publish(&keyed("evt_2", "par_1")).await.unwrap();
    until_handled(&handled, 2).await;
    let seen: Vec<_> = handled
        .lock()
        .unwrap()
        .iter()
        .map(|(_, event, attempt)| (event.id().to_string(), *attempt))
        .collect();
    assert_eq!(seen, [("evt_1".to_owned(), 3), ("evt_2".to_owned(), 1)]);
}

#[tokio::test]
async fn a_loss_while_a_kept_message_was_out_is_an_attempt() {
    let host = host().await;
    let (bus, handled) = (bus(&host.url()).await.unwrap(), Handled::default());
    member(&bus, "first", &handled).await.stop(Duration::from_secs(1)).await;
    let (_connection, channel) = client(&host).await;
    let event = keyed("evt_1", "par_1");
    keep(&channel, &event, labelled(&event, ("out", 2), 7)).await;
    member(&bus, "second", &handled).await;
    until_handled(&handled, 1).await;
    assert_eq!(handled.lock().unwrap()[0].2, 3, "the second attempt was lost");
}

#[tokio::test]
async fn thousands_of_events_of_a_held_key_wait_and_others_flow() {
    let host = host().await;
    let (bus, handled) = (bus(&host.url()).await.unwrap(), Handled::default());
    member(&bus, "m", &handled).await;
    bus.publish(&keyed("bad", "held")).await.unwrap();
    let held: Vec<_> = (0..3000).map(|number| keyed(&format!("held_{number:04}"), "held")).collect();
    bus.publish_all(held.clone()).await.unwrap();
    bus.publish(&keyed("other", "free")).await.unwrap();
    until_handled(&handled, 1).await;
    assert_eq!(ids(&handled), ["other"]);
    until("all are parked", async || {
        let backlog = bus.backlog("g").await.unwrap().unwrap();
        (backlog.parked, backlog.held_keys, backlog.dead) == (3000, 1, 1)
    })
    .await;
    assert_eq!(bus.dead_letters("g").unwrap().purge(Select::all()).await.unwrap(), 1);
    until_handled(&handled, 3001).await;
    let expected: Vec<String> = held.iter().map(|event| event.id().to_string()).collect();
    assert_eq!(ids(&handled)[1..], expected, "in order");
}

#[tokio::test]
async fn many_events_of_a_slow_key_are_in_nobodys_way() {
    let host = host().await;
    let bus = bus(&host.url()).await.unwrap();
    let (other, ended) = (Arc::new(Notify::new()), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&ended);
    let handler = move |event: AnyEvent| {
        let (other, ended) = (Arc::clone(&other), Arc::clone(&count));
        async move {
            match event.id().as_str() {
                "slow_0" => other.notified().await,
                "other" => other.notify_one(),
                _ => {}
            }
            ended.fetch_add(1, SeqCst);
            Ok(())
        }
    };
    // Sixteen times the prefetch may wait in lanes, which is more than is read at first.
    let subscription = bus.subscribe("g").on(handler).order(Order::PerKey).concurrency(16).prefetch(16);
    subscription.start().await.unwrap();
    let mut events: Vec<_> = (0..200).map(|number| keyed(&format!("slow_{number}"), "slow")).collect();
    events.push(keyed("other", "free"));
    bus.publish_all(events).await.unwrap();
    until("the other key went past the slow one", async || ended.load(SeqCst) == 201).await;
}

#[tokio::test]
async fn what_is_kept_outlives_the_patience_of_the_broker() {
    let host = VirtualHost::start(&[Fault::Kill]).await.unwrap();
    // Channels look once a second, and a message may be unacknowledged for as long.
    let code = "application:set_env(rabbit, consumer_timeout, 1000), application:set_env(rabbit, channel_tick_interval, 1000).";
    host.node().evaluate(code).await.unwrap();
    let (bus, handled) = (bus(&host.url()).await.unwrap(), Handled::default());
    let running = member(&bus, "m", &handled).await;
    bus.publish_all(["bad", "held"].map(|id| keyed(id, "held"))).await.unwrap();
    until("the broker ends the channel", async || running.health().reopened > 0).await;
    bus.publish(&keyed("other", "free")).await.unwrap();
    until_handled(&handled, 1).await;
    assert_eq!(ids(&handled), ["other"], "the key is held still");
    bus.dead_letters("g").unwrap().redrive(Select::all()).run().await.unwrap();
    bus.dead_letters("g").unwrap().purge(Select::all()).await.unwrap();
    until("the key goes on", async || {
        bus.dead_letters("g").unwrap().purge(Select::all()).await.unwrap();
        ids(&handled) == ["other", "held"]
    })
    .await;
}

#[tokio::test]
async fn a_member_waits_for_whoever_reads_its_shard_and_may_leave_meanwhile() {
    let host = host().await;
    let (bus, handled) = (bus(&host.url()).await.unwrap(), Handled::default());
    member(&bus, "first", &handled).await.stop(Duration::from_secs(1)).await;
    let (_connection, channel) = client(&host).await;
    let (options, arguments) = (BasicConsumeOptions::default(), FieldTable::default());
    let _reading =
        channel.basic_consume("bus/g/kept".into(), "theirs".into(), options, arguments).await.unwrap();
    let second = member(&bus, "second", &handled).await;
    until("it is told", async || {
        bus.health().troubles.iter().any(|trouble| trouble.contains("bus/g/kept is read by somebody else"))
    })
    .await;
    assert_eq!(second.stop(Duration::from_secs(5)).await.aborted, 0);
    assert!(bus.health().troubles.is_empty(), "it waits no more");
    channel.basic_cancel("theirs".into(), BasicCancelOptions::default()).await.unwrap();
    member(&bus, "third", &handled).await;
    bus.publish(&keyed("evt_1", "par_1")).await.unwrap();
    until_handled(&handled, 1).await;
}

#[tokio::test]
async fn shards_are_dealt_out_among_members_and_keys_keep_their_order() {
    let host = host().await;
    let url = format!("{}?shards=4", host.url());
    let (one, two) = (bus(&url).await.unwrap(), bus(&url).await.unwrap());
    let handled = Handled::default();
    let first = member(&one, "first", &handled).await;
    let numbers = AtomicUsize::new(0);
    let publish = async || {
        let number = numbers.fetch_add(1, SeqCst);
        let events = (0..40).map(|key| keyed(&format!("evt_{number:05}_{key}"), &format!("key_{key}")));
        one.publish_all(events).await.unwrap();
        (number + 1) * 40
    };
    publish().await;
    let second = member(&two, "second", &handled).await;
    let keys_of = |name: &str| -> BTreeSet<String> {
        let handled = handled.lock().unwrap();
        let own = handled.iter().rev().take(40).filter(|(member, _, _)| member == name);
        own.map(|(_, event, _)| event.key().unwrap().to_string()).collect()
    };
    until("both have half of the keys", async || {
        let published = publish().await;
        until_handled(&handled, published).await;
        let counts = [keys_of("first").len(), keys_of("second").len()];
        counts.iter().all(|count| (10..=30).contains(count))
    })
    .await;
    first.stop(Duration::from_secs(5)).await;
    let published = publish().await;
    until_handled(&handled, published).await;
    assert_eq!(keys_of("second").len(), 40, "the other one has all of them");
    second.stop(Duration::from_secs(5)).await;
    let mut latest = BTreeMap::new();
    for (_, event, attempt) in handled.lock().unwrap().iter() {
        assert_eq!(*attempt, 1, "nothing was counted when members came and went");
        let before = latest.insert(event.key().unwrap().to_string(), event.id().to_string());
        assert!(before.is_none_or(|before| before.as_str() < event.id().as_str()), "{event:?} came too late");
    }
    assert_eq!(one.backlog("g").await.unwrap().unwrap().unsettled(), 0);
    assert!(one.forget("g").await.unwrap());
    assert!(one.backlog("g").await.unwrap().is_none());
}

#[tokio::test]
async fn a_group_keeps_the_number_of_shards_that_it_was_made_with() {
    let host = host().await;
    let handled = Handled::default();
    let one = bus(&format!("{}?shards=2", host.url())).await.unwrap();
    member(&one, "m", &handled).await.stop(Duration::from_secs(1)).await;
    let two = bus(&format!("{}?shards=3", host.url())).await.unwrap();
    let started = two.subscribe("g").on(|_: AnyEvent| async { Ok(()) }).order(Order::PerKey).start().await;
    let error = started.expect_err("it has two shards");
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    assert!(error.to_string().contains("over 2 shards") && error.to_string().contains("forget"), "{error}");
}
