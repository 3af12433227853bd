//! What others sign is believed, with their own libraries where they have one: they share no code with the verifiers.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use http::StatusCode;
use serde_json::{Map, Value, json};
use webhook_bridge::Config;
use webhook_bridge::ingress::Source;

use crate::blocklet;
use crate::rig::{Headers, Rig, SECRET, now};

/// RFC 8032's first key.
const PAIR: &str =
    "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";
const PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

const BODY: &str = r#"{"id":"evt_1","object":"event","created":1767514235,"livemode":false,"type":"invoice.paid","data":{"object":{"id":"ü","name":"\u00fc \ud83d\ude00 \"\\\n\u2028</x>","n":1.50}}}"#;

fn sources() -> Vec<Source> {
    let standard = json!({ "scheme": "standard", "secrets": [SECRET], "mode": "test" });
    let stripe = json!({ "scheme": "stripe", "secrets": [SECRET] });
    let v1a = json!({ "scheme": "standard-v1a", "secrets": [PUBLIC], "mode": "test" });
    let server = json!({ "scheme": "blocklet", "secrets": [blocklet::SECRET], "mode": "test" });
    let all = json!({ "standard": standard, "standard-v1a": v1a, "stripe": stripe, "blocklet": server });
    Source::parse(&all.to_string()).unwrap()
}

/// As Blocklet Server writes it: JavaScript's own way.
const BLOCKLET: &str =
    r#"{"object":{"id":"ü","name":"ü 😀 \"\\\n</x>","n":1.5},"$eventName":"invoice.paid"}"#;

/// The headers that a program makes.
fn signed(command: &mut Command, (secret, body): (&str, &str)) -> Headers {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("run `tests/brokers`");
    let wish = json!({ "secret": secret, "id": "msg_1", "at": now(), "body": body });
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

fn python(scheme: &str) -> Command {
    let mut command = Command::new(installed("standardwebhooks-py").join("bin/python"));
    command.arg(script("sign.py")).arg(scheme);
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
async fn what_others_sign_is_believed_and_nothing_else() {
    for (mut signer, scheme, secret, body) in [
        (node("standard", "standardwebhooks-js"), "standard", SECRET, BODY),
        (python("standard"), "standard", SECRET, BODY),
        (python("standard-v1a"), "standard-v1a", PAIR, BODY),
        (node("stripe", "stripe-js"), "stripe", SECRET, BODY),
        (node("blocklet", "stripe-js"), "blocklet", blocklet::SECRET, BLOCKLET),
        (python("blocklet"), "blocklet", blocklet::SECRET, BLOCKLET),
    ] {
        let (mut rig, path) = (Rig::with(Config::new(), sources()).await, format!("/in/{scheme}"));
        let headers = signed(&mut signer, (secret, body));
        let respelled = [body.replace("\\u00fc", "ü"), body.replace('ü', "\\u00fc")];
        let tampered = [body.replace("1.5", "1.6"), format!("{body}\n")].into_iter().chain(respelled);
        for other in tampered.filter(|other| other != body) {
            assert_eq!(rig.status(&path, &headers, other).await, StatusCode::UNAUTHORIZED, "{signer:?}");
        }
        assert_eq!(rig.status(&path, &headers, body).await, StatusCode::OK, "{signer:?}");
        assert_eq!(rig.next().await.event_type().as_str(), "invoice.paid");
        rig.nothing_else().await;
        rig.stop().await;
    }
}
