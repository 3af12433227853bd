//! Memory: a million queued events of one group beside the same events in a vector, each in a process of its own.

use std::num::NonZeroUsize;
use std::process::Command;

use bytes::Bytes;
use eventbus::{AnyEvent, EventBus, EventId};

use crate::arguments::Arguments;
use crate::compare::{Ratio, Side, interleave, median};
use crate::events;
use crate::table::{Goal, Line};

const EVENTS: usize = 1_000_000;
const CAPACITY: NonZeroUsize = NonZeroUsize::new(2 * EVENTS).expect("not 0");

/// Makes events as a broker transport would: their own bytes, their own id, nothing shared.
struct Press {
    sample: AnyEvent,
    text: Vec<u8>,
    id_at: usize,
}

impl Press {
    fn new() -> Self {
        let text = events::body(0).to_vec();
        let sample = AnyEvent::from_json(text.clone()).expect("what was encoded can be decoded");
        let id = sample.id().as_str().as_bytes();
        let id_at = text.windows(id.len()).position(|part| part == id).expect("the body has the id");
        Self { sample, text, id_at }
    }

    fn event(&self, number: usize) -> AnyEvent {
        let id = format!("evt_{number:024}");
        let mut text = self.text.clone();
        text[self.id_at..self.id_at + id.len()].copy_from_slice(id.as_bytes());
        let mut envelope = self.sample.envelope().clone();
        envelope.id = EventId::new(id).expect("the id is legal");
        AnyEvent::from_wire(envelope, Bytes::from(text))
    }
}

/// Prints by how many bytes the process has grown.
pub(crate) async fn measure(side: &str, arguments: &Arguments) {
    let events = arguments.scaled(EVENTS);
    let grown = match side {
        "queued" => tokio::spawn(queued(events)).await,
        _ => tokio::spawn(async move { alone(events) }).await,
    };
    println!("{}", grown.expect("the measurement does not panic"));
}

async fn queued(events: usize) -> u64 {
    let bus = EventBus::connect("local:").await.expect("the URL is legal");
    let group = bus.subscribe("group").capacity(CAPACITY).on(|_: AnyEvent| std::future::ready(Ok(())));
    group.start().await.expect("the local transport can do this").pause();
    let (press, before) = (Press::new(), resident());
    for number in 0..events {
        bus.publish(press.event(number)).await.expect("there is room");
    }
    let grown = resident() - before;
    let backlog = bus.backlog("group").await.ok().flatten().expect("the group exists");
    assert_eq!(backlog.unsettled(), events as u64);
    grown
}

fn alone(events: usize) -> u64 {
    let (press, before) = (Press::new(), resident());
    let mut list = Vec::with_capacity(events);
    list.extend((0..events).map(|number| press.event(number)));
    let grown = resident() - before;
    assert_eq!(list.len(), events);
    grown
}

/// The memory this process has, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells a process about itself");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("with its memory");
    let size = line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("as a number");
    size * 1024
}

fn side(name: &'static str, scale: f64) -> Side {
    Side::new(move || async move {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut command = Command::new(program);
        command.args(["--bench", "--memory", name, "--scale", &scale.to_string()]);
        let output = command.output().expect("it can be started again");
        let text = String::from_utf8(output.stdout).expect("it prints a number");
        text.trim().parse().expect("it prints a number")
    })
}

pub(crate) async fn rows(arguments: &Arguments) {
    let row = "memory: a queued event, of 1 000 000";
    if !arguments.wants(row) {
        return;
    }
    let sides = [side("queued", arguments.scale), side("alone", arguments.scale)];
    let runs = interleave(arguments.reps, &sides).await;
    let each = |side: usize| format!("{:.0} bytes", median(&runs[side]) / arguments.scaled(EVENTS) as f64);
    let (ratio, theirs) = (Ratio::of(&runs[0], &runs[1]), format!("in a vector {}", each(1)));
    Line { row, ours: each(0), theirs, ratio, cpu: None, goal: Goal::AtMost(2.0) }.print();
}
