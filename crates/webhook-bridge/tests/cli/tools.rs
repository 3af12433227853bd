//! `listen`, `events`, `recover`, `completions`: what the page does not show.

use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::bus::Running;
use crate::receiver::{Receiver, verify};
use crate::redis::free_port;
use crate::rig::{Said, Serving, program, run, run_with};

pub(crate) fn says(arguments: &[&str], input: &str) -> Said {
    run_with(program(arguments), input)
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_come_to_a_program_byte_for_byte_and_its_answer_goes_back() {
    let (folder, mut target, port) = (tempfile::tempdir().unwrap(), Receiver::start().await, free_port());
    let bridge = Serving::start(folder.path(), &["--allow-targets", &format!("127.0.0.1/32:{port}")]);
    let address = format!("127.0.0.1:{port}");
    let forward =
        ["listen", "--forward-to", &target.url(), "--address", &address, "--json", "--events", "shop.*,a.b"];
    let mut listen = Running::of(bridge.command(&forward));
    let endpoint: Value = serde_json::from_str(&listen.line()).unwrap();
    assert_eq!(endpoint["enabled_events"], json!(["shop.*", "a.b"]));

    bridge.call(&["trigger", "shop.sold", "--id", "evt_1"]);
    let request = target.next().await;
    verify(&request, endpoint["secret"].as_str().unwrap());
    assert_eq!(
        (request.header("webhook-id"), request.header("host")),
        ("evt_1", &*format!("127.0.0.1:{}", target.port()))
    );
    let mut later = HeaderMap::new();
    later.insert("retry-after", "86400".parse().unwrap());
    request.answer_with(StatusCode::SERVICE_UNAVAILABLE, later);
    let line: Value = serde_json::from_str(&listen.line()).unwrap();
    assert_eq!(
        (&line["id"], &line["type"], &line["status"]),
        (&json!("evt_1"), &json!("shop.sold"), &json!(503))
    );

    let listed = bridge.json(&["endpoints", "list"]);
    assert_eq!(listed["list"].as_array().unwrap().len(), 1);
    listen.interrupt();
    assert_eq!(listen.end().0, Some(0));
    assert_eq!(bridge.call(&["endpoints", "list"]), "none\n", "nothing is left behind");
    let attempts = bridge.json(&["deliveries", "attempts", "dlv_1_1"]);
    assert_eq!(attempts["list"][0]["response_status"], json!(503));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_that_may_not_call_here_is_said_how_it_may() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = Serving::start(folder.path(), &[]);
    let port = free_port();
    let address = format!("127.0.0.1:{port}");
    let forward = ["listen", "--forward-to", "http://localhost:3000", "--address", &address];
    let said = run(bridge.command(&forward));
    assert_eq!((said.code, said.out.as_str()), (3, ""));
    assert!(said.errors.contains(&format!("serve --allow-targets 127.0.0.1/32:{port}")), "{said:?}");
    let far = run(bridge.command(&[&forward[..], &["--url", "http://192.0.2.1"]].concat()));
    assert_eq!(far.code, 2);
    assert!(far.errors.contains("--public-url"), "{far:?}");
    let wrong = run(bridge.command(&["listen", "--forward-to", "localhost:3000"]));
    assert_eq!(wrong.code, 2, "{wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_every_type_is_made_up_published_and_delivered_also_in_gstables_envelope() {
    let (folder, mut receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let bridge = Serving::start(folder.path(), &["--allow-targets", &receiver.target_text()]);
    let listed: Value = serde_json::from_str(&says(&["events", "list", "--json"], "").out).unwrap();
    let list = listed["list"].as_array().unwrap();
    let stable = list.iter().filter(|one| one["source"] == "gstable").count();
    assert!(list.len() - stable >= 214 && stable == 19, "{stable} of {}", list.len());
    bridge.call(&["endpoints", "create", &receiver.url(), "*", "--signature", "gstable"]);
    let mut events = String::new();
    for one in list {
        let (event_type, source) = (one["type"].as_str().unwrap(), one["source"].as_str().unwrap());
        let made = says(&["events", "show", event_type, "--source", source, "--event", "--json"], "");
        assert_eq!((made.code, made.errors.as_str()), (0, ""));
        events += &made.out;
    }
    let said = run_with(bridge.command(&["publish"]), &events);
    assert_eq!((said.code, said.out.lines().count()), (0, list.len()), "{said:?}");
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..stable {
        let request = receiver.next().await;
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        seen.insert(body["eventType"].as_str().or(body["type"].as_str()).unwrap_or_default().to_owned());
        request.answer(StatusCode::OK);
    }
    assert_eq!(seen.len(), stable, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_missed_is_counted_and_sent_however_many_pages_it_is() {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let bridge = Serving::start(folder.path(), &["--allow-targets", &receiver.target_text()]);
    let event = says(&["events", "show", "refund.created", "--event", "--json", "--id", "evt_1"], "").out;
    let events: String = (0..1200).map(|one| event.replace("evt_1", &format!("evt_{one}"))).collect();
    assert_eq!(run_with(bridge.command(&["publish"]), &events).out.lines().count(), 1200);
    let made = bridge.json(&["endpoints", "create", &receiver.url(), "*"]);
    let id = made["id"].as_str().unwrap();
    bridge.call(&["endpoints", "pause", id]);
    let recover = |more: &[&str]| bridge.call(&[&["recover", id, "--since", "1h"], more].concat());
    assert_eq!(recover(&["--dry-run"]), "0 would be sent again\n", "nothing was given up");
    assert_eq!(recover(&["--replay", "--types", "invoice.*", "--dry-run"]), "0 would be sent again\n");
    assert_eq!(recover(&["--replay", "--dry-run"]), "1200 would be sent again\n");
    assert_eq!(recover(&["--replay", "--json"]), "{\"deliveries\":1200,\"dry_run\":false}\n");
    assert_eq!(recover(&["--replay"]), "0 due again\n", "each is owed once");
}

#[test]
fn what_is_wrong_is_said_part_by_part() {
    let said = run(program(&["doctor", "--url", "http://127.0.0.1:1", "--bus", "redis://127.0.0.1:1"]));
    assert_eq!((said.code, said.errors.as_str()), (1, "webhook-bridge: 2 things are wrong\n"), "{said:?}");
    let parts: Vec<Vec<_>> = said.out.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
    let expected = [["bridge", "bad"], ["key", "skipped"], ["broker", "bad"], ["store", "skipped"]];
    assert_eq!(parts[1..], expected);
    let refused = run(program(&["doctor", "url", "http://[fd00::1]:6379/", "--json"]));
    let judged: Value = serde_json::from_str(&refused.out).unwrap();
    assert_eq!((refused.code, &judged["addresses"][0]["rule"]), (3, &json!("not global unicast IPv6")));
}

#[test]
fn shells_are_told_of_every_command_and_no_one_else_of_a_colour() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let said = run(program(&["completions", shell]));
        assert!(said.code == 0 && said.out.contains("forward-to"), "{shell}");
    }
    let on_terminal = |name: &str, value: &str| {
        let built = env!("CARGO_BIN_EXE_webhook-bridge");
        let mut command = std::process::Command::new("script");
        command.args(["-qec", &format!("{built} events list refund.created"), "/dev/null"]).env(name, value);
        run(command).out
    };
    assert!(on_terminal("TERM", "xterm").contains("\u{1b}[1mTYPE"));
    assert!(!on_terminal("NO_COLOR", "1").contains('\u{1b}'));
    assert!(!run(program(&["events", "list"])).out.contains('\u{1b}'));
}
