//! `tail`, `publish`, `dlq`, `lag`: on the bus of a broker.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;
use std::time::Duration;

use eventbus::{AnyEvent, EventBus, HandlerError, Retry};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use webhook_bridge::transports;

use crate::rabbitmq::RabbitMq;
use crate::redis::Redis;
use crate::rig::{Begun, Said, program, run, run_with};

/// A command that goes on until it is told, and what it says.
pub(crate) struct Running {
    child: Begun,
    out: BufReader<std::process::ChildStdout>,
    errors: BufReader<std::process::ChildStderr>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        Self::of(program(arguments))
    }

    pub(crate) fn of(mut command: std::process::Command) -> Self {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        Self { child: Begun(child), out: BufReader::new(out), errors: BufReader::new(errors) }
    }

    /// Its next line on standard error.
    fn note(&mut self) -> String {
        let mut line = String::new();
        self.errors.read_line(&mut line).unwrap();
        line
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    /// How it ends, and what it had yet to say.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (self.child.0.wait().unwrap().code(), rest)
    }

    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child.0), signal).unwrap();
    }
}

fn ends_well(arguments: &[&str], input: &str) -> String {
    let said = run_with(program(arguments), input);
    assert_eq!(said.code, 0, "{arguments:?}: {said:?}");
    said.out
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A group that gives everything up.
pub(crate) async fn gives_up(url: &str, group: &str) -> EventBus {
    let bus = transports::connect(url).await.unwrap();
    let refuse = |_: AnyEvent| async { Err::<(), _>(HandlerError::permanent("the ledger\nis closed")) };
    bus.subscribe(group).on(refuse).retry(Retry::never()).start().await.unwrap();
    bus
}

pub(crate) async fn until_dead(bus: &EventBus, group: &str, count: u64) {
    let mut looks = tokio::time::interval(Duration::from_millis(20));
    let dead = async {
        while bus.backlog(group).await.unwrap().unwrap().dead < count {
            looks.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), dead).await.expect("they are given up");
}

const BODY: &str = r#"{"id":"evt_raw","object":"event","type":"shop.sold","source":"shop","livemode":true,
 "data":{"object":{"amount":12.50}},"created_at":"2026-01-02T03:04:05.000Z","object_id":"o_1"}"#;

fn is_shown_as_it_comes_and_nothing_is_left_behind(url: &str) {
    let mut tail = Running::start(&["tail", "shop.*", "--bus", url, "--count", "2"]);
    assert!(tail.note().starts_with("note: shop.* on "), "it says when it listens");
    let mut bytes = Running::start(&["tail", "--json", "--bus", url]);
    bytes.note();
    let said = ends_well(&["publish", "customer.created", "--id", "evt_no", "--bus", url], "");
    assert_eq!(said, "evt_no is published\n");
    let two = format!("{BODY}\n{}", BODY.replace("evt_raw", "evt_next").replace("true", "false"));
    assert_eq!(ends_well(&["publish", "--bus", url], &two), "evt_raw is published\nevt_next is published\n");
    let (code, shown) = tail.end();
    let time = "2026-01-02T03:04:05.000Z";
    let expected = format!(
        "{time}  shop.sold  o_1  evt_raw  shop  live\n{time}  shop.sold  o_1  evt_next  shop  test\n"
    );
    assert_eq!((code, shown), (Some(0), expected));

    assert_eq!(value(&bytes.line())["id"], "evt_no");
    assert_eq!(bytes.line(), format!("{}\n", BODY.replace('\n', " ")), "the bytes that were published");
    bytes.interrupt();
    assert_eq!(bytes.end().0, Some(0), "Ctrl-C is how it ends");
}

#[test]
fn who_reads_no_more_ends_it() {
    let redis = Redis::blocking();
    let url = redis.url();
    let mut tail = Running::start(&["tail", "--bus", &url]);
    tail.note();
    drop(tail.out);
    ends_well(&["publish", "shop.sold", "--bus", &url], "");
    ends_well(&["publish", "shop.sold", "--bus", &url], "");
    assert_eq!(tail.child.0.wait().unwrap().code(), Some(0));
}

fn dlq<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["dlq", "--group", "ledger", "--bus", url], more].concat()
}

async fn is_listed_shown_redriven_and_purged(url: &str) {
    let bus = gives_up(url, "ledger").await;
    for id in ["evt_1", "evt_2", "evt_3"] {
        ends_well(&["publish", "refund.created", "--id", id, "--key", id, "--bus", url], "");
    }
    ends_well(&["publish", "shop.sold", "--id", "evt_4", "--bus", url], "");
    until_dead(&bus, "ledger", 4).await;
    bus.shutdown(Duration::from_secs(5)).await;

    let listed = ends_well(&dlq(url, &["list", "--type", "refund.*"]), "");
    let rows: Vec<Vec<_>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..5], ["ID", "GIVEN", "UP", "TYPE", "EVENT"]);
    assert_eq!(rows.len(), 4, "{listed}");
    assert!(listed.lines().skip(1).all(|line| line.ends_with("permanent  1         the ledger is closed")));
    let first = value(&ends_well(&dlq(url, &["list", "--event", "evt_2", "--json"]), ""))["list"][0].clone();
    let id = first["id"].to_string();
    assert_eq!(
        (&first["event"], &first["key"], &first["attempts"]),
        (&json!("evt_2"), &json!("evt_2"), &json!(1))
    );
    let shown = ends_well(&dlq(url, &["show", &id]), "");
    assert!(shown.contains("\n1        2") && shown.contains(r#""id":"evt_2""#), "{shown}");

    let lag = ends_well(&["lag", "ledger", "--bus", url], "");
    let rows: Vec<Vec<_>> = lag.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((rows[1][0], rows[1][6]), ("ledger", "4"), "{lag}");

    let asked = run(program(&dlq(url, &["purge", "--all"])));
    assert_eq!((asked.code, asked.out.as_str()), (2, ""));
    assert!(asked.errors.contains("purge 4 dead letters of ledger? Nobody can be asked here"), "{asked:?}");
    assert_eq!(run(program(&dlq(url, &["redrive", "--yes"]))).code, 2, "which ones?");
    assert_eq!(ends_well(&dlq(url, &["redrive", "--all", "--dry-run"]), ""), "4 would be redriven\n");
    assert_eq!(ends_well(&dlq(url, &["redrive", &id, "--yes"]), ""), "1 redriven\n");
    let rated = dlq(url, &["redrive", "--type", "refund.*", "--rate", "100", "--yes", "--json"]);
    assert_eq!(value(&ends_well(&rated, "")), json!({ "matched": 2, "redriven": 2 }));
    assert_eq!(ends_well(&dlq(url, &["purge", "--reason", "permanent", "--yes"]), ""), "1 purged\n");
    assert_eq!(ends_well(&dlq(url, &["list"]), ""), "none\n");
    let counted = value(&ends_well(&["lag", "ledger", "--json", "--bus", url], ""));
    assert_eq!((&counted["list"][0]["queued"], &counted["list"][0]["dead"]), (&json!(3), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_redis() {
    let redis = Redis::start().await;
    is_shown_as_it_comes_and_nothing_is_left_behind(&redis.url());
    let mut tail = Running::start(&["tail", "--bus", &redis.url()]);
    tail.note();
    assert!(!redis.keys("*tail*").is_empty(), "a group of its own");
    tail.interrupt();
    assert_eq!(tail.end().0, Some(0));
    let groups = redis.keys("*tail*");
    assert!(groups.is_empty(), "{groups:?}");
    is_listed_shown_redriven_and_purged(&redis.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_rabbitmq() {
    let broker = RabbitMq::start().await;
    is_shown_as_it_comes_and_nothing_is_left_behind(&broker.url());
    is_listed_shown_redriven_and_purged(&broker.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_before_dead_letters_are_changed() {
    let redis = Redis::start().await;
    let bus = gives_up(&redis.url(), "ledger").await;
    ends_well(&["publish", "refund.created", "--bus", &redis.url()], "");
    until_dead(&bus, "ledger", 1).await;
    bus.shutdown(Duration::from_secs(5)).await;
    let purge = dlq(&redis.url(), &["purge", "--all"]).join(" ");
    let answered = |answer: &str| {
        let mut command = std::process::Command::new("script");
        command.args(["-qec", &format!("{} {purge}", env!("CARGO_BIN_EXE_webhook-bridge")), "/dev/null"]);
        run_with(command, answer)
    };
    for (answer, code, words) in
        [("n\n", 1, "nothing was done"), ("\n", 1, "nothing was done"), ("y\n", 0, "1 purged")]
    {
        let said = answered(answer);
        assert!(said.out.contains("purge 1 dead letters of ledger? [y/N]"), "{said:?}");
        assert!(said.code == code && said.out.contains(words), "{answer:?}: {said:?}");
    }
}

#[test]
fn what_is_no_broker_is_said_with_the_way_out() {
    let redis = Redis::blocking();
    let url = redis.url();
    let no_bus = |arguments: &[&str]| -> Said { run(program(arguments)) };
    for (arguments, code, words) in [
        (&["lag", "ledger"][..], 2, "WEBHOOK_BRIDGE_BUS"),
        (&["tail", "--bus", "local:"], 2, "local: is a bus within one process"),
        (&["tail", "--bus", "kafka://x"], 2, "--bus: URL scheme \"kafka\" is not known"),
        (&["tail", "a..b", "--bus", &url], 2, "pattern \"a..b\""),
        (
            &["lag", "ledger", "--bus", "redis://:secret@127.0.0.1:1"],
            4,
            "redis://127.0.0.1:1: no broker was reached",
        ),
        (&["lag", "ledger", "--bus", &url], 3, "there is no group ledger"),
        (&["dlq", "list", "--bus", &url], 2, "--group is needed"),
        (&["dlq", "list", "--group", "ledger", "--bus", &url], 3, "ledger"),
        (&["dlq", "list", "--group", "l", "--reason", "bad", "--bus", &url], 2, "timed_out"),
    ] {
        let said = no_bus(arguments);
        assert_eq!(said.code, code, "{arguments:?}: {said:?}");
        assert!(said.errors.contains(words) && !said.errors.contains("secret"), "{arguments:?}: {said:?}");
    }
    for (input, words) in [("{", "no event: EOF"), ("[]", "no event: "), ("{}", "no event: ")] {
        let said = run_with(program(&["publish", "--bus", &url]), input);
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.errors.contains(words), "{said:?}");
    }
    let mut child =
        program(&["publish", "--bus", &url]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(BODY.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "evt_raw is published\n", "an event goes out before the next is there");
    drop(input);
    assert!(child.wait().unwrap().success());
}
