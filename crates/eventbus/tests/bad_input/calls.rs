//! Calls that cannot be obeyed, on a bus that goes on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eventbus::local::{LocalConfig, LocalTransport};
use eventbus::payment_kit::InvoicePaid;
use eventbus::testing::TestBus;
use eventbus::transport::{
    Backlog, Capabilities, DeadLetters, Group, Membership, Order, Overflow, Publishing, Reason, Start,
    SubscriptionSpec, Transport,
};
use eventbus::{
    AnyEvent, BusConfig, Error, ErrorKind, Event, EventBus, EventId, Idempotency, MemoryStore, Result, Retry,
    Select, SubscriptionBuilder, Timestamp,
};

use crate::{GOOD, fine, goes_on, invoice, object, says, with, witnessed};

#[tokio::test(start_paused = true)]
async fn a_bad_subscription_is_refused_when_it_starts_and_the_others_go_on() {
    let bus = witnessed().await;
    let group = |name: &str| bus.subscribe(name);
    let on = |name: &str| group(name).on(fine());
    let typed = || |_: Event<InvoicePaid>| async { Ok(()) };
    let guard = || Idempotency::new(MemoryStore::new(1));
    let long = "x".repeat(101);
    let (invalid, conflict) = (ErrorKind::Invalid, ErrorKind::Conflict);
    for (builder, kind, field, rule) in [
        (group("g"), invalid, "subscription", "no handler"),
        (on(""), invalid, "group", "empty"),
        (on("a b"), invalid, "group", "letters"),
        (on(&long), invalid, "group", "at most 100"),
        (group("g").on_pattern("a..b", fine()), invalid, "pattern", "empty segment"),
        (group("g").on_pattern("a.#b", fine()), invalid, "pattern", "whole segments"),
        (on("g").concurrency(0), invalid, "concurrency", "above 0"),
        (on("g").concurrency(4).prefetch(3), invalid, "prefetch", "at least as much"),
        (on("g").on(fine()), conflict, "#", "two handlers"),
        (group("g").on(typed()).on(typed()), conflict, "payment-kit:invoice.paid", "two handlers"),
        (on("g").idempotent(guard()).no_timeout(), invalid, "lease", "longer than the handler's time-out"),
        (
            on("g").retry(Retry::fixed(Duration::MAX)),
            ErrorKind::Unsupported,
            "local",
            "retry delays that long",
        ),
        (on("witness"), conflict, "witness", "other event types"),
    ] {
        says(builder.start().await, kind, field, rule);
        goes_on(&bus).await;
    }
    says(group("g").stream("a..b").await, invalid, "pattern", "empty segment");
    says(on("g").stream("#").await, conflict, "subscription", "handlers or a stream");
    assert!(bus.backlog("g").await.unwrap().is_none(), "a refused subscription leaves no group behind");
}

#[tokio::test(start_paused = true)]
async fn a_bad_event_is_refused_when_it_is_published_and_the_others_go_on() {
    let bus = witnessed().await;
    let unencodable = || HashMap::from([(vec![1], 2)]);
    let (invalid, no_json) = (ErrorKind::Invalid, ErrorKind::Undecodable);
    for (event, kind, field, rule) in [
        (invoice("a").id("a b"), invalid, "id", "visible ASCII"),
        (invoice("a").key(""), invalid, "key", "empty"),
        (invoice("a\n"), invalid, "key", "control characters"),
        (invoice("a").time(Timestamp::from_millis(i64::MAX)), invalid, "time", "9999"),
        (invoice("a").data("object", 1), invalid, "data.object", "the event's object"),
        (invoice("a").metadata("m", unencodable()), no_json, "metadata.m", "cannot be encoded"),
        (invoice("a").data("d", unencodable()), no_json, "data.d", "cannot be encoded"),
    ] {
        says(bus.publish(event).await, kind, field, rule);
        goes_on(&bus).await;
    }
    bus.publish(invoice("a").metadata("object", 1)).await.unwrap();
    let before = bus.published().len();
    let batch = bus.publish_all([invoice("a"), invoice("b").id(""), invoice("c")]).await;
    says(batch.map_err(Error::from), invalid, "event 1 of the batch: id", "empty");
    assert_eq!(bus.published().len(), before, "nothing of the batch was published");
    let never = bus.publish_in(Duration::MAX, invoice("a")).await;
    says(never, ErrorKind::Refused, "delay", "at most 365 days");
}

#[tokio::test(start_paused = true)]
async fn an_event_over_the_settable_size_is_refused_and_one_at_the_size_is_not() {
    let at_most = |bytes| TestBus::with(LocalConfig::new(), BusConfig::new().max_event_size(bytes)).unwrap();
    let body = object(GOOD);
    let event = || AnyEvent::from_json(body.clone()).unwrap();
    at_most(body.len()).publish(event()).await.unwrap();
    let bus = at_most(body.len() - 1);
    says(bus.publish(event()).await, ErrorKind::Invalid, "event", &format!("more than {}", body.len() - 1));
    says(bus.publish_in(Duration::ZERO, event()).await, ErrorKind::Invalid, "event", "more than");
    assert!(bus.published().is_empty());

    let bus = witnessed().await;
    let huge = with("x", &format!("{:?}", "x".repeat(1 << 20)));
    says(
        bus.publish(AnyEvent::from_json(huge).unwrap()).await,
        ErrorKind::Invalid,
        "event",
        "more than 1048576",
    );
    goes_on(&bus).await;
}

/// Bytes that a transport brought under a good envelope are found out by whoever decodes them.
#[tokio::test(start_paused = true)]
async fn an_event_that_cannot_be_decoded_is_dead_lettered_with_its_bytes_and_the_others_go_on() {
    let bus = witnessed().await;
    let good = AnyEvent::from_json(object(GOOD)).unwrap();
    let bodies = ["", "{", "null", r#"{"data":7}"#, r#"{"data":{"object":{"id":7}}}"#, "[[{\"id\":\"a\"}]]"];
    for (at, body) in bodies.iter().enumerate() {
        bus.publish(AnyEvent::from_wire(good.envelope().clone(), *body)).await.unwrap();
        goes_on(&bus).await;
        let dead = bus.dead_letters("witness").unwrap().list(Select::all(), 100).await.unwrap();
        assert_eq!(dead.len(), at + 1, "{body}");
        assert_eq!((dead[at].reason, dead[at].attempts), (Reason::Undecodable, 1));
        assert_eq!(dead[at].raw().unwrap(), body.as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn bad_names_of_groups_and_bad_rates_are_refused_by_every_call() {
    let bus = witnessed().await;
    says(bus.backlog("a b").await, ErrorKind::Invalid, "group", "letters");
    says(bus.forget("").await, ErrorKind::Invalid, "group", "empty");
    says(bus.dead_letters("a/b"), ErrorKind::Invalid, "group", "letters");
    let dead = bus.dead_letters("witness").unwrap();
    says(dead.redrive(Select::all()).rate(0).run().await, ErrorKind::Invalid, "rate", "above 0");
    let nobody = bus.dead_letters("nobody").unwrap();
    says(nobody.list(Select::all(), 1).await, ErrorKind::NotFound, "group", "no such");
    goes_on(&bus).await;
}

/// A transport that can store and hand out, and nothing else.
#[derive(Debug)]
struct Plain(LocalTransport);

#[async_trait]
impl Transport for Plain {
    fn capabilities(&self) -> Capabilities {
        Capabilities::minimal("plain")
    }
    async fn publish(&self, batch: &[AnyEvent], publishing: Publishing) -> Vec<Result<()>> {
        self.0.publish(batch, publishing).await
    }
    async fn open(&self, subscription: &SubscriptionSpec) -> Result<Membership> {
        self.0.open(subscription).await
    }
    async fn forget(&self, group: &Group) -> Result<bool> {
        self.0.forget(group).await
    }
    async fn backlog(&self, group: &Group) -> Result<Option<Backlog>> {
        self.0.backlog(group).await
    }
    async fn drained(&self) {
        self.0.drained().await;
    }
    fn dead_letters(&self, group: &Group) -> Arc<dyn DeadLetters> {
        self.0.dead_letters(group)
    }
    async fn close(&self) -> Result<()> {
        self.0.close().await
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_transport_cannot_do_is_refused_when_the_subscription_starts() {
    let bus =
        EventBus::new(Arc::new(Plain(LocalTransport::new(LocalConfig::new()).unwrap())), BusConfig::new());
    let once = || bus.subscribe("g").on(fine()).retry(Retry::never());
    let cases: [(SubscriptionBuilder, &str); 7] = [
        (once().order(Order::PerKey), "order per key"),
        (once().broadcast(), "broadcast"),
        (once().ephemeral(), "ephemeral"),
        (once().start_from(Start::Beginning), "start in the past"),
        (once().overflow(Overflow::Fail), "overflow"),
        (once().capacity(1.try_into().unwrap()), "capacity"),
        (once().retry(Retry::default()), "retries"),
    ];
    for (builder, what) in cases {
        says(builder.start().await, ErrorKind::Unsupported, "plain", what);
        assert!(bus.backlog("g").await.unwrap().is_none());
    }
    says(
        bus.publish_in(Duration::ZERO, invoice("a")).await,
        ErrorKind::Unsupported,
        "plain",
        "delayed publish",
    );
    let id = EventId::new("evt_1").unwrap();
    says(bus.cancel(&id).await, ErrorKind::Unsupported, "plain", "delayed publish");
    once().start().await.unwrap();
    bus.publish(invoice("a")).await.unwrap();
    assert!(bus.shutdown(Duration::from_secs(1)).await.is_complete());
}
