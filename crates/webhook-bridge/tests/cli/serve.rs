//! `serve`: starts with nothing, is configured by file, environment and flags, and says what is wrong with them.

use serde_json::{Value, json};

use crate::bus::Running;
use crate::rig::{Serving, logged, program, run};

#[test]
fn it_starts_with_nothing_and_prints_its_keys_once_to_be_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let first = Serving::start(&folder.path().join("made"), &[]);
    assert!(first.keys[0].starts_with("whb_test_") && first.keys[1].starts_with("whb_live_"));
    let expected = format!(
        "export WEBHOOK_BRIDGE_KEY={}  # API key for test events; shown once\n\
         # export WEBHOOK_BRIDGE_KEY={}  # API key for live events: whoever gets one takes it for money; shown once\n\
         export WEBHOOK_BRIDGE_URL={}\n\
         webhook-bridge listens on {}\n",
        first.keys[0], first.keys[1], first.url, first.url
    );
    assert_eq!(first.printed, expected);
    assert_eq!(first.stop(), Some(0));
    let second = Serving::start(&folder.path().join("made"), &[]);
    let expected =
        format!("export WEBHOOK_BRIDGE_URL={}\nwebhook-bridge listens on {}\n", second.url, second.url);
    assert_eq!(second.printed, expected);
}

#[test]
fn a_program_is_told_where_it_listens_and_its_keys_on_one_line_of_json() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = program(&["serve", "--json", "--listen", "127.0.0.1:0", "--log", "warn", "--data"]);
        command.arg(folder.path());
        let mut serving = Running::of(command);
        let told: Value = serde_json::from_str(&serving.line()).unwrap();
        let command = |mode: &str| {
            let mut command = program(&["endpoints", "list"]);
            let key = told["keys"][mode].as_str().unwrap_or_default();
            command.env("WEBHOOK_BRIDGE_URL", told["url"].as_str().unwrap()).env("WEBHOOK_BRIDGE_KEY", key);
            run(command)
        };
        let answers = ["test", "live"].map(command).map(|said| (said.code, said.out));
        serving.interrupt();
        assert_eq!(serving.end(), (Some(0), String::new()), "nothing else");
        (told, answers)
    };
    let (told, answers) = start();
    assert!(told["keys"]["test"].as_str().unwrap().starts_with("whb_test_"), "{told}");
    assert!(told["keys"]["live"].as_str().unwrap().starts_with("whb_live_"), "{told}");
    assert_eq!(answers, [(0, "none\n".to_owned()), (0, "none\n".to_owned())]);
    assert_eq!(start().0["keys"], json!({}), "they are shown once");
}

#[test]
fn flags_win_over_variables_and_those_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bridge.toml");
    let text = "listen = \"256.0.0.1:0\"\nlog = \"info\"\n";
    std::fs::write(&file, text).unwrap();
    let data = folder.path().join("data");
    let mut command = program(&["serve", "--config"]);
    command.arg(&file).arg("--data").arg(&data);
    let said = run(command);
    let expected = format!(
        "webhook-bridge: {}, line 1: listen: must be an address such as 127.0.0.1:8440\n",
        file.display()
    );
    assert_eq!((said.code, said.errors), (2, expected));

    std::fs::write(&file, text.replace("256.0.0.1:0", "127.0.0.1:0")).unwrap();
    let mut command = program(&["serve"]);
    command.env("WEBHOOK_BRIDGE_CONFIG", &file).env("WEBHOOK_BRIDGE_LISTEN", "nowhere");
    let said = run(command);
    assert!(said.errors.starts_with("webhook-bridge: WEBHOOK_BRIDGE_LISTEN: must be"), "{said:?}");
    let said = run(program(&["serve", "--drain-seconds", "none"]));
    assert!(said.errors.starts_with("webhook-bridge: --drain-seconds: must be"), "{said:?}");
    let mut command = program(&["serve"]);
    command.env("WEBHOOK_BRIDGE_LISTNE", "");
    assert!(
        run(command).errors.starts_with("webhook-bridge: WEBHOOK_BRIDGE_LISTNE: there is no such setting")
    );
}

#[test]
fn the_log_is_text_or_json() {
    let folder = tempfile::tempdir().unwrap();
    let text = logged(folder.path(), &[]);
    assert!(text.contains("the bridge stops") && !text.starts_with('{'), "{text}");
    assert_eq!(logged(folder.path(), &["--log", "warn"]), "");
    let json = logged(folder.path(), &["--log-format", "json"]);
    assert!(!json.is_empty());
    for line in json.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(line["level"].is_string(), "{line}");
    }
}

#[test]
fn what_keeps_it_from_starting_is_said_with_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    let bridge = Serving::start(&folder.path().join("first"), &[]);
    let address = bridge.url.strip_prefix("http://").unwrap();
    let mut command = program(&["serve", "--listen", address, "--data"]);
    command.arg(folder.path().join("second"));
    let said = run(command);
    let expected =
        format!("webhook-bridge: {address}: cannot listen there: Address already in use (os error 98)\n");
    assert_eq!((said.code, said.errors), (1, expected));

    let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(folder.path().join("first"));
    let said = run(command);
    assert_eq!(said.code, 1);
    assert!(said.errors.contains("another bridge"), "{said:?}");
}
