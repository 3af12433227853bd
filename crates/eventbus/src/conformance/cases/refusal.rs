//! What cannot be done is refused when the subscription starts, by a message that names it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use crate::conformance::puppet::Puppet;
use crate::conformance::stage::Stage;
use crate::event::AnyEvent;
use crate::transport::{Capabilities, Order, Overflow, Start};
use crate::{BusConfig, ErrorKind, EventBus, Retry, SubscriptionBuilder};

pub(crate) async fn what_the_transport_lacks_is_refused_at_the_start(stage: &Stage) {
    let bare = Puppet::claiming(stage.transport().await, Capabilities::minimal("bare"));
    let bus = EventBus::new(Arc::new(bare), BusConfig::new());
    let never = || bus.subscribe("g").on(|_: AnyEvent| async { Ok(()) }).retry(Retry::never());
    let one = NonZeroUsize::MIN;
    let asked: [(SubscriptionBuilder, &str); 7] = [
        (never().order(Order::PerKey), "order"),
        (never().broadcast(), "broadcast"),
        (never().ephemeral(), "ephemeral"),
        (never().start_from(Start::Beginning), "start in the past"),
        (never().overflow(Overflow::DropOldest), "overflow"),
        (never().capacity(one), "capacity"),
        (never().retry(Retry::default()), "Retry::never"),
    ];
    for (subscription, named) in asked {
        let error = subscription.start().await.expect_err("the transport cannot do it");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains(named) && error.to_string().contains("bare"), "{error}");
    }
    assert_eq!(bus.backlog("g").await.expect("it is told"), None, "a refused subscription makes no group");
    never().start().await.expect("what it can do is not refused");
}

pub(crate) async fn a_delay_the_transport_cannot_keep_is_refused(stage: &Stage) {
    let inner = stage.transport().await;
    let short = Capabilities { retry_delay: Some(stage.units(10)), ..inner.capabilities() };
    let bus = EventBus::new(Arc::new(Puppet::claiming(inner, short)), BusConfig::new());
    let start = async |longest: Duration| {
        let retry = Retry::exponential(stage.units(1)..=longest);
        bus.subscribe("g").on(|_: AnyEvent| async { Ok(()) }).retry(retry).start().await.map(|_| ())
    };
    let error = start(stage.units(11)).await.expect_err("it is longer than the transport can keep");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    start(stage.units(10)).await.expect("it is as long as the transport can keep");
}

pub(crate) async fn a_time_out_the_transport_cannot_wait_for_is_refused(stage: &Stage) {
    let inner = stage.transport().await;
    let limit = Duration::from_secs(60);
    let short = Capabilities { settle_within: Some(limit), ..inner.capabilities() };
    let bus = EventBus::new(Arc::new(Puppet::claiming(inner, short)), BusConfig::new());
    let start = async |timeout: Duration| {
        let handlers = bus.subscribe("g").on(|_: AnyEvent| async { Ok(()) }).retry(Retry::never());
        handlers.timeout(timeout).start().await.map(|_| ())
    };
    for timeout in [limit / 2 + Duration::from_secs(1), Duration::MAX] {
        let error = start(timeout).await.expect_err("the server takes the message back before");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("time-outs") && error.to_string().contains("60s"), "{error}");
    }
    assert_eq!(bus.backlog("g").await.expect("it is told"), None, "a refused subscription makes no group");
    start(limit / 2).await.expect("it ends in time, also after another");
}

pub(crate) async fn bad_names_patterns_and_numbers_are_refused_at_the_start(stage: &Stage) {
    let bus = stage.bus().await;
    let start =
        async |subscription: SubscriptionBuilder| subscription.start().await.expect_err("it is refused");
    let with = |group: &str| bus.subscribe(group).on(|_: AnyEvent| async { Ok(()) });
    for name in ["", "with space", "ü", "a/b", &"x".repeat(101)] {
        let error = start(with(name)).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name:?}");
        assert!(error.to_string().contains("group"), "the error names the field: {error}");
    }
    for pattern in ["", "a..b", ".a", "a.", "a.#b", "a*", "**", "#.#", "a b", "ä"] {
        let error = start(bus.subscribe("g").on_pattern(pattern, |_: AnyEvent| async { Ok(()) })).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{pattern:?}");
        assert!(error.to_string().contains("pattern"), "the error names the field: {error}");
    }
    assert_eq!(start(with("g").concurrency(0)).await.kind(), ErrorKind::Invalid);
    assert_eq!(start(with("g").concurrency(4).prefetch(3)).await.kind(), ErrorKind::Invalid);
    assert_eq!(bus.backlog("g").await.expect("it is told"), None, "a refused subscription makes no group");
}

pub(crate) async fn capabilities_are_what_they_say(stage: &Stage) {
    let transport = stage.transport().await;
    let can = transport.capabilities();
    let spec = |order: Order| {
        let mut spec = stage.spec(&format!("{order:?}"));
        spec.order = order;
        spec
    };
    let opened = |kind: Option<ErrorKind>| kind == Some(ErrorKind::Unsupported);
    let ordered = transport.open(&spec(Order::PerKey)).await.err().map(|error| error.kind());
    assert_eq!(opened(ordered), !can.key_order);
    let mut ephemeral = stage.spec("ephemeral");
    ephemeral.ephemeral = true;
    assert_eq!(opened(transport.open(&ephemeral).await.err().map(|error| error.kind())), !can.ephemeral);
    let mut late = stage.spec("late");
    late.start = Start::Beginning;
    assert_eq!(opened(transport.open(&late).await.err().map(|error| error.kind())), !can.replay);
    let scheduled =
        transport.schedule(&stage.payment("k"), stage.units(1)).await.err().map(|error| error.kind());
    assert_eq!(opened(scheduled), !can.delayed_publish);
    assert_eq!(transport.cancel(stage.payment("k").id()).await.is_ok(), can.delayed_publish);
}
