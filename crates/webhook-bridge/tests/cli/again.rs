//! `recover`, `listen` and pages, where a bridge really gave up, was really told to end, or has more than a page.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use http::StatusCode;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::bus::Running;
use crate::receiver::Receiver;
use crate::rig::{Serving, run};

fn bridge(folder: &Path) -> Serving {
    Serving::start(folder, &["--allow-targets", "127.0.0.1/32"])
}

/// The ids of a list.
fn ids(page: &Value) -> Vec<String> {
    page["list"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

/// An endpoint for which these events were given up, after the two attempts that it is owed; gives its id. With five of them
/// it would be left alone for a while.
async fn gave_up(bridge: &Serving, receiver: &mut Receiver, types: &[&str]) -> String {
    let made = bridge.json(&["endpoints", "create", &receiver.url(), "*", "--schedule", "1"]);
    let id = made["id"].as_str().unwrap().to_owned();
    for (at, event_type) in types.iter().enumerate() {
        bridge.call(&["trigger", event_type, "--id", &format!("evt_{at}")]);
    }
    for _ in 0..2 * types.len() {
        receiver.next().await.answer(StatusCode::INTERNAL_SERVER_ERROR);
    }
    until(bridge, "exhausted", types.len());
    id
}

/// Waits until so many are in this state: an answer is stored after it was given.
fn until(bridge: &Serving, state: &str, count: usize) {
    let began = Instant::now();
    while ids(&bridge.json(&["deliveries", "list", "--state", state])).len() != count {
        assert!(began.elapsed() < Duration::from_secs(30), "{count} {state}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_counted_and_then_sent_again_once() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let bridge = bridge(folder.path());
    let id = gave_up(&bridge, &mut receiver, &["refund.created", "refund.created", "invoice.paid"]).await;
    let before = bridge.json(&["deliveries", "list"]);
    let recover = |more: &[&str]| bridge.call(&[&["recover", &id, "--since", "1h"], more].concat());
    assert_eq!(recover(&["--dry-run"]), "3 would be sent again\n");
    assert_eq!(recover(&["--dry-run", "--types", "refund.*"]), "2 would be sent again\n");
    assert_eq!(recover(&["--dry-run", "--until", "2026-01-01T00:00:00Z"]), "0 would be sent again\n");
    assert_eq!(bridge.json(&["deliveries", "list"]), before, "counting changes nothing");
    assert!(receiver.is_empty());

    assert_eq!(recover(&["--types", "refund.*"]), "2 due again\n");
    let mut again = BTreeSet::new();
    for _ in 0..2 {
        let request = receiver.next().await;
        assert_eq!(request.header("webhook-attempt"), "3");
        again.insert(request.header("webhook-id").to_owned());
        request.answer(StatusCode::OK);
    }
    assert_eq!(again, ["evt_0", "evt_1"].map(str::to_owned).into());
    until(&bridge, "succeeded", 2);
    let said = recover(&["--json"]);
    assert_eq!(serde_json::from_str::<Value>(&said).unwrap(), json!({ "deliveries": 1, "dry_run": false }));
    let last = receiver.next().await;
    assert_eq!(last.header("webhook-id"), "evt_2");
    // Its schedule begins anew: one failure is not the end again.
    last.answer(StatusCode::INTERNAL_SERVER_ERROR);
    receiver.next().await.answer(StatusCode::OK);
    until(&bridge, "succeeded", 3);
    assert_eq!(recover(&[]), "0 due again\n");
    assert!(receiver.is_empty());
    let unknown = run(bridge.command(&["recover", "we_none", "--since", "1h"]));
    assert_eq!(unknown.code, 3, "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_recovered_at_a_rate_comes_at_that_rate() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let bridge = bridge(folder.path());
    let id = gave_up(&bridge, &mut receiver, &["invoice.paid"; 4]).await;
    let began = Instant::now();
    assert_eq!(bridge.call(&["recover", &id, "--since", "1h", "--rate", "1"]), "4 due again\n");
    let mut came = Vec::new();
    for _ in 0..4 {
        receiver.next().await.answer(StatusCode::OK);
        came.push(began.elapsed());
    }
    // The first at once. A machine may be slow, but nothing comes early.
    assert!(came[1] >= Duration::from_millis(900) && came[3] >= Duration::from_millis(2900), "{came:?}");
    until(&bridge, "succeeded", 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_are_listed_page_by_page_each_once() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let bridge = bridge(folder.path());
    bridge.call(&["endpoints", "create", &receiver.url(), "*"]);
    let mut events: Vec<_> = (0..5).map(|number| format!("evt_{number}")).collect();
    for id in &events {
        bridge.call(&["trigger", "invoice.paid", "--id", id]);
    }
    events.reverse();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let mut asked = vec!["deliveries", "list", "--limit", "2"];
        asked.extend(cursor.iter().flat_map(|cursor: &String| ["--cursor", cursor]));
        let page = bridge.json(&asked);
        let list = page["list"].as_array().unwrap();
        assert!(list.len() <= 2 && seen.len() < events.len(), "{page}");
        seen.extend(list.iter().map(|one| one["event"].as_str().unwrap().to_owned()));
        // A person is told how to go on.
        let shown = bridge.call(&asked);
        let Some(next) = page["next"].as_str() else {
            assert!(!shown.contains("--cursor"), "{shown}");
            break;
        };
        assert_eq!(shown.lines().last().unwrap(), format!("more: --cursor {next}"));
        cursor = Some(next.to_owned());
    }
    assert_eq!(seen, events, "the newest first");
    let odd = run(bridge.command(&["deliveries", "list", "--cursor", "x"]));
    assert_eq!((odd.code, odd.out.as_str()), (3, ""), "{odd:?}");
}

/// Whatever somebody asks to be logged.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_and_no_key_is_logged() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let path = folder.path().join("log");
    let log = std::fs::File::create(&path).unwrap();
    let more = ["--allow-targets", "127.0.0.1/32", "--log", "debug"];
    let bridge = Serving::logging(&folder.path().join("data"), &more, log);
    let made = bridge.json(&["endpoints", "create", &receiver.url(), "*"]);
    bridge.call(&["trigger", "invoice.paid"]);
    let request = receiver.next().await;
    request.answer(StatusCode::OK);
    let rotated = bridge.json(&["endpoints", "rotate", made["id"].as_str().unwrap()]);
    until(&bridge, "succeeded", 1);
    let mut hidden = bridge.keys.clone();
    hidden.extend([&made["secret"], &rotated["secret"]].map(|secret| secret.as_str().unwrap().to_owned()));
    hidden.push(request.header("webhook-signature").to_owned());
    assert_eq!(bridge.stop(), Some(0));
    let log = std::fs::read_to_string(&path).unwrap();
    assert!(log.lines().any(|line| line.contains("DEBUG")), "{log}");
    for secret in hidden {
        assert!(!log.contains(&secret), "{secret} in {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn however_listening_is_told_to_end_its_endpoint_goes() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let bridge = bridge(folder.path());
    for signal in [Signal::TERM, Signal::INT] {
        let url = receiver.url();
        let arguments = ["listen", "--forward-to", &url, "--address", "127.0.0.1:0", "--json"];
        let mut listening = Running::of(bridge.command(&arguments));
        let endpoint: Value = serde_json::from_str(&listening.line()).unwrap();
        assert_eq!(ids(&bridge.json(&["endpoints", "list"])), [endpoint["id"].as_str().unwrap()]);
        bridge.call(&["trigger", "invoice.paid"]);
        receiver.next().await.answer(StatusCode::OK);
        assert_eq!(serde_json::from_str::<Value>(&listening.line()).unwrap()["status"], 200);
        listening.signal(signal);
        assert_eq!(listening.end(), (Some(0), String::new()));
        assert_eq!(bridge.call(&["endpoints", "list"]), "none\n", "{signal:?}");
    }
}
