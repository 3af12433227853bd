//! `trigger`, `endpoints`, `deliveries`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::receiver::{Receiver, verify};
use crate::rig::{Serving, program, run, run_with};

/// A bridge that may call a receiver.
async fn scene() -> (Serving, Receiver, tempfile::TempDir) {
    let (folder, receiver) = (tempfile::tempdir().unwrap(), Receiver::start().await);
    let serving = Serving::start(folder.path(), &["--allow-targets", &receiver.target_text()]);
    (serving, receiver, folder)
}

/// What is after a word on its line.
fn field<'a>(text: &'a str, name: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect(name);
    line.trim()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_triggered_delivered_and_looked_at() {
    let (bridge, mut receiver, _folder) = scene().await;
    let made = bridge.call(&[
        "endpoints",
        "create",
        &receiver.url(),
        "checkout.#",
        "--schedule",
        "1",
        "--ordering",
        "key",
    ]);
    let (id, secret) = (field(&made, "id "), field(&made, "The signing secret, shown once: "));
    assert_eq!(bridge.json(&["endpoints", "get", id])["schedule"], json!([1]));

    let said = bridge.call(&["trigger", "checkout.session.completed", "--key", "cs_7", "--id", "evt_7"]);
    assert!(said.starts_with("evt_7 is stored, to be delivered:\nDELIVERY"), "{said}");
    assert!(said.contains(id) && said.contains("dlv_1_1"), "{said}");
    let request = receiver.next().await;
    request.answer_with(StatusCode::BAD_GATEWAY, http::HeaderMap::new());
    verify(&request, secret);
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!((&body["object_id"], &body["data"]["object"]["id"]), (&json!("cs_7"), &json!("cs_7")));
    assert_eq!(body["data"]["object"]["payment_status"], "paid");
    let again = receiver.next().await;
    assert_eq!((again.header("webhook-id"), again.header("webhook-attempt")), ("evt_7", "2"));
    again.answer(StatusCode::OK);

    // What was answered is stored a moment later.
    let began = std::time::Instant::now();
    while bridge.json(&["deliveries", "get", "dlv_1_1"])["state"] != "succeeded" {
        assert!(began.elapsed() < std::time::Duration::from_secs(30), "the answer is stored");
    }
    let listed =
        bridge.call(&["deliveries", "list", "--endpoint", id, "--since", "1h", "--state", "succeeded"]);
    let rows: Vec<Vec<_>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["DELIVERY", "STATE", "ATTEMPTS", "TYPE", "EVENT", "ENDPOINT", "CREATED"]);
    assert_eq!(rows[1][..6], ["dlv_1_1", "succeeded", "2", "checkout.session.completed", "evt_7", id]);
    let attempts = bridge.call(&["deliveries", "attempts", "dlv_1_1"]);
    let rows: Vec<Vec<_>> = attempts.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((rows[1][0], rows[1][2], rows[1][3]), ("2", "succeeded", "200"));
    assert_eq!((rows[2][0], rows[2][2], rows[2][3]), ("1", "failed", "502"));
    let told = bridge.call(&["deliveries", "explain", "evt_7", "--endpoint", id]);
    assert_eq!((field(&told, "verdict "), field(&told, "reason ")), ("delivered", "succeeded"));

    assert_eq!(bridge.call(&["deliveries", "resend", "dlv_1_1"]), "dlv_1_1 is due\n");
    receiver.next().await.answer(StatusCode::OK);
    let same = bridge.call(&["trigger", "checkout.session.completed", "--key", "cs_7", "--id", "evt_7"]);
    assert_eq!(same, "evt_7 was published before: nothing is sent again\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_listed_changed_paused_tested_rotated_and_deleted() {
    let (bridge, mut receiver, _folder) = scene().await;
    assert_eq!(bridge.call(&["endpoints", "list"]), "none\n");
    let made = bridge.json(&[
        "endpoints",
        "create",
        &receiver.url(),
        "refund.*",
        "shop.sold",
        "--metadata",
        "{\"a\":1}",
    ]);
    let id = made["id"].as_str().unwrap();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));

    let changed =
        bridge.call(&["endpoints", "update", id, "--description", "ours", "--events", "refund.*", "*"]);
    assert_eq!(
        (field(&changed, "enabled_events "), field(&changed, "description ")),
        ("refund.*, *", "ours")
    );
    assert_eq!(bridge.call(&["endpoints", "pause", id]), format!("{id} is paused\n"));
    let listed = bridge.call(&["endpoints", "list", "--limit", "1"]);
    let rows: Vec<Vec<_>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1][..3], [id, "paused", receiver.url().as_str()]);
    assert_eq!(listed.lines().last().unwrap(), format!("more: --cursor {id}"));
    assert_eq!(bridge.call(&["endpoints", "resume", id]), format!("{id} is enabled\n"));

    let rotated = bridge.call(&["endpoints", "rotate", id, "--overlap", "0"]);
    let secret = field(&rotated, "The signing secret, shown once: ");
    let tested = bridge.call(&["endpoints", "test", id]);
    let request = receiver.next().await;
    request.answer(StatusCode::OK);
    verify(&request, secret);
    assert_eq!(request.header("webhook-id"), field(&tested, "event "));
    let counted = bridge.call(&["recover", id, "--since", "1d", "--dry-run"]);
    assert_eq!(counted, "0 would be sent again\n");
    assert_eq!(bridge.call(&["endpoints", "delete", id]), format!("{id} is deleted\n"));
    assert_eq!(run(bridge.command(&["endpoints", "get", id])).code, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_comes_from_the_line_a_file_or_standard_input() {
    let (bridge, mut receiver, folder) = scene().await;
    bridge.call(&["endpoints", "create", &receiver.url(), "*"]);
    let file = folder.path().join("object.json");
    std::fs::write(&file, r#"{"id":"o_2"}"#).unwrap();
    let file = format!("@{}", file.display());
    for (data, id) in [(r#"{"id":"o_1"}"#, "o_1"), (&file, "o_2"), ("-", "o_3")] {
        let said = run_with(bridge.command(&["trigger", "shop.sold", "--data", data]), r#"{"id":"o_3"}"#);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(said.errors, "note: shop.sold is in no catalogue; it is published as custom's\n");
        let request = receiver.next().await;
        request.answer(StatusCode::OK);
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!((&body["object_id"], &body["source"]), (&json!(id), &json!("custom")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_to_fail_has_its_exit_code_and_its_reason() {
    let (bridge, _receiver, _folder) = scene().await;
    let refused = run(bridge.command(&["endpoints", "create", "http://10.0.0.1/", "*"]));
    assert_eq!(refused.code, 3);
    assert!(
        refused.errors.starts_with("webhook-bridge: Invalid: url: ") && refused.out.is_empty(),
        "{refused:?}"
    );
    for (arguments, detail) in [
        (&["deliveries", "get", "dlv_9_9"][..], "Not found: there is no such delivery"),
        (&["trigger", "not a type"], "Invalid: type"),
        (&["endpoints", "list", "--api-key", "whb_test_x"], "Unauthorized: "),
        (&["endpoints", "get", "../events"], "Not found: there is no such endpoint"),
    ] {
        let said = run(bridge.command(arguments));
        assert_eq!(said.code, 3, "{said:?}");
        assert!(
            said.errors.lines().last().unwrap().starts_with(&format!("webhook-bridge: {detail}")),
            "{said:?}"
        );
    }
    for arguments in [
        &["endpoints"][..],
        &["endpoints", "update", "we_1"],
        &["endpoints", "create", "http://example.com/"],
        &["endpoints", "create", "http://example.com/", "*", "--metadata", "[]"],
        &["deliveries", "list", "--endpoint", "we_1", "--since", "yesterday"],
        &["trigger", "a.b", "--data", "{"],
        &["trigger", "a.b", "--data", "@/nowhere"],
        &["trigger", "a.b", "--api-key", "whb_live_x"],
        &["endpoints", "list", "--url", "ftp://example.com"],
        &["endpoints", "list", "--url", "example"],
    ] {
        let said = run(bridge.command(arguments));
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{arguments:?}: {said:?}");
    }
    let nobody = run(program(&["endpoints", "list", "--url", &bridge.url]));
    assert_eq!(nobody.code, 2);
    assert!(nobody.errors.contains("WEBHOOK_BRIDGE_KEY"), "{nobody:?}");
    let unreachable = run(program(&["endpoints", "list", "--api-key", "k", "--url", "http://127.0.0.1:1"]));
    let expected =
        "webhook-bridge: http://127.0.0.1:1/: no bridge was reached: Connection refused (os error 111)\n";
    assert_eq!((unreachable.code, unreachable.errors.as_str()), (4, expected));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_server_is_not_taken_for_a_bridge() {
    let mut other = Receiver::start().await;
    let url = other.url();
    let url = url.strip_suffix("/hooks?of=shop").unwrap().to_owned();
    let said = tokio::task::spawn_blocking({
        let url = url.clone();
        move || run(program(&["endpoints", "list", "--api-key", "k", "--url", &url]))
    });
    other.next().await.answer(StatusCode::NOT_FOUND);
    let said = said.await.unwrap();
    assert_eq!(said.code, 1);
    assert_eq!(said.errors, format!("webhook-bridge: {url}/: 404 Not Found, and no answer of a bridge\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_all_keys_makes_another_beside_the_bridge() {
    let (bridge, _receiver, folder) = scene().await;
    let make = |more: &[&str]| {
        let mut command = program(&[&["keys", "create"], more].concat());
        command.env("WEBHOOK_BRIDGE_DATA", folder.path());
        run(command)
    };
    for (more, mode) in [(vec!["--name", "mine"], "test"), (vec!["--live"], "live")] {
        let made = make(&more);
        assert_eq!((made.code, made.errors.as_str()), (0, ""));
        let key = field(&made.out, "export WEBHOOK_BRIDGE_KEY=");
        assert!(key.starts_with(&format!("whb_{mode}_")));
        let listed = run({
            let mut command = bridge.command(&["endpoints", "list"]);
            command.env("WEBHOOK_BRIDGE_KEY", key);
            command
        });
        assert_eq!((listed.code, listed.out.as_str()), (0, "none\n"), "{listed:?}");
    }
    let nowhere = run(program(&["keys", "create", "--data", "/nowhere"]));
    assert_eq!(nowhere.code, 1);
    assert!(nowhere.errors.contains("there is no store"), "{nowhere:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_in_the_folder_of_the_store_is_told_as_json_too() {
    let (bridge, receiver, folder) = scene().await;
    bridge.call(&["endpoints", "create", &receiver.url(), "*"]);
    let data = folder.path().to_str().unwrap();
    let told = |arguments: &[&str]| -> Value {
        let said = run(program(&[arguments, &["--json", "--data", data]].concat()));
        assert_eq!(said.code, 0, "{said:?}");
        serde_json::from_str(&said.out).unwrap()
    };
    let copy = folder.path().join("copy.sqlite").to_str().unwrap().to_owned();
    assert_eq!(told(&["backup", &copy]), json!({ "file": copy }));
    let key = told(&["keys", "create", "--live", "--name", "mine"]);
    assert_eq!((&key["livemode"], &key["name"]), (&json!(true), &json!("mine")));
    let mut command = bridge.command(&["endpoints", "list"]);
    command.env("WEBHOOK_BRIDGE_KEY", key["key"].as_str().unwrap());
    assert_eq!(run(command).out, "none\n", "it is a key of the live mode");
    assert_eq!(bridge.stop(), Some(0));
    assert_eq!(told(&["rewrap"]), json!({ "secrets": 1 }));
}
