//! What takes longer than the broker waits for, and what nobody wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use eventbus::conformance::{RabbitMq, Server};
use eventbus::{AnyEvent, ErrorKind, HandlerError};
use lapin::options::BasicGetOptions;
use tokio::sync::mpsc::unbounded_channel;

use crate::ground::{Seen, bus, client, event, host, json};

#[tokio::test]
async fn handlers_that_the_broker_would_not_wait_for_are_refused() {
    let host = host().await;
    let bus = bus(&format!("{}?consumer_timeout=59s", host.url())).await.unwrap();
    let started = bus.subscribe("g").on(|_: AnyEvent| async { Ok(()) }).start().await;
    let error = started.expect_err("30 s for the message before it, 30 s for its own");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("59s"), "{error}");
}

#[tokio::test]
async fn a_message_held_for_too_long_comes_again_and_the_subscription_goes_on() {
    let node = Server::start(RabbitMq::new().set("consumer_timeout", "1000")).await.unwrap();
    // How often it looks: once a minute as it comes.
    node.evaluate("application:set_env(rabbit, channel_tick_interval, 500).").await.unwrap();
    // It is not told what the broker does.
    let bus = bus(&node.url()).await.unwrap();
    let (calls, seen) = (Arc::new(AtomicUsize::new(0)), Seen::default());
    let handler = {
        let (calls, seen) = (Arc::clone(&calls), seen.clone());
        move |event: AnyEvent| {
            let hangs = calls.fetch_add(1, Ordering::SeqCst) == 0;
            let seen = seen.clone();
            async move {
                if hangs {
                    std::future::pending::<()>().await;
                }
                seen.push(event);
                Ok(())
            }
        }
    };
    let running = bus.subscribe("g").on(handler).start().await.unwrap();
    bus.publish(&event("evt_1")).await.unwrap();
    seen.until(1).await;
    assert_eq!(running.health().reopened, 1, "the broker had closed its channel");
    bus.publish(&event("evt_2")).await.unwrap();
    let ids: Vec<_> = seen.until(2).await.iter().map(|event| event.id().to_string()).collect();
    assert_eq!(ids, ["evt_1", "evt_2"]);
}

#[tokio::test]
async fn what_no_group_wants_is_kept_where_that_is_asked_for() {
    let host = host().await;
    let bus = bus(&format!("{}?unrouted=keep", host.url())).await.unwrap();
    let (tell, mut told) = unbounded_channel();
    let handler = move |event: AnyEvent| {
        let said = tell.send(event);
        async move { said.map_err(HandlerError::permanent) }
    };
    bus.subscribe("g").on_pattern("parcel.shipped", handler).start().await.unwrap();
    let lost = json("evt_1", "parcel.lost");
    bus.publish(&AnyEvent::from_json(lost.clone()).unwrap()).await.expect("it is no error");
    bus.publish(&event("evt_2")).await.unwrap();
    assert_eq!(told.recv().await.unwrap().id().as_str(), "evt_2");
    let (_connection, channel) = client(&host).await;
    let kept = channel.basic_get("bus/unrouted".into(), BasicGetOptions::default()).await.unwrap();
    let kept = kept.expect("it was confirmed, so it is there");
    assert_eq!(
        (kept.delivery.data.as_slice(), kept.message_count),
        (lost.as_bytes(), 0),
        "and nothing else is"
    );
}
