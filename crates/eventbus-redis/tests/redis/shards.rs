//! Shards: events are spread by key, members share them, and a key's order holds when shards change hands.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventbus::transport::Order;
use eventbus::{AnyEvent, ErrorKind, EventBus, Subscription};

use crate::ground::{self, count, event, settled, transport, until, url};

type Handled = Arc<Mutex<Vec<(usize, AnyEvent)>>>;

async fn member(bus: &EventBus, number: usize, handled: &Handled) -> Subscription {
    let handled = Arc::clone(handled);
    let handler = move |event: AnyEvent| {
        handled.lock().expect("nobody panicked with it").push((number, event));
        async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(())
        }
    };
    bus.subscribe("g").on_pattern("#", handler).order(Order::PerKey).start().await.expect("it starts")
}

#[tokio::test]
async fn events_are_spread_by_key_and_every_process_agrees() {
    let server = ground::plain().await;
    let bus = ground::bus(&server, "&shards=4").await;
    let events = (0..400).map(|number| event(number, &format!("key_{}", number % 40)));
    bus.publish_all(events).await.unwrap();
    let mut all = 0;
    for shard in 0..4 {
        let length = count(&server, &["XLEN", &format!("eventbus:{{bus/{shard}}}:log")]).await;
        assert!(length > 0 && length % 10 == 0, "all events of a key are in one shard");
        all += length;
    }
    assert_eq!(all, 400);
    let error = transport(&url(&server, "&shards=8")).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Conflict && error.to_string().contains("4 shards"), "{error}");
}

#[tokio::test]
async fn members_share_the_shards_and_order_holds_while_they_come_and_go() {
    let server = ground::plain().await;
    let mut buses = Vec::new();
    for _ in 0..3 {
        buses.push(ground::bus(&server, "&shards=4").await);
    }
    let handled = Handled::default();
    let first = member(&buses[0], 0, &handled).await;
    let mut next = 0;
    let mut publish = async |bus: &EventBus| {
        let from = next;
        next += 400;
        bus.publish_all((from..next).map(|number| event(number, &format!("key_{}", number % 40))))
            .await
            .unwrap();
    };
    publish(&buses[0]).await;
    let _second = member(&buses[1], 1, &handled).await;
    let _third = member(&buses[2], 2, &handled).await;
    let busy = |number| handled.lock().unwrap().iter().any(|(of, _)| *of == number);
    for _ in 0..20 {
        publish(&buses[0]).await;
        settled(&buses[0], "g").await;
        if busy(1) && busy(2) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert!(busy(0) && busy(1) && busy(2), "every member got shards");
    publish(&buses[0]).await;
    first.stop(Duration::from_secs(5)).await;
    publish(&buses[0]).await;
    until("all is handled", || async { handled.lock().unwrap().len() >= next }).await;
    settled(&buses[0], "g").await;
    let mut last: HashMap<String, usize> = HashMap::new();
    for (_, event) in handled.lock().unwrap().iter() {
        let number: usize = event.id().as_str()[4..].parse().unwrap();
        let before = last.insert(event.key().unwrap().to_string(), number);
        assert!(before.is_none_or(|before| before < number), "{before:?} before {number}");
    }
}
