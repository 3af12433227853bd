//! Locks on the broker: whoever gives up what it does under one keeps nobody else waiting.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use eventbus::{AnyEvent, EventBus, HandlerError, Select, Subscription};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use tokio::time::timeout;

use crate::ground::{bus, client, event, host, until};

/// Long for one that waits for nobody, short for one that waits for a lock.
const SOON: Duration = Duration::from_secs(5);

/// Runs a future until it was polled this many times, then drops it; `None` when it had not ended by then.
async fn given_up<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let (mut future, mut count) = (pin!(future), 0);
    poll_fn(|context| {
        count += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(ended) => Poll::Ready(Some(ended)),
            Poll::Pending if count >= polls => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

async fn start(bus: &EventBus) -> Subscription {
    let handler = |_: AnyEvent| async { Err(HandlerError::permanent("it is bad")) };
    bus.subscribe("g").on(handler).start().await.expect("it starts")
}

#[tokio::test]
async fn a_start_that_is_given_up_lets_others_join() {
    let host = host().await;
    let url = format!("{}?queues=classic", host.url());
    let (one, other) = (bus(&url).await.unwrap(), bus(&url).await.unwrap());
    let mut polls = 1;
    loop {
        if let Some(subscription) = given_up(start(&one), polls).await {
            subscription.stop(SOON).await;
            break;
        }
        let joined = timeout(SOON, start(&other)).await;
        joined.unwrap_or_else(|_| panic!("not after {polls} polls")).stop(SOON).await;
        polls += 1;
    }
    assert!(polls > 10, "it was given up at {polls} points");
    let (_connection, channel) = client(&host).await;
    until("nobody is a member", async || {
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let looked = channel.queue_declare("bus/g/members".into(), options, FieldTable::default()).await;
        looked.unwrap().consumer_count() == 0
    })
    .await;
}

#[tokio::test]
async fn a_look_at_dead_letters_that_is_given_up_lets_others_look() {
    let host = host().await;
    let (one, other) = (bus(&host.url()).await.unwrap(), bus(&host.url()).await.unwrap());
    let running = start(&one).await;
    one.publish_all(["evt_1", "evt_2"].map(event)).await.unwrap();
    let (letters, others) = (one.dead_letters("g").unwrap(), other.dead_letters("g").unwrap());
    until("both are dead letters", async || letters.list(Select::all(), 9).await.unwrap().len() == 2).await;
    let mut polls = 1;
    while given_up(letters.list(Select::all(), 9), polls).await.is_none() {
        let listed = timeout(SOON, others.list(Select::all(), 9)).await;
        let listed = listed.unwrap_or_else(|_| panic!("not after {polls} polls")).unwrap();
        assert_eq!(listed.len(), 2, "after {polls} polls");
        polls += 1;
    }
    assert!(polls > 10, "it was given up at {polls} points");
    running.stop(SOON).await;
}
