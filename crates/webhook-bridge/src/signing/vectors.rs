//! What providers and their libraries publish, and what was recomputed with a second implementation: each is believed, and
//! nothing that differs from it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use eventbus::{Source, Timestamp};
use http::{HeaderMap, HeaderName, Method};
use serde_json::Value;

use super::arrival::{Key, Trust};
use super::{Arrival, Refusal, Rule, Scheme};
use crate::model::Secret;

/// Blocklet Server's, of the event with which its format is tested too.
const EVENT: &str = r#"{"type":"application/json","object":{"id":"sub_1","n":1.5},"previous_attributes":{},"$eventName":"customer.subscription.renewed","$sender":{"did":"zNKX7f2ojJWbzMfMuzwGnVZJccjP28T3DN7L","pk":"0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a","url":"https://example.com","name":"Demo"}}"#;

const B: &str = r#"{"id":"evt_1","type":"payment.paid","data":{"amount":"12.50","currency":"EUR"}}"#;

struct Vector {
    scheme: &'static str,
    key: Key,
    /// Seconds since 1970.
    now: i64,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
    rule: Option<Rule>,
}

impl Vector {
    fn verify(&self, now: i64, body: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        let trust = Trust { rule: self.rule.clone(), ..trust("shop", self.key.clone()) };
        let body = Bytes::copy_from_slice(body.as_bytes());
        let now = Timestamp::from_millis(now * 1000);
        let arrival = Arrival { method: &Method::POST, path: "/hooks", query: "", headers, body: &body, now };
        Scheme::find(self.scheme).unwrap().verify(&arrival, &trust)
    }

    fn headers(&self) -> HeaderMap {
        let pair =
            |&(name, value): &(&'static str, &str)| (HeaderName::from_static(name), value.parse().unwrap());
        self.headers.iter().map(pair).collect()
    }
}

/// What is believed of a source with this key.
pub(super) fn trust(source: &str, key: Key) -> Trust {
    Trust {
        keys: vec![key],
        window: Duration::from_secs(300),
        mode: None,
        source: Source::new(source.to_owned()).unwrap(),
        zone: Default::default(),
        rule: None,
    }
}

/// Of any length: published secrets are shorter than those that are taken.
fn hmac(secret: &str) -> Key {
    Key::Hmac(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes()))
}

fn checked(scheme: &str, secret: &str) -> Key {
    Scheme::find(scheme).unwrap().key(&Secret::new(secret)).unwrap()
}

fn rule(json: &str) -> Option<Rule> {
    let mut rule: Value = serde_json::from_str(json).unwrap();
    rule["id"] = "body:id".into();
    rule["type"] = "body:type".into();
    let rule: Rule = serde_json::from_value(rule).unwrap();
    rule.check().unwrap();
    Some(rule)
}

fn standard(
    secret: &str,
    (id, now): (&'static str, i64),
    body: &'static str,
    signature: &'static str,
) -> Vector {
    let time: &'static str = Box::leak(now.to_string().into_boxed_str());
    let headers = vec![("webhook-id", id), ("webhook-timestamp", time), ("webhook-signature", signature)];
    Vector { scheme: "standard", key: checked("standard", secret), now, headers, body, rule: None }
}

fn by_hmac(secret: &str, header: (&'static str, &'static str), body: &'static str, json: &str) -> Vector {
    Vector { scheme: "hmac", key: hmac(secret), now: 0, headers: vec![header], body, rule: rule(json) }
}

fn vectors() -> Vec<Vector> {
    standards().into_iter().chain(stamped()).chain(configured()).collect()
}

fn standards() -> Vec<Vector> {
    let message = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
    let pair = "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    let public = format!("whpk_{}", STANDARD.encode(&STANDARD.decode(pair).unwrap()[32..]));
    let v1a = || {
        let signature =
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
        standard(&public, message, r#"{"test": 2432232314}"#, signature)
    };
    let alone =
        |secret: &str| Vector { scheme: "standard-v1a", key: checked("standard-v1a", secret), ..v1a() };
    let first = ("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553);
    vec![
        standard(
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            first,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        standard(
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            message,
            r#"{"test": 2432232314}"#,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        v1a(),
        alone(&public),
        alone(&format!("whsk_{pair}")),
    ]
}

fn stamped() -> Vec<Vector> {
    vec![
        Vector {
            scheme: "blocklet",
            key: checked("blocklet", &"a".repeat(64)),
            now: 1_767_225_600,
            headers: vec![(
                "x-webhook-signature",
                "t=1767225600,v1=99a10c0122a87ab34688caafc4a8a1f98bb5967cb5359d2facb464f0aa06666a",
            )],
            body: EVENT,
            rule: None,
        },
        Vector {
            scheme: "stripe",
            key: checked("stripe", "whsec_test_secret"),
            now: 1_700_000_000,
            headers: vec![(
                "stripe-signature",
                "t=1700000000,v1=2be75277a98a855a2e4b0c0e456105b6412249c7ef84e21dde6e74fc0f047573",
            )],
            body: B,
            rule: None,
        },
        Vector {
            scheme: "gstable",
            key: hmac("wkk_test_123456"),
            now: 1_767_514_235,
            headers: vec![
                ("x-gstable-timestamp", "1767514235000"),
                ("x-gstable-signature", "1b5a58b99f16c4c50f8f886a7490b13a18c72c2368255b485572808514cffe0c"),
            ],
            body: r#"{"eventId":"evt_001","type":"ping"}"#,
            rule: None,
        },
    ]
}

fn configured() -> Vec<Vector> {
    vec![
        by_hmac(
            "It's a Secret to Everybody",
            (
                "x-hub-signature-256",
                "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            ),
            "Hello, World!",
            r#"{"header": "X-Hub-Signature-256", "prefix": "sha256="}"#,
        ),
        by_hmac(
            "sq_test_key",
            ("x-square-hmacsha256-signature", "qCLPdap/CBjZkYzaqvsZKLms0+D88ClBu0JS3D2gfTc="),
            B,
            r#"{"header": "x-square-hmacsha256-signature", "encoding": "base64", "signed": "{url}{body}",
                "url": "https://example.com/hooks/square"}"#,
        ),
        by_hmac(
            "shpss_test",
            ("x-shopify-hmac-sha256", "UyS4jBoJlXppkNm8OEz0T8hxnSIa/deBYDzI/P0chmI="),
            B,
            r#"{"header": "x-shopify-hmac-sha256", "encoding": "base64"}"#,
        ),
    ]
}

#[test]
fn published_vectors_are_believed_for_as_long_as_they_are_fresh() {
    for vector in vectors() {
        let headers = vector.headers();
        for later in [-300, 0, 300] {
            assert_eq!(
                vector.verify(vector.now + later, vector.body, &headers),
                Ok(()),
                "{:?}",
                vector.headers
            );
        }
        for later in [-301, 301] {
            let timeless = vector.scheme == "hmac";
            let expected = if timeless { Ok(()) } else { Err(Refusal::Stale) };
            assert_eq!(vector.verify(vector.now + later, vector.body, &headers), expected);
        }
    }
}

#[test]
fn what_differs_from_a_published_vector_is_not_believed() {
    for vector in vectors() {
        let headers = vector.headers();
        for body in [format!("{} ", vector.body), vector.body[1..].to_owned(), String::new()] {
            assert_eq!(vector.verify(vector.now, &body, &headers), Err(Refusal::Forged), "{body}");
        }
        for &(name, value) in &vector.headers {
            let mut without = headers.clone();
            without.remove(name);
            assert_eq!(vector.verify(vector.now, vector.body, &without), Err(Refusal::Unsigned), "{name}");
            for at in 0..value.len() {
                let mut bytes = value.as_bytes().to_vec();
                bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
                // The last character of base64 has bits that say nothing; one that is not in hex or base64 says nothing at all.
                let mut changed = headers.clone();
                changed.insert(name, http::HeaderValue::from_bytes(&bytes).unwrap());
                assert!(vector.verify(vector.now, vector.body, &changed).is_err(), "{name} at {at}");
            }
        }
        let other = Vector { key: hmac("another secret, long enough"), ..vector };
        assert_eq!(other.verify(other.now, other.body, &headers), Err(Refusal::Forged));
    }
}

/// Whoever was given the public key, to verify, must not be able to sign with it.
#[test]
fn a_public_key_is_no_secret_of_an_hmac() {
    let body = r#"{"test": 2432232314}"#;
    let bytes = [7; 32];
    let public = STANDARD.encode(bytes);
    for secret in [&bytes[..], public.as_bytes(), format!("whpk_{public}").as_bytes()] {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        let tag = STANDARD.encode(ring::hmac::sign(&key, format!("msg_1.1614265330.{body}").as_bytes()));
        for (scheme, version) in
            [("standard", "v1"), ("standard", "v1a"), ("standard-v1a", "v1"), ("standard-v1a", "v1a")]
        {
            let signature = format!("{version},{tag}").leak();
            let message = ("msg_1", 1_614_265_330);
            let shared = standard(&format!("whsec_{public}"), message, body, signature);
            let vector = Vector { scheme, key: checked(scheme, &format!("whpk_{public}")), ..shared };
            assert_eq!(vector.verify(vector.now, body, &vector.headers()), Err(Refusal::Forged), "{scheme}");
        }
    }
}

/// Made by Payment Kit's signer; see `app_key`, where each of its variations is judged as `verifySig` judges it.
#[test]
fn payment_kits_own_vectors_are_believed_and_their_numbers_mean_what_is_signed() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("app_key/vectors.json")).unwrap();
    let posted =
        vectors.iter().filter(|vector| vector["wire_body"].as_str().is_some_and(|body| !body.is_empty()));
    let mut count = 0;
    for vector in posted {
        count += 1;
        let text = |name: &str| vector[name].as_str().unwrap();
        let headers: HeaderMap = vector["headers"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| {
                (name.parse::<HeaderName>().unwrap(), value.as_str().unwrap().parse().unwrap())
            })
            .collect();
        let (path, query) = text("wire_path").split_once('?').unwrap_or((text("wire_path"), ""));
        let public = "0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
        let trust = trust("payment-kit", checked("payment-kit", public));
        let method: Method = text("method").parse().unwrap();
        let verify = |body: String, seconds: i64| {
            let (body, now) = (Bytes::from(body), Timestamp::from_millis(seconds * 1000));
            let arrival = Arrival { method: &method, path, query, headers: &headers, body: &body, now };
            Scheme::find("payment-kit").unwrap().verify(&arrival, &trust)
        };
        let signed = 1_767_225_600;
        for at in [signed - 300, signed, signed + 300] {
            assert_eq!(verify(text("wire_body").to_owned(), at), Ok(()));
        }
        for at in [signed - 301, signed + 301] {
            assert_eq!(verify(text("wire_body").to_owned(), at), Err(Refusal::Stale));
        }
        assert_eq!(verify(format!("{} ", text("wire_body")), signed), Ok(()), "white space is not signed");
        assert_eq!(verify(text("wire_body").replace("active", "Active"), signed), Err(Refusal::Forged));
    }
    assert!(count > 0);
}
