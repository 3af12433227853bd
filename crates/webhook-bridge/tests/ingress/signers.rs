//! What libraries of others sign is believed: they share no code with the verifiers.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use http::StatusCode;
use serde_json::{Map, Value, json};
use webhook_bridge::Config;
use webhook_bridge::ingress::Source;

use crate::rig::{Headers, Rig, SECRET, now};

const BODY: &str = r#"{"id":"evt_1","object":"event","created":1767514235,"livemode":false,"type":"invoice.paid","data":{"object":{"id":"ü","name":"\u00fc \ud83d\ude00 \"\\\n\u2028</x>","n":1.50}}}"#;

fn sources() -> Vec<Source> {
    let standard = json!({ "scheme": "standard", "secrets": [SECRET], "mode": "test" });
    let stripe = json!({ "scheme": "stripe", "secrets": [SECRET] });
    Source::parse(&json!({ "standard": standard, "stripe": stripe }).to_string()).unwrap()
}

/// The headers that a program makes.
fn signed(command: &mut Command, body: &str) -> Headers {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("run `tests/brokers`");
    let wish = json!({ "secret": SECRET, "id": "msg_1", "at": now(), "body": body });
    child.stdin.take().unwrap().write_all(wish.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "its errors are above");
    let headers: Map<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
    let text = |(name, value): (String, Value)| {
        let name: &'static str = Box::leak(name.into_boxed_str());
        (name, value.as_str().unwrap().to_owned())
    };
    headers.into_iter().map(text).collect()
}

fn node(scheme: &str, package: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(script("sign.js")).arg(scheme).arg(installed(package));
    command
}

fn python() -> Command {
    let mut command = Command::new(installed("standardwebhooks-py").join("bin/python"));
    command.arg(script("sign.py"));
    command
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ingress").join(name)
}

/// Where `tests/brokers` installed it.
fn installed(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    assert!(folder.exists(), "{name} is not installed: run `tests/brokers`");
    folder
}

#[tokio::test]
async fn what_libraries_of_others_sign_is_believed_and_nothing_else() {
    for (mut signer, path) in [
        (node("standard", "standardwebhooks-js"), "/in/standard"),
        (python(), "/in/standard"),
        (node("stripe", "stripe-js"), "/in/stripe"),
    ] {
        let mut rig = Rig::with(Config::new(), sources()).await;
        let headers = signed(&mut signer, BODY);
        for tampered in [BODY.replace("1.50", "1.60"), format!("{BODY}\n"), BODY.replace("\\u00fc", "ü")] {
            assert_eq!(rig.status(path, &headers, tampered).await, StatusCode::UNAUTHORIZED, "{signer:?}");
        }
        assert_eq!(rig.status(path, &headers, BODY).await, StatusCode::OK, "{signer:?}");
        assert_eq!(rig.next().await.event_type().as_str(), "invoice.paid");
        rig.nothing_else().await;
        rig.stop().await;
    }
}
