//! What others sign is believed: libraries of providers where there are any, else their rule written again in two languages.
//! They share no code with the verifiers.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use http::StatusCode;
use serde_json::{Map, Value, json};
use webhook_bridge::Config;
use webhook_bridge::ingress::Source;

use crate::blocklet;
use crate::rig::{Headers, Rig, SECRET, now};

const BODY: &str = r#"{"id":"evt_1","object":"event","created":1767514235,"livemode":false,"type":"invoice.paid","data":{"object":{"id":"ü","name":"\u00fc \ud83d\ude00 \"\\\n\u2028</x>","n":1.50}}}"#;
/// Its event in Payment Kit's form. What is signed is what JavaScript reads in it, so escapes and order may differ.
const PAYMENT_KIT: &str = r#"{"id":"evt_1","object":"event","type":"invoice.paid","api_version":"2023-09-05","livemode":false,"object_id":"ü","object_type":"Invoice","data":{"object":{"id":"ü","name":"\u00fc \ud83d\ude00 \"\\\n\u2028</x>","n":1.50,"b":{"\ufb33":1,"\ud83d\ude00":[1e21,-0.0,{}]}}},"request":{"id":"","idempotency_key":"","requested_by":"system"},"pending_webhooks":1,"created_at":"2026-01-01T00:00:00.000Z"}"#;
const GSTABLE: &str = r#"{"eventId":"evt_1","eventType":"session.paid","businessType":"session","occurrence":"2026-01-04 08:10:35","isSubscribable":true,"payload":{"sessionData":{"sessionId":"sess_1","amount":12500000,"clientCode":"\u00fc ü"},"transaction":null}}"#;

/// As Blocklet Server writes it: JavaScript's own way.
const BLOCKLET: &str =
    r#"{"object":{"id":"ü","name":"ü 😀 \"\\\n</x>","n":1.5},"$eventName":"invoice.paid"}"#;

/// RFC 8032's first key, and another.
const PAIR: &str =
    "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";
const OTHER_PAIR: &str =
    "whsk_TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs9QBfD6EOJWpK3CqdNG368nJgszy7ElozAzVXxKvRmDA==";
const PUBLIC: &str = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
/// Keys of applications, as `BLOCKLET_APP_SK` has them: the first two of RFC 8032.
const APP_SK: &str = "0x9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const OTHER_SK: &str = "0x4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
const OTHER: &str = "whsec_b3RoZXIgdGhhbiB0aGUgb25lIG9mIHRoZSB0ZXN0";
const WKK: &str = "wkk_test_12345678";

/// Somebody who signs, and what they sign.
struct Signer {
    program: Command,
    path: &'static str,
    body: &'static str,
    /// Theirs, and one that is not.
    secrets: [&'static str; 2],
    /// Other bodies than the one that was signed.
    tampered: Vec<String>,
}

impl Signer {
    /// Who signs the bytes of a body: each spelling of it is another.
    fn of_bytes(program: Command, (scheme, secrets): (&str, [&'static str; 2])) -> Self {
        let (body, path) = match scheme {
            "blocklet" => (BLOCKLET, "/in/blocklet"),
            "stripe" => (BODY, "/in/stripe"),
            "standard-v1a" => (BODY, "/in/standard-v1a"),
            _ => (BODY, "/in/standard"),
        };
        let respelled = [body.replace("\\u00fc", "ü"), body.replace('ü', "\\u00fc")];
        let tampered = [body.replace("1.5", "1.6"), format!("{body}\n")].into_iter().chain(respelled);
        let tampered = tampered.filter(|other| other != body).collect();
        Self { program, path, body, secrets, tampered }
    }

    fn gstable(program: Command) -> Self {
        let tampered = vec![
            GSTABLE.replace("12500000", "12500001"),
            format!(" {GSTABLE}"),
            GSTABLE.replace("\\u00fc", "ü"),
            GSTABLE.replace("session.paid", "session.completed"),
        ];
        let secrets = [WKK, "wkk_test_12345679"];
        Self { program, path: "/in/gstable", body: GSTABLE, secrets, tampered }
    }

    fn payment_kit(path: &'static str) -> Self {
        let tampered = vec![
            PAYMENT_KIT.replace("1.50", "1.60"),
            PAYMENT_KIT.replace("invoice.paid", "refund.created"),
            PAYMENT_KIT.replace("\"livemode\":false", "\"livemode\":true"),
            PAYMENT_KIT.replace("[1e21,-0.0,{}]", "[-0.0,1e21,{}]"),
            PAYMENT_KIT.replacen('{', "{\"more\":0,", 1),
        ];
        let (program, secrets) = (node("payment-kit", "payment-js"), [APP_SK, OTHER_SK]);
        Self { program, path, body: PAYMENT_KIT, secrets, tampered }
    }

    /// The headers that the program makes.
    fn signed(&mut self, secret: &str) -> Headers {
        let command = self.program.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("run `tests/brokers`");
        let wish =
            json!({ "secret": secret, "id": "msg_1", "at": now(), "path": self.path, "body": self.body });
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

fn sources() -> Vec<Source> {
    let sources = json!({
        "standard": { "scheme": "standard", "secrets": [SECRET], "mode": "test" },
        "standard-v1a": { "scheme": "standard-v1a", "secrets": [PUBLIC], "mode": "test" },
        "blocklet": { "scheme": "blocklet", "secrets": [blocklet::SECRET], "mode": "test" },
        "stripe": { "scheme": "stripe", "secrets": [SECRET] },
        "gstable": { "scheme": "gstable", "secrets": [WKK], "zone": "+08:00" },
        // All that a receiver needs to know is the public half.
        "payment-kit": { "scheme": "payment-kit", "secrets": [format!("0x{}", &APP_SK[66..])] },
        "own": { "scheme": "payment-kit", "secrets": [APP_SK] },
    });
    Source::parse(&sources.to_string()).unwrap()
}

/// What is signed is published, once; nothing else is.
async fn is_believed_and_nothing_else(mut signer: Signer) -> eventbus::AnyEvent {
    let mut rig = Rig::with(Config::new(), sources()).await;
    let [headers, forged] = signer.secrets.map(|secret| signer.signed(secret));
    let (path, body) = (signer.path, signer.body);
    for tampered in &signer.tampered {
        assert_ne!(tampered, body);
        assert_eq!(
            rig.status(path, &headers, tampered.clone()).await,
            StatusCode::UNAUTHORIZED,
            "{tampered}"
        );
    }
    assert_eq!(rig.status(path, &forged, body).await, StatusCode::UNAUTHORIZED, "another key's");
    // Nobody verifies what its version says.
    for (missing, _) in headers.iter().filter(|(name, _)| *name != "x-component-sig-version") {
        let rest = headers.iter().filter(|(name, _)| name != missing).cloned().collect();
        assert_eq!(rig.status(path, &rest, body).await, StatusCode::UNAUTHORIZED, "without {missing}");
    }
    for (name, value) in &headers {
        // A signature of something else is none of this, nor is another's time.
        let of_other = forged.iter().find(|(other, _)| other == name).unwrap().1.clone();
        if of_other == *value {
            continue;
        }
        let mixed =
            headers.iter().map(|one| if one.0 == *name { (*name, of_other.clone()) } else { one.clone() });
        assert_eq!(
            rig.status(path, &mixed.collect(), body).await,
            StatusCode::UNAUTHORIZED,
            "{name} of another"
        );
    }
    assert_eq!(rig.count("published").await, 0);
    for _ in 0..2 {
        assert_eq!(rig.status(path, &headers, body).await, StatusCode::OK, "{:?}", signer.program);
    }
    let event = rig.next().await;
    rig.nothing_else().await;
    assert_eq!((rig.count("published").await, rig.count("known").await), (1, 1));
    rig.stop().await;
    event
}

#[tokio::test]
async fn what_others_sign_is_believed_and_nothing_else() {
    let standard = ("standard", [SECRET, OTHER]);
    let pair = ("standard-v1a", [PAIR, OTHER_PAIR]);
    let server = ("blocklet", [blocklet::SECRET, OTHER]);
    for (program, of) in [
        (node("standard", "standardwebhooks-js"), standard),
        (python("standard"), standard),
        (python("standard-v1a"), pair),
        (node("stripe", "stripe-js"), ("stripe", [SECRET, OTHER])),
        (node("blocklet", "stripe-js"), server),
        (python("blocklet"), server),
    ] {
        let event = is_believed_and_nothing_else(Signer::of_bytes(program, of)).await;
        assert_eq!(event.event_type().as_str(), "invoice.paid");
    }
}

#[tokio::test]
async fn what_payment_kits_own_signer_signs_is_believed_and_nothing_else() {
    for path in ["/in/payment-kit", "/in/own", "/in/payment-kit?tenant=a%20b&list[]=1&list[]=2"] {
        let event = is_believed_and_nothing_else(Signer::payment_kit(path)).await;
        assert_eq!(event.to_json().unwrap(), PAYMENT_KIT, "byte for byte");
        assert_eq!((event.source().as_str(), event.livemode()), ("payment-kit", false));
    }
}

/// The path and the query are signed too.
#[tokio::test]
async fn what_payment_kit_signed_for_one_source_is_of_no_use_at_another() {
    let mut rig = Rig::with(Config::new(), sources()).await;
    let headers = Signer::payment_kit("/in/own").signed(APP_SK);
    for path in ["/in/payment-kit", "/in/own?a=b", "/in/own/", "/in/none"] {
        let status = rig.status(path, &headers, PAYMENT_KIT).await;
        assert!(status.is_client_error(), "{path}: {status}");
    }
    rig.nothing_else().await;
    assert_eq!(rig.status("/in/own", &headers, PAYMENT_KIT).await, StatusCode::OK);
    rig.stop().await;
}

#[tokio::test]
async fn what_is_signed_by_gstables_rule_is_believed_and_nothing_else() {
    for program in [node("gstable", "standardwebhooks-js"), python("gstable")] {
        let event = is_believed_and_nothing_else(Signer::gstable(program)).await;
        assert_eq!((event.source().as_str(), event.event_type().as_str()), ("gstable", "session.paid"));
        assert_eq!(event.time().to_string(), "2026-01-04T00:10:35.000Z");
    }
}
