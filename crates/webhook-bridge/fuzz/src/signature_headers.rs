//! Signed requests to us, and what parses signatures, keys and queries.
//!
//! The input is a request: a line with the path and query, lines of headers, an empty line, the body.

use eventbus::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::Value;
use url::Url;
use webhook_bridge::model::{Payload, Secret};
use webhook_bridge::signing::{AppKey, Call, Delivery, FORMATS, Format, parse_query, webhook_id};

/// RFC 8032's first test key.
const KEY: &str = "0x9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const NOW: i64 = 1_767_225_600;

/// Nothing panics, whatever is signed by us is verified by us, and nothing else is.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let (target, lines) = head.split_once('\n').unwrap_or((head, ""));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parsed = parse_query(query);
    if let Ok(parsed) = &parsed {
        assert!(leaves(parsed.values()) <= query.split('&').count(), "no more than was asked");
    }
    keys(head);
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let parsed = parsed.unwrap_or_default();
    let call =
        Call { method: &Method::POST, path, query: &parsed, body: &body, headers: &headers(lines), now: NOW };
    // Whoever has the secret may have signed it; nobody else has.
    let key = AppKey::parse(KEY).expect("it is a key");
    let _ = key.verify(&call);
    ours(&key, target, &body);
}

/// Strings for which there are parsers of secrets, keys and ids.
fn keys(text: &str) {
    for line in text.lines() {
        let _ = AppKey::parse(line);
        let secret = Secret::new(line);
        assert_eq!(format!("{secret:?}"), "Secret(…)", "hidden");
        for format in FORMATS {
            let _ = format.check(&secret);
        }
        let payload = Payload { event_id: line.to_owned(), event_type: "a.b".into(), body: "{}".into() };
        let id = webhook_id(&payload);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-:".contains(&byte);
        assert!(id.len() <= 128 && id.bytes().all(plain), "an id with a dot could move what is signed");
    }
}

/// What we sign for a URL, we verify; with another body, we do not.
fn ours(key: &AppKey, target: &str, body: &Value) {
    let Ok(url) = Url::parse("https://a.example/").expect("it is a URL").join(target) else { return };
    let format = Format::find("payment-kit").expect("there is this format");
    if url.host_str() != Some("a.example") || format.target(&url).is_err() || !body.is_object() {
        return;
    }
    let text = body.to_string();
    let payload = Payload { event_id: "e".into(), event_type: "a.b".into(), body: text.into() };
    let secrets = [Secret::new(KEY)];
    let now = Timestamp::from_millis(NOW * 1000);
    let delivery =
        Delivery { url: &url, id: "e", now, payload: &payload, secrets: &secrets, application: None };
    let Ok(rendered) = format.render(&delivery) else { return };
    let value = |text: &String| HeaderValue::from_str(text).expect("it is a header");
    let signed = rendered.headers.iter().map(|(name, text)| (HeaderName::from_static(name), value(text)));
    let headers: HeaderMap = signed.collect();
    let Ok(query) = parse_query(url.query().unwrap_or_default()) else {
        panic!("a URL was admitted whose query is not read: {url}")
    };
    let call =
        Call { method: &Method::POST, path: url.path(), query: &query, body, headers: &headers, now: NOW };
    key.verify(&call).expect("what we sign, we verify");
    let other = serde_json::json!({ "other": body });
    assert!(key.verify(&Call { body: &other, ..call }).is_err(), "another body");
    assert!(key.verify(&Call { now: NOW + 301, ..call }).is_err(), "later");
}

fn headers(lines: &str) -> HeaderMap {
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    };
    lines.lines().filter_map(pair).collect()
}

fn leaves<'a>(values: impl Iterator<Item = &'a Value>) -> usize {
    values.map(leaf).sum()
}

fn leaf(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(list) => leaves(list.iter()),
        Value::Object(map) => leaves(map.values()),
        other => panic!("a leaf that is no string: {other}"),
    }
}
