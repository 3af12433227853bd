//! Events come back as they went, to whoever wants them and to nobody else.

use std::sync::{Arc, Mutex};

use crate::conformance::sample::{Payment, Refund, body, outside};
use crate::conformance::stage::{Act, Stage};
use crate::conformance::{Bounds, End};
use crate::event::{
    AnyEvent, Event, EventBuilder, EventType, Filter, IntoEvent as _, Pattern, Request, Timestamp,
    TraceContext,
};
use crate::transport::Settlement;
use crate::{gstable, payment_kit};

/// Which types each pattern lets through.
const TRUTH: [(&str, &str, bool); 34] = [
    ("customer", "customer", true),
    ("customer", "customers", false),
    ("customer", "customer.created", false),
    ("customer.created", "customer.created", true),
    ("customer.created", "customer.updated", false),
    ("customer.*", "customer.created", true),
    ("customer.*", "customer", false),
    ("customer.*", "customer.subscription.created", false),
    ("customer.#", "customer", true),
    ("customer.#", "customer.created", true),
    ("customer.#", "customer.subscription.created", true),
    ("customer.#", "customers.created", false),
    ("*.created", "customer.created", true),
    ("*.created", "created", false),
    ("*.created", "customer.subscription.created", false),
    ("#.created", "created", true),
    ("#.created", "customer.created", true),
    ("#.created", "customer.subscription.created", true),
    ("#.created", "customer.created.late", false),
    ("customer.*.created", "customer.subscription.created", true),
    ("customer.*.created", "customer.created", false),
    ("customer.#.created", "customer.created", true),
    ("customer.#.created", "customer.a.b.created", true),
    ("customer.#.created", "customer.a.b.updated", false),
    ("*.*", "customer.created", true),
    ("*.*", "customer", false),
    ("*.*", "customer.subscription.created", false),
    ("#", "customer", true),
    ("#", "customer.subscription.created", true),
    ("*", "customer", true),
    ("*", "customer.subscription.created", true),
    ("*.#", "customer", true),
    ("#.*", "customer.created", true),
    ("#.a.#.b", "x.a.y.a.b", true),
];

pub(crate) async fn an_event_comes_back_as_it_went(stage: &Stage) {
    let transport = stage.transport().await;
    let mut member = stage.join(&*transport, &stage.spec("all"), "m").await;
    let payment = Payment { account: "acct_é".to_owned(), number: u64::MAX, amount: "0.10".to_owned() };
    let trace: TraceContext =
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().expect("a traceparent");
    let request = Request { id: "req_1".to_owned(), idempotency_key: "ik".to_owned(), requested_by: None };
    let sent = EventBuilder::<Payment>::new(payment.clone())
        .id("evt_given:1")
        .key("a key / with anything")
        .time(Timestamp::from_millis(1_767_225_600_123))
        .livemode(true)
        .trace(trace.with_state("vendor=1"))
        .request(request)
        .metadata("order", 7)
        .previous(serde_json::json!({"amount": "0.20"}))
        .into_event()
        .expect("the event breaks no rule");
    stage.store(&*transport, std::slice::from_ref(&sent)).await;
    let message = member.take(1).await.remove(0);
    let came = &message.event;
    assert_eq!(came.envelope(), sent.envelope());
    assert_eq!(came.details().expect("the body is an event"), sent.details().expect("the body is an event"));
    assert_eq!(came.object::<Payment>().expect("it is a payment"), payment);
    let typed = Event::<Payment>::try_from(came.clone()).expect("it is a payment");
    assert_eq!(typed.object(), &payment);
    assert_eq!(came.to_json().expect("it has a body"), sent.to_json().expect("it has a body"));
    assert_eq!((message.attempt, message.lost, message.history.clone()), (1, 0, None));
    member.ack(&[message]).await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn bytes_that_came_in_are_the_bytes_that_go_out(stage: &Stage) {
    let transport = stage.transport().await;
    let mut member = stage.join(&*transport, &stage.spec("all"), "m").await;
    let address = ("conformance", "conformance.raw");
    let large = format!(r#"{{"filler":"{}"}}"#, "x".repeat(1 << 20));
    let objects = [
        "{}",
        r#"{ "amount" : 12345678901234567890.1234567890 , "z":1,"a":2.50,"e":1E40 }"#,
        r#"{"escaped":"\u0000\u00e9\ud83d\ude00\/","plain":"é😀","empty":"","null":null}"#,
        "{\n\t\"big\": 340282366920938463463374607431768211456\r\n}",
        &large,
    ];
    let bodies =
        objects.iter().enumerate().map(|(index, object)| body(&format!("evt_raw{index}"), address, object));
    let bodies: Vec<_> = bodies.collect();
    let events: Vec<AnyEvent> =
        bodies.iter().map(|body| AnyEvent::from_json(body.clone()).expect("the body is an event")).collect();
    stage.store(&*transport, &events).await;
    let messages = member.take(bodies.len() as u32).await;
    for message in &messages {
        let at = events.iter().position(|event| event.id() == message.event.id()).expect("it was published");
        assert!(message.event.to_json().expect("it has a body") == bodies[at], "body {at} came back changed");
    }
    member.ack(&messages).await;
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn types_and_sources_do_not_mix(stage: &Stage) {
    let bus = stage.bus().await;
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let note = |name: &'static str| {
        let seen = Arc::clone(&seen);
        move |id: String| seen.lock().expect("nobody panicked").push(format!("{name} {id}"))
    };
    let (kit, coin, refund) = (note("kit"), note("gstable"), note("refund"));
    bus.subscribe("kit")
        .on(move |event: Event<payment_kit::ProductCreated>| {
            kit(event.id().to_string());
            async { Ok(()) }
        })
        .start()
        .await
        .expect("it starts");
    bus.subscribe("gstable")
        .on(move |event: Event<gstable::ProductCreated>| {
            coin(event.id().to_string());
            async { Ok(()) }
        })
        .on(move |event: Event<Refund>| {
            refund(event.id().to_string());
            async { Ok(()) }
        })
        .start()
        .await
        .expect("it starts");
    let (kit, coin) = (payment_kit::Product::default(), gstable::Product::default());
    bus.publish(EventBuilder::<payment_kit::ProductCreated>::new(kit).id("evt_1"))
        .await
        .expect("it is stored");
    bus.publish(EventBuilder::<gstable::ProductCreated>::new(coin).id("evt_2")).await.expect("it is stored");
    bus.publish(outside("evt_3", ("shop", "product.created"))).await.expect("it is stored");
    bus.publish(outside("evt_4", ("conformance", "conformance.refund"))).await.expect("it is stored");
    bus.publish(EventBuilder::<Refund>::new(Refund { payment: "p".to_owned() }).id("evt_5"))
        .await
        .expect("it is stored");
    let count = || seen.lock().expect("nobody panicked").len();
    stage.until("three events were handled", || count() >= 3).await;
    stage.silence().await;
    let mut seen = seen.lock().expect("nobody panicked").clone();
    seen.sort();
    assert_eq!(seen, ["gstable evt_2", "kit evt_1", "refund evt_5"]);
}

pub(crate) async fn patterns_follow_the_truth_table(stage: &Stage) {
    let transport = stage.transport().await;
    let mut patterns: Vec<&str> = TRUTH.iter().map(|(pattern, ..)| *pattern).collect();
    let mut types: Vec<&str> = TRUTH.iter().map(|(_, event_type, _)| *event_type).collect();
    for names in [&mut patterns, &mut types] {
        names.sort_unstable();
        names.dedup();
    }
    let mut members = Vec::new();
    for (index, pattern) in patterns.iter().enumerate() {
        let pattern: Pattern = pattern.parse().expect("the pattern is legal");
        let mut spec = stage.spec(&format!("pattern-{index}"));
        spec.filters = vec![Filter::new(pattern)];
        members.push(stage.join(&*transport, &spec, "m").await);
    }
    let events: Vec<AnyEvent> =
        types.iter().map(|event_type| outside(&format!("evt_{event_type}"), ("any", event_type))).collect();
    stage.store(&*transport, &events).await;
    // What every group must get is told by the table where it speaks, and by the pattern's own rule elsewhere.
    for (pattern, mut member) in patterns.into_iter().zip(members) {
        let rule: Pattern = pattern.parse().expect("the pattern is legal");
        let wanted: Vec<String> =
            types.iter().filter(|name| rule.matches(name)).map(|name| format!("evt_{name}")).collect();
        for (_, event_type, is_let) in TRUTH.iter().filter(|(of, ..)| *of == pattern) {
            assert_eq!(rule.matches(event_type), *is_let, "{pattern} on {event_type}");
        }
        let messages = member.take(wanted.len() as u32).await;
        let mut came = crate::conformance::member::ids(&messages);
        came.sort();
        assert_eq!(came, wanted, "{pattern}");
        member.ack(&messages).await;
        member.hears_nothing().await;
    }
    stage.ledger.check(&Bounds::strict());
}

pub(crate) async fn nobody_wanting_an_event_is_no_error(stage: &Stage) {
    let bus = stage.bus().await;
    bus.publish(&stage.payment("k")).await.expect("events nobody wants are normal");
    bus.subscribe("others").on(|_: Event<Refund>| async { Ok(()) }).start().await.expect("it starts");
    bus.publish(&stage.payment("k")).await.expect("events nobody wants are normal");
    stage.backlog(&bus, "others", |backlog| backlog.unsettled() == 0).await;
}

pub(crate) async fn unknown_types_pass_through(stage: &Stage) {
    let bus = stage.bus().await;
    let handler = stage.handler(("all", "m"), |_, _| Act::Ack);
    bus.subscribe("all").on(handler).start().await.expect("it starts");
    let longest = format!("a.{}", "x".repeat(126));
    let types = ["never.heard.of", "UPPER.Case_and-dash", "one", "1.2.3", &longest];
    let events: Vec<AnyEvent> = types
        .iter()
        .enumerate()
        .map(|(index, name)| outside(&format!("evt_{index}"), ("some-shop_1", name)))
        .collect();
    stage.publish(&bus, &events).await;
    stage.until("all were handled", || stage.ledger.ended("all", End::Acked) == types.len()).await;
    stage.ledger.check(&Bounds::strict());
    assert!(EventType::new("a".repeat(129)).is_err(), "longer ones are refused where they are made");
}

pub(crate) async fn the_exact_handler_goes_before_patterns(stage: &Stage) {
    let bus = stage.bus().await;
    let seen: Arc<Mutex<Vec<&str>>> = Arc::default();
    let note = |name: &'static str| {
        let seen = Arc::clone(&seen);
        move || {
            seen.lock().expect("nobody panicked").push(name);
            std::future::ready(Ok(()))
        }
    };
    let (all, pattern, exact) = (note("all"), note("pattern"), note("exact"));
    bus.subscribe("g")
        .on_pattern("conformance.#", move |_: AnyEvent| pattern())
        .on_pattern("#", move |_: AnyEvent| all())
        .on(move |_: Event<Payment>| exact())
        .concurrency(1)
        .start()
        .await
        .expect("it starts");
    bus.publish(&stage.payment("k")).await.expect("it is stored");
    bus.publish(outside("evt_1", ("conformance", "conformance.other"))).await.expect("it is stored");
    bus.publish(outside("evt_2", ("conformance", "else"))).await.expect("it is stored");
    stage.until("three were handled", || seen.lock().expect("nobody panicked").len() == 3).await;
    let mut seen = seen.lock().expect("nobody panicked").clone();
    seen.sort_unstable();
    assert_eq!(seen, ["all", "exact", "pattern"]);
}

pub(crate) async fn an_event_that_several_filters_want_comes_once(stage: &Stage) {
    let transport = stage.transport().await;
    let mut spec = stage.spec("both");
    let filters = ["#", "conformance.#", "conformance.payment.made"];
    spec.filters = filters.iter().map(|filter| Filter::new(filter.parse().expect("a pattern"))).collect();
    spec.filters.sort();
    let mut member = stage.join(&*transport, &spec, "m").await;
    stage.store(&*transport, &[stage.payment("k")]).await;
    let message = member.take(1).await.remove(0);
    member.apply(&message, Settlement::Ack).await;
    member.hears_nothing().await;
    stage.ledger.check(&Bounds::strict());
}
