//! Decoding, and not decoding: typed decode beside serde on plain structs; forwarding.

mod plain;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use eventbus::payment_kit::CustomerSubscriptionRenewed;
use eventbus::{AnyEvent, Event, FromEvent as _};

use crate::arguments::Arguments;
use crate::compare::{Ratio, Side, interleave, median};
use crate::events;
use crate::table::{Goal, Line};

/// How many events are decoded before the results are dropped, outside the measured time.
const CHUNK: usize = 512;

/// Runs are short, so there are more of them.
const SHORT: usize = 4;

type Bodies = Arc<[Bytes]>;

/// Nanoseconds per event of `work`; `input` is made beforehand and the results are dropped afterwards.
fn time<I, O>(bodies: &[Bytes], rounds: usize, input: fn(&Bytes) -> I, work: impl Fn(I) -> O) -> f64 {
    let (mut took, mut count) = (0, 0);
    let mut results = Vec::with_capacity(CHUNK);
    for chunk in (0..rounds).flat_map(|_| bodies.chunks(CHUNK)) {
        let inputs: Vec<I> = chunk.iter().map(input).collect();
        let start = Instant::now();
        results.extend(inputs.into_iter().map(&work));
        took += start.elapsed().as_nanos();
        count += results.len();
        black_box(&mut results).clear();
    }
    took as f64 / count as f64
}

/// The event as a transport gives it: the envelope came beside the body.
fn wire(body: &Bytes) -> AnyEvent {
    let read = AnyEvent::from_json(body.clone()).expect("the body is an event");
    AnyEvent::from_wire(read.envelope().clone(), body.clone())
}

fn typed(event: AnyEvent) -> Event<CustomerSubscriptionRenewed> {
    Event::from_event(event).expect("the object is a subscription")
}

fn border(body: Bytes) -> AnyEvent {
    AnyEvent::from_json(body).expect("the body is an event")
}

fn plainly(body: &Bytes) -> plain::Event {
    serde_json::from_slice(body).expect("the body is an event")
}

fn forward(event: AnyEvent) -> (AnyEvent, Bytes) {
    let body = event.to_json().expect("it came encoded");
    (event, body)
}

fn side(bodies: &Bodies, work: impl Fn(&[Bytes]) -> f64 + Clone + Send + Sync + 'static) -> Side {
    let bodies = Arc::clone(bodies);
    Side::new(move || {
        let (bodies, work) = (Arc::clone(&bodies), work.clone());
        async move { work(&bodies) }
    })
}

pub(crate) async fn rows(arguments: &Arguments) {
    if !arguments.wants("decode") {
        return;
    }
    let bodies: Bodies = (0..events::POOL).map(events::body).collect();
    let event = border(bodies[0].clone());
    assert_eq!(forward(event).1.as_ptr(), bodies[0].as_ptr(), "forwarding encodes again");
    let rounds = arguments.scaled(2);
    let sides = [
        side(&bodies, move |bodies| time(bodies, rounds, wire, typed)),
        side(&bodies, move |bodies| time(bodies, rounds, Bytes::clone, border)),
        side(&bodies, move |bodies| time(bodies, rounds, Bytes::clone, |body| typed(border(body)))),
        side(&bodies, move |bodies| time(bodies, rounds, wire, forward)),
        side(&bodies, move |bodies| time(bodies, rounds, Bytes::clone, |body| plainly(&body))),
    ];
    let runs = interleave(arguments.reps * SHORT, &sides).await;
    let plain = runs.last().expect("one of the sides");
    let rows = [
        ("decode: wire event → Event<T>", Goal::AtMost(1.15)),
        ("decode-border: strict from_json", Goal::None),
        ("decode-both: from_json → Event<T>", Goal::None),
        ("decode-forward: to_json, same bytes", Goal::None),
    ];
    for ((row, goal), ours) in rows.into_iter().zip(&runs) {
        let theirs = format!("plain serde_json {:.0} ns", median(plain));
        Line {
            row,
            ours: format!("{:.0} ns", median(ours)),
            theirs,
            ratio: Ratio::of(ours, plain),
            cpu: None,
            goal,
        }
        .print();
    }
}
