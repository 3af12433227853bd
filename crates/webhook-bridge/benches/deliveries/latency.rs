//! How long it takes from `POST /v1/events` to receipt, alone and beside an endpoint that hangs.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::arguments::Arguments;
use crate::compare::{Ratio, Side, interleave, median};
use crate::fill;
use crate::load::bound;
use crate::program::Program;
use crate::receivers::{Latency, PUBLISHED, Receivers, now};
use crate::table::{Goal, Line};

const RATE: usize = 500;
/// The goals: from publishing to receipt, and how much an endpoint that hangs may add, in milliseconds.
const P99: f64 = 25.0;
const ADDED: f64 = 10.0;
/// What is due of an endpoint that hangs.
const HANGING: usize = 10_000;

/// A run: what came to an endpoint that answers, beside so much that is due of one that hangs.
async fn once(count: usize, hanging: usize) -> (Latency, f64) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut receivers = Receivers::start(1, 1);
    let program = Program::start(folder.path());
    program.endpoint(&receivers.url(0), "quick.event").await;
    program.endpoint(&receivers.url(1), "stuck.event").await;
    program.stop();
    fill::pending(folder.path(), hanging, 2);
    let program = Arc::new(Program::start(folder.path()));
    publish(&program, 100).await;
    receivers.latency();
    let used = program.cpu();
    publish(&program, count).await;
    let mut arrived = receivers.latency();
    while arrived.count < count / 2 {
        arrived = receivers.latency();
    }
    let cost = (program.cpu() - used).as_secs_f64() * 1e6 / count as f64;
    // One that hangs would hold up its end.
    drop(program);
    (arrived, cost)
}

/// Publishes so many at the rate, whatever came of those before.
async fn publish(program: &Arc<Program>, count: usize) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / RATE as u32);
    let mut answers = Vec::with_capacity(count);
    for _ in 0..count {
        ticks.tick().await;
        let program = Arc::clone(program);
        answers.push(tokio::spawn(async move {
            let published = now();
            let event = format!(
                r#"{{"id":"evt_{published}","livemode":false,"type":"quick.event","source":"shop","data":{{"object":{{"id":"o_1",{PUBLISHED}{published}","text":"{:400}"}}}},"created_at":"2026-01-01T00:00:00.000Z"}}"#,
                "lorem ipsum"
            );
            assert_eq!(program.post("/v1/events", event).await, StatusCode::ACCEPTED);
        }));
    }
    for answer in answers {
        answer.await.expect("it is accepted");
    }
}

fn side(count: usize, hanging: usize) -> Side<(Latency, f64)> {
    Side::new(move || once(count, hanging))
}

pub(crate) async fn rows(arguments: &Arguments) {
    let (alone, beside) = ("latency: POST to receipt, 500/s", "beside: one hangs, 10,000 due");
    if !arguments.wants(alone) && !arguments.wants(beside) {
        return;
    }
    let count = arguments.scaled(5_000).max(50);
    let runs = interleave(arguments.reps, &[side(count, 0), side(count, HANGING)]).await;
    let p99 = |side: usize| runs[side].iter().map(|run| run.0.p99).collect::<Vec<_>>();
    let most = |side: usize| runs[side].iter().map(|run| run.0.most).fold(0.0, f64::max);
    println!("    the longest of all: {:.1} ms alone, {:.1} ms beside", most(0), most(1));
    let p50 = |side: usize| median(&runs[side].iter().map(|run| run.0.p50).collect::<Vec<_>>());
    bound(alone, (median(&p99(0)), P99), "ms p99");
    bound(beside, (median(&p99(1)), P99), "ms p99");
    let added: Vec<f64> = p99(1).iter().zip(p99(0)).map(|(beside, alone)| beside - alone).collect();
    bound("beside: what that adds to the p99", (median(&added), ADDED), "ms");
    let costs: Vec<f64> = runs[0].iter().map(|run| run.1).collect();
    println!("    {:.0} µs of the program for each, request and delivery", median(&costs));
    let ratio = Ratio { median: p50(1) / p50(0), least: f64::NAN, most: f64::NAN };
    let text = |p50: f64| format!("{p50:.2} ms p50");
    let (ours, theirs) = (text(p50(1)), format!("alone {}", text(p50(0))));
    Line { row: "beside: the median", ours, theirs, ratio, cpu: None, goal: Goal::None }.print();
}
