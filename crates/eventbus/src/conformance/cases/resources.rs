//! Nothing grows that is not asked to: tasks, groups, events in memory.

use std::borrow::Cow;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use crate::Retry;
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::event::{AnyEvent, Event, EventBuilder, EventKind, IntoEvent as _};
use crate::transport::Order;

/// An object that is counted while it lives; each case has a counter of its own.
#[derive(Serialize, Deserialize)]
struct Counted {
    case: usize,
    key: String,
    #[serde(skip)]
    _ticket: Option<Ticket>,
}

/// Counts down when its object goes.
struct Ticket(Arc<AtomicI64>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl EventKind for Counted {
    const TYPE: &'static str = "conformance.counted";
    const SOURCE: &'static str = "conformance";
    const OBJECT_TYPE: &'static str = "Counted";
    type Object = Self;
    fn object_id(object: &Self) -> Cow<'_, str> {
        Cow::Borrowed(&object.key)
    }
}

/// Makes counted events.
struct Counter {
    case: usize,
    living: Arc<AtomicI64>,
}

impl Counter {
    fn new() -> Self {
        static CASES: OnceLock<Mutex<usize>> = OnceLock::new();
        let mut cases = CASES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
        *cases += 1;
        Self { case: *cases, living: Arc::default() }
    }

    fn event(&self, key: &str) -> AnyEvent {
        self.living.fetch_add(1, Ordering::SeqCst);
        let _ticket = Some(Ticket(Arc::clone(&self.living)));
        let object = Counted { case: self.case, key: key.to_owned(), _ticket };
        EventBuilder::<Counted>::new(object).into_event().expect("the event breaks no rule")
    }

    fn living(&self) -> i64 {
        self.living.load(Ordering::SeqCst)
    }
}

/// How many handled events a transport may keep in memory until the next one comes: a piece of its queue.
const REST: i64 = 64;

pub(crate) async fn a_thousand_subscriptions_leave_nothing_behind(stage: &Stage) {
    let (bus, counter) = (stage.bus().await, Counter::new());
    let cycle = async |number: usize| {
        let handled = Arc::new(AtomicI64::new(0));
        let count = Arc::clone(&handled);
        let handler = move |_: Event<Counted>| {
            count.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }
        };
        let subscription = bus.subscribe(format!("tail-{}", number % 7)).on(handler).ephemeral();
        let subscription = match number % 3 {
            0 => subscription.order(Order::PerKey),
            1 => subscription.broadcast(),
            _ => subscription,
        };
        let running = subscription.start().await.expect("it starts");
        bus.publish(counter.event("k")).await.expect("it is stored");
        stage.until("it is handled", || handled.load(Ordering::SeqCst) == 1).await;
        running.stop(stage.units(1)).await;
    };
    cycle(0).await;
    tokio::task::yield_now().await;
    let before = Handle::current().metrics().num_alive_tasks();
    for number in 0..1000 {
        cycle(number).await;
    }
    let settled = || Handle::current().metrics().num_alive_tasks() <= before;
    stage.until("the tasks are as many as before", settled).await;
    for number in 0..7 {
        let name = format!("tail-{number}");
        stage
            .until_async("the group is gone", || async { matches!(bus.backlog(&name).await, Ok(None)) })
            .await;
    }
    assert!(counter.living() <= 1, "{} events still live", counter.living());
    assert!(bus.health().subscriptions.len() <= 1, "ended subscriptions are forgotten");
}

pub(crate) async fn an_ephemeral_group_takes_its_backlog_along(stage: &Stage) {
    let (bus, counter) = (stage.bus().await, Counter::new());
    let handler = |_: Event<Counted>| async { Err(crate::HandlerError::transient("later")) };
    let subscription =
        bus.subscribe("tail").on(handler).ephemeral().retry(Retry::fixed(stage.units(2)).forever());
    let running = subscription.start().await.expect("it starts");
    for _ in 0..500 {
        bus.publish(counter.event("k")).await.expect("it is stored");
    }
    stage.backlog(&bus, "tail", |backlog| backlog.waiting > 0).await;
    running.stop(stage.units(1)).await;
    drop(running);
    // Retries that no group waits for go at their time at the latest.
    stage.silence().await;
    stage.until("the events are gone", || counter.living() <= REST).await;
}

pub(crate) async fn what_was_handled_by_all_groups_leaves_memory(stage: &Stage) {
    let (bus, counter) = (stage.bus().await, Counter::new());
    for group in ["one", "two", "three"] {
        let subscription = bus.subscribe(group).on(|_: Event<Counted>| async { Ok(()) });
        let order = if group == "three" { Order::PerKey } else { Order::None };
        subscription.order(order).start().await.expect("it starts");
    }
    let mut most = 0;
    for round in 0..50 {
        let events: Vec<AnyEvent> =
            (0..1000).map(|number| counter.event(&format!("{round}-{}", number % 10))).collect();
        bus.publish_all(events).await.expect("they are stored");
        for group in ["one", "two", "three"] {
            stage.settled(&bus, group).await;
        }
        most = most.max(counter.living());
    }
    assert!(most <= REST * 3, "{most} handled events are still in memory");
}

pub(crate) async fn a_backlog_costs_its_events_once_for_all_groups(stage: &Stage) {
    let (bus, counter) = (stage.bus().await, Counter::new());
    let mut running = Vec::new();
    for group in 0..20 {
        let subscription = bus.subscribe(format!("g{group}")).on(|_: Event<Counted>| async { Ok(()) });
        running.push(subscription.start().await.expect("it starts"));
    }
    running.iter().for_each(crate::Subscription::pause);
    stage.until("they are paused", || bus.health().subscriptions.iter().all(|one| one.running == 0)).await;
    for _ in 0..100 {
        bus.publish_all((0..100).map(|_| counter.event("k"))).await.expect("they are stored");
    }
    assert!(counter.living() <= 10_000, "one object per event, however many groups wait for it");
    running.iter().for_each(crate::Subscription::resume);
    for group in 0..20 {
        stage.settled(&bus, &format!("g{group}")).await;
    }
    assert!(counter.living() <= REST);
}

pub(crate) async fn a_closed_bus_leaves_no_task(stage: &Stage) {
    let before = Handle::current().metrics().num_alive_tasks();
    let bus = stage.bus().await;
    for group in 0..10 {
        let name = format!("g{group}");
        let handler = stage.handler((&name, "m"), |_, _| Act::Ack);
        bus.subscribe(name.as_str()).on(handler).start().await.expect("it starts");
    }
    stage.publish(&bus, &stage.payments(1, 10)).await;
    for group in 0..10 {
        // What outlives the process is not drained at its end.
        stage.settled(&bus, &format!("g{group}")).await;
    }
    assert!(bus.shutdown(stage.pace.patience).await.is_complete());
    stage.until("all tasks have ended", || Handle::current().metrics().num_alive_tasks() <= before).await;
    assert_eq!((0..10).map(|group| stage.ledger.ended(&format!("g{group}"), End::Acked)).sum::<usize>(), 100);
    stage.ledger.check(&Bounds::strict());
}
