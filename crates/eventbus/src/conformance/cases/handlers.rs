//! Around handlers: tower layers, and messages settled by hand.

use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tower::{BoxError, Layer, Service};

use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::event::AnyEvent;
use crate::transport::Reason;
use crate::{ErrorKind, HandlerService, Invocation, Retry, Select};

/// Writes down what passes, and refuses the first attempt when it is asked to.
#[derive(Clone)]
struct Note {
    name: &'static str,
    refuses_first: bool,
    seen: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone)]
struct Noting(Note, HandlerService);

impl Layer<HandlerService> for Note {
    type Service = Noting;
    fn layer(&self, inner: HandlerService) -> Noting {
        Noting(self.clone(), inner)
    }
}

impl Service<Invocation> for Noting {
    type Response = ();
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<(), BoxError>>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), BoxError>> {
        self.1.poll_ready(context)
    }

    fn call(&mut self, invocation: Invocation) -> Self::Future {
        let Note { name, refuses_first, seen } = self.0.clone();
        let attempt = invocation.context.attempt();
        seen.lock().expect("nobody panicked").push(format!("{name} {attempt}"));
        if refuses_first && attempt == 1 {
            return std::future::ready(Err("the layer is not ready".into())).boxed();
        }
        self.1.call(invocation).boxed()
    }
}

pub(crate) async fn a_layer_sees_every_attempt_and_its_error_is_a_failure(stage: &Stage) {
    let bus = stage.bus().await;
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let inner = Note { name: "inner", refuses_first: true, seen: Arc::clone(&seen) };
    let outer = Note { name: "outer", refuses_first: false, seen: Arc::clone(&seen) };
    let handler = stage.handler(("g", "m"), |_, attempt| if attempt < 3 { Act::Fail } else { Act::GiveUp });
    let subscription = bus.subscribe("g").on(handler).layer(inner).layer(outer);
    subscription.retry(Retry::fixed(stage.units(1))).start().await.expect("it starts");
    stage.publish(&bus, &[stage.payment("k")]).await;
    stage.backlog(&bus, "g", |backlog| backlog.dead == 1).await;
    let seen = seen.lock().expect("nobody panicked").clone();
    assert_eq!(seen, ["outer 1", "inner 1", "outer 2", "inner 2", "outer 3", "inner 3"]);
    let letters =
        bus.dead_letters("g").expect("the name is legal").list(Select::all(), 1).await.expect("it lists");
    assert_eq!(letters[0].reason, Reason::Permanent, "the handler's own class passes through the layers");
    let first = letters[0].history.first.as_ref().map(|failure| failure.message.clone());
    assert_eq!(first.as_deref(), Some("the layer is not ready"));
    // The first attempt ended in the layer.
    stage.ledger.check(&Bounds::strict().unseen_attempts(1));
}

pub(crate) async fn a_stream_is_settled_by_hand(stage: &Stage) {
    let bus = stage.bus().await;
    let retry = Retry::fixed(stage.units(2)).attempts(3);
    let mut stream = bus.subscribe("g").retry(retry).concurrency(8).stream("#").await.expect("it starts");
    let events = stage.payments(5, 1);
    bus.publish_all(&events).await.expect("they are stored");
    let mut first = Vec::new();
    for _ in 0..5 {
        first.push(stream.next().await.expect("the stream goes on"));
    }
    first.sort_by(|one, other| one.event().id().cmp(other.event().id()));
    let mut first = first.into_iter();
    let mut next = || first.next().expect("five came");
    next().ack().await.expect("it is this stream's");
    next().fail(crate::HandlerError::transient("not yet")).await.expect("it is this stream's");
    next().retry_after(stage.units(1)).await.expect("it is this stream's");
    next().dead_letter("it makes no sense").await.expect("it is this stream's");
    drop(next());
    let mut again = Vec::new();
    for _ in 0..3 {
        let message = stream.next().await.expect("the stream goes on");
        assert_eq!(message.context().attempt(), 2);
        again.push(message.event().id().clone());
        message.ack().await.expect("it is this stream's");
    }
    assert_eq!(again[0], *events[2].id(), "the shortest delay is over first");
    again.sort();
    assert_eq!(again, [1, 2, 4].map(|index| events[index].id().clone()), "failed, asked for again, dropped");
    stage.backlog(&bus, "g", |backlog| backlog.dead == 1 && backlog.unsettled() == 0).await;
}

pub(crate) async fn a_dropped_stream_gives_back_what_it_had(stage: &Stage) {
    let bus = stage.bus().await;
    let mut stream = bus.subscribe("g").concurrency(4).stream("#").await.expect("it starts");
    stage.ledger.group("g", &[crate::event::Filter::all()]);
    stage.publish(&bus, &stage.payments(6, 1)).await;
    let held = stream.next().await.expect("the stream goes on");
    drop(stream);
    stage.backlog(&bus, "g", |backlog| backlog.members == 0 && backlog.queued == 6).await;
    assert_eq!(held.ack().await.expect_err("the subscription is over").kind(), ErrorKind::NotFound);
    let handler = stage.handler(("g", "next"), |_, _| Act::Ack);
    bus.subscribe("g").on(handler).start().await.expect("it starts");
    stage.settled(&bus, "g").await;
    assert_eq!(stage.ledger.ended("g", End::Acked), 6);
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn a_subscription_has_handlers_or_a_stream(stage: &Stage) {
    let bus = stage.bus().await;
    let both = bus.subscribe("g").on(|_: AnyEvent| async { Ok(()) }).stream("#").await;
    assert_eq!(both.err().map(|error| error.kind()), Some(ErrorKind::Conflict));
    let twice =
        bus.subscribe("g").on(|_: AnyEvent| async { Ok(()) }).on_pattern("#", |_: AnyEvent| async { Ok(()) });
    assert_eq!(twice.start().await.expect_err("two want the same").kind(), ErrorKind::Conflict);
    assert_eq!(bus.subscribe("g").start().await.expect_err("nobody handles").kind(), ErrorKind::Invalid);
}
