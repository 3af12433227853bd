//! Webhooks of others: headers, bodies and configurations, for every scheme.
//!
//! The input is a request: a line with the path and query, lines of headers, an empty line, the body.

use bytes::Bytes;
use eventbus::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use webhook_bridge::ingress::{Source, SourceConfig};
use webhook_bridge::model::Mode;
use webhook_bridge::signing::Arrival;

/// The public half of RFC 8032's first test key.
const PUBLIC: &str = "0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const NOW: i64 = 1_767_225_600;
/// Slack's, which signs a template.
const TEMPLATE: &str = r#"{"slack": {"scheme": "hmac", "secrets": ["0123456789abcdef"], "mode": "test", "hmac": {
    "header": "x-signature", "prefix": "v0=", "signed": "v0:{timestamp}:{body}", "timestamp": "x-timestamp",
    "id": "body:id", "type": "header:x-type"}}}"#;

/// Nothing panics, and nothing is believed, for nobody has the secrets.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let (target, lines) = head.split_once('\n').unwrap_or((head, ""));
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (headers, body) = (headers(lines), Bytes::copy_from_slice(body.as_bytes()));
    let now = Timestamp::from_millis(NOW * 1000);
    let arrival = Arrival { method: &Method::POST, path, query, headers: &headers, body: &body, now };
    for source in sources() {
        assert!(source.verify(&arrival).is_err(), "{}", source.name());
    }
    let _ = Source::parse(&text);
}

fn sources() -> Vec<Source> {
    let config = |scheme: &str, secret: &str| SourceConfig::new(scheme, secret).mode(Mode::Live);
    let made = [
        config("payment-kit", PUBLIC),
        config("blocklet", &"a".repeat(64)),
        config("gstable", "wkk_0123456789abcdef"),
        config("standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        config("standard-v1a", "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
        config("stripe", "whsec_0123456789abcdef"),
    ];
    let made = made.into_iter().map(|config| Source::new("fuzz", config).expect("it is right"));
    made.chain(Source::parse(TEMPLATE).expect("it is right")).collect()
}

fn headers(lines: &str) -> HeaderMap {
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.trim().parse::<HeaderName>().ok()?, HeaderValue::from_str(value.trim()).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.lines().filter_map(pair) {
        headers.append(name, value);
    }
    headers
}
