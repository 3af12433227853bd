//! Blocklet Server's webhooks over HTTP: each event once, whatever comes beside it.

use bytes::Bytes;
use http::StatusCode;
use webhook_bridge::Config;
use webhook_bridge::ingress::{Source, SourceConfig};

use crate::rig::{Headers, Rig, hex, now, tag};

pub(crate) const SECRET: &str = "5f7c1b3d9e8a42c6b0d1f2e3a4958677c8b9dae1f0a1b2c3d4e5f60718293a4b";
const HEADER: &str = "x-webhook-signature";

/// As Blocklet Server sends it, of a payment in the test mode.
const BODY: &str = r#"{"type":"application/json","object":{"id":"in_1","livemode":false,"amount":"12.50","updated_at":"2026-01-04T08:10:35.000Z"},"previous_attributes":{"status":"open"},"$eventName":"invoice.paid","$sender":{"did":"z1","pk":"0xab","url":"https://example.com","name":"Läden"}}"#;

async fn rig() -> Rig {
    let source = SourceConfig::new("blocklet", SECRET).event_source("payment-kit");
    Rig::with(Config::new(), vec![Source::new("blocklets", source).unwrap()]).await
}

fn signature(at: u64, body: impl AsRef<str>) -> String {
    hex(tag(SECRET.as_bytes(), &format!("{at}.{}", body.as_ref())))
}

fn with(header: impl Into<String>) -> Headers {
    vec![(HEADER, header.into())]
}

fn signed(at: u64, body: &str) -> Headers {
    with(format!("t={at},v1={}", signature(at, body)))
}

/// Requests that are not believed, each with why.
fn unbelieved() -> Vec<(&'static str, &'static str, Headers, Bytes)> {
    let at = now();
    let right = signature(at, BODY);
    let body = Bytes::from_static(BODY.as_bytes());
    let mut rows: Vec<(&'static str, &'static str, Headers, Bytes)> = Vec::new();
    let mut row = |why, reason, headers: Headers| rows.push((why, reason, headers, body.clone()));
    row("no header", "unsigned", Vec::new());
    row("another's header", "unsigned", vec![("stripe-signature", format!("t={at},v1={right}"))]);
    row("the header twice", "malformed", [signed(at, BODY), signed(at, BODY)].concat());
    row("an empty header", "malformed", with(""));
    row("the bare HMAC of the body", "malformed", with(hex(tag(SECRET.as_bytes(), BODY))));
    row("no time", "malformed", with(format!("v1={right}")));
    row("two times", "malformed", with(format!("t={at},t={at},v1={right}")));
    for time in ["", "-1", "+1", "1.5", "1e9", "0x10", "9007199254740993", "99999999999999999999", "nan"] {
        row("a time that is no number", "malformed", with(format!("t={time},v1={right}")));
    }
    for (why, time) in
        [("too long ago", at - 301), ("in the future", at + 310), ("in milliseconds", at * 1000)]
    {
        row(why, "stale", signed(time, BODY));
    }
    row("another time than was signed", "forged", with(format!("t={},v1={right}", at - 1)));
    for version in ["v0", "v2", "V1", "v1 ", "v", ""] {
        row("no v1", "unsigned", with(format!("t={at},{version}={right}")));
    }
    row("semicolons", "malformed", with(format!("t={at};v1={right}")));
    let other = hex(tag(b"another secret, of the same length as the one that it should be.", BODY));
    for wrong in
        [&right[..62], &format!("{right}00"), &right.replace('a', "g"), "", "=", &"0".repeat(64), &other]
    {
        row("another signature", "forged", with(format!("t={at},v1={wrong}")));
    }
    row("too many signatures", "malformed", with(format!("t={at},{}v1={right}", "v1=00,".repeat(16))));
    let good = signed(at, BODY);
    let spaced = BODY.replace("\":", "\": ");
    let cut = &BODY[..BODY.len() - 1];
    for tampered in [
        &BODY.replace("12.50", "99.50"),
        &BODY.replace("paid", "void"),
        &format!("{BODY}\n"),
        &spaced,
        cut,
        "",
    ] {
        rows.push(("another body", "forged", good.clone(), tampered.to_owned().into()));
    }
    let latin: Vec<u8> = BODY.chars().map(|one| u8::try_from(one).unwrap()).collect();
    let wide: Vec<u8> = BODY.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for encoded in [latin, wide] {
        rows.push(("another encoding", "forged", good.clone(), encoded.into()));
    }
    rows
}

#[tokio::test]
async fn what_blocklet_server_did_not_sign_is_401_and_not_published() {
    let mut rig = rig().await;
    let mut reasons = std::collections::BTreeMap::new();
    for (why, reason, headers, body) in unbelieved() {
        let status = rig.status("/in/blocklets", &headers, body).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{why}: {headers:?}");
        *reasons.entry(reason).or_insert(0) += 1;
    }
    for (reason, expected) in reasons {
        assert_eq!(rig.count(reason).await, expected, "{reason}");
    }
    rig.nothing_else().await;
    rig.stop().await;
}

#[tokio::test]
async fn an_event_is_published_once_however_often_it_is_tried_or_replayed() {
    let mut rig = rig().await;
    let first = signed(now() - 20, BODY);
    assert_eq!(rig.status("/in/blocklets", &first, BODY).await, StatusCode::OK);
    let event = rig.next().await;
    assert_eq!((event.source().as_str(), event.event_type().as_str()), ("payment-kit", "invoice.paid"));
    assert_eq!((event.key().unwrap().as_str(), event.livemode()), ("in_1", false));

    let at = now();
    let capitals = with(format!("t={at},v1=00, v1={}", signature(at, BODY).to_uppercase()));
    let named = [signed(at, BODY), vec![("webhook-id", "evt_other".to_owned())]].concat();
    for again in [first, signed(now() - 10, BODY), capitals, named] {
        assert_eq!(rig.status("/in/blocklets", &again, BODY).await, StatusCode::OK, "{again:?}");
    }
    let next = BODY.replace("08:10:35", "08:10:36");
    assert_eq!(rig.status("/in/blocklets", &signed(now(), &next), next).await, StatusCode::OK);
    assert_ne!(rig.next().await.id(), event.id(), "it was updated since");
    rig.nothing_else().await;
    assert_eq!((rig.count("published").await, rig.count("known").await), (2, 4));
    rig.stop().await;
}

#[tokio::test]
async fn what_is_signed_and_does_not_say_what_happened_or_in_which_mode_is_422() {
    let mut rig = rig().await;
    let bodies = [
        BODY.replace("$eventName", "eventName"),
        BODY.replace("\"invoice.paid\"", "7"),
        BODY.replace("invoice.paid", "not a type"),
        BODY.replace("\"livemode\":false,", ""),
        BODY.replace("\"livemode\":false", "\"livemode\":\"false\""),
        BODY.replace("\"id\":", "\"id\":1,\"id\":"),
        "null".to_owned(),
    ];
    for body in &bodies {
        let status = rig.status("/in/blocklets", &signed(now(), body), body.clone()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    assert_eq!(rig.count("event").await, bodies.len() as u64);
    rig.nothing_else().await;
    rig.stop().await;
}
