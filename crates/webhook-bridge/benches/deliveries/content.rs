//! What an event costs before it is sent, by the size of its body: to read it, and to store it with what is owed of it.

use std::hint::black_box;
use std::time::Instant;

use bytes::Bytes;
use eventbus::AnyEvent;
use serde_json::Value;

use crate::arguments::Arguments;
use crate::compare::{Ratio, Side, interleave, median};
use crate::load::{Load, line, stored};
use crate::ours::Ours;
use crate::table::{Goal, Line};
use crate::twin::Twin;

/// Sizes of bodies, in KiB.
const SIZES: [usize; 3] = [1, 10, 64];
const ENDPOINTS: usize = 10;

pub(crate) async fn rows(arguments: &Arguments) {
    for kib in SIZES {
        let row = format!("store-{kib}k: for 10 endpoints, unsent");
        if arguments.wants(&row) {
            let events = arguments.scaled(20_000 / kib.max(4));
            let load = Load::sized(events, ENDPOINTS, kib * 1024);
            let (ours, theirs) = (load.clone(), load);
            let sides = [
                Side::new(move || stored::<Ours>(ours.clone())),
                Side::new(move || stored::<Twin>(theirs.clone())),
            ];
            let runs = interleave(arguments.reps, &sides).await;
            line(&row, &runs[0], ("by hand", &runs[1]), Goal::None);
        }
    }
    for kib in SIZES {
        let row = format!("read-{kib}k: beside parse and encode");
        if arguments.wants(&row) {
            read(&row, &Load::body(1, kib * 1024), arguments);
        }
    }
}

/// An event as it comes by HTTP: its envelope is read, what is in it is looked over and left as it is.
fn read(row: &str, body: &Bytes, arguments: &Arguments) {
    let times = arguments.scaled(10_000);
    let time = |work: &dyn Fn(&Bytes)| {
        let start = Instant::now();
        (0..times).for_each(|_| work(black_box(body)));
        start.elapsed().as_nanos() as f64 / times as f64
    };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..arguments.reps {
        ours.push(time(&|body| {
            drop(black_box(AnyEvent::from_json(body.clone()).and_then(|it| it.to_json())));
        }));
        theirs.push(time(&|body| {
            let value: Value = serde_json::from_slice(body).expect("JSON");
            drop(black_box(serde_json::to_vec(&value)));
        }));
    }
    let text = |times: &[f64]| format!("{:.2} µs", median(times) / 1e3);
    let (ratio, ours, theirs) = (Ratio::of(&ours, &theirs), text(&ours), text(&theirs));
    Line { row, ours, theirs, ratio, cpu: None, goal: Goal::AtMost(0.5) }.print();
}
