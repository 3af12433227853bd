//! Payment Kit's component signature: what `verifySig` of `@blocklet/sdk` accepts.
//!
//! Ed25519 over the SHA3-256 of RFC 8785's canonical JSON of `{iat, exp, body, query, method, url}`; see
//! `lib/util/verify-sign.js` of `@blocklet/sdk` 1.17. The receiver signs what it parsed, so what it parses differently
//! from us is refused when the endpoint is made. Only the newest secret signs: there is one header.

use eventbus::AnyEvent;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::Serialize;
use serde_json::{Map, Value};
use sha3::{Digest as _, Sha3_256};
use url::Url;

use super::app_key::{AppKey, Call};
use super::arrival::{Arrival, Key, Livemode, Refusal, Scheme, Trust, seconds};
use super::query::{TAKEN, parse};
use super::{Delivery, Format, Needs, Rendered, Signs, hex, unhex, unusable};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Secret;

/// For receivers that were written for Payment Kit.
pub(super) const COMPONENT: Format = Format {
    name: "payment-kit",
    description: "Payment Kit's component signature: Ed25519, secret as BLOCKLET_APP_SK",
    needs: Needs::Nothing,
    signs: Signs::Newest,
    secret: |random| {
        let pair = Ed25519KeyPair::from_seed_unchecked(random).map_err(|_| unusable())?;
        Ok(format!("0x{}{}", hex(random), hex(pair.public_key().as_ref())))
    },
    check: |secret| match pair(secret) {
        Some(_) => Ok(()),
        None => Err(Error::invalid("secret: must be 0x, a seed and its public key, 128 hex digits")),
    },
    target,
    render,
};

/// Payment Kit's own webhooks.
pub(super) const FROM_PAYMENT_KIT: Scheme = Scheme {
    name: "payment-kit",
    description: "Payment Kit: its component signature, with the public key of the application, or BLOCKLET_APP_SK",
    source: Some(eventbus::payment_kit::SOURCE),
    livemode: Livemode::Body,
    key: |secret| {
        AppKey::parse(secret.reveal()).map(Key::App).map_err(|rule| Error::invalid(format!("secret: {rule}")))
    },
    verify,
    read,
};

/// How long a signature is good for, in seconds.
const VALID: i64 = 300;

/// What is signed; the canonical form sorts it.
#[derive(Serialize)]
struct Signed<'a> {
    iat: i64,
    exp: i64,
    body: &'a Value,
    query: Map<String, Value>,
    method: &'static str,
    url: &'a str,
}

/// Seed and public key of `BLOCKLET_APP_SK`, if they belong together.
fn pair(secret: &Secret) -> Option<Ed25519KeyPair> {
    let bytes = unhex(secret.reveal().strip_prefix("0x")?.as_bytes())?;
    let (seed, public) = bytes.split_at_checked(32)?;
    Ed25519KeyPair::from_seed_and_public_key(seed, public).ok()
}

/// Refuses URLs of which the receiver's parser makes something else: it nests brackets, gathers keys that repeat, and
/// drops those of its language's objects.
fn target(url: &Url) -> Result<()> {
    let invalid =
        |rule: &str| Err(Error::invalid(format!("url: a payment-kit signature cannot cover {rule}")));
    if url.path().starts_with("//") {
        return invalid("a path that begins with //");
    }
    // What is signed for such a path could be handed to a bridge as a call of the application's.
    if url.path().trim_end_matches('/').ends_with("/api/webhook-endpoints") {
        return invalid("Payment Kit's own API of endpoints");
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let mut seen = Map::new();
    for (name, _) in url.query_pairs() {
        let odd = name.is_empty() || !name.bytes().all(plain) || name.starts_with("__");
        if odd || TAKEN.contains(&&*name) || seen.insert(name.into_owned(), Value::Null).is_some() {
            return invalid("query names other than letters, digits, - and _, each once");
        }
    }
    // Escapes that are no UTF-8 stay as they are in one language, and are replaced in the other.
    match parse(url.query().unwrap_or_default()) {
        Ok(read) if read == query(url) => Ok(()),
        _ => invalid(
            "a query that its receiver reads as another: escapes that are no UTF-8, or over 1000 names",
        ),
    }
}

/// The query as it is signed.
fn query(url: &Url) -> Map<String, Value> {
    url.query_pairs().map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect()
}

fn render(delivery: &Delivery<'_>) -> Result<Rendered> {
    let pair = pair(delivery.secrets.first().ok_or_else(unusable)?).ok_or_else(unusable)?;
    let body = delivery.payload.body.clone();
    let parsed = serde_json::from_slice(&body)
        .map_err(|cause| Error::new(ErrorKind::Internal, "the body is no JSON").with_source(cause))?;
    let (iat, exp) = (delivery.seconds(), delivery.seconds() + VALID);
    let digest = Sha3_256::digest(canonical(delivery.url, &parsed, iat)?);
    let headers = vec![
        ("x-component-sig", format!("0x{}", hex(pair.sign(&digest).as_ref()))),
        ("x-component-sig-iat", iat.to_string()),
        ("x-component-sig-exp", exp.to_string()),
        ("x-component-sig-version", "1".to_owned()),
    ];
    Ok(Rendered { headers, body })
}

/// The text that is hashed.
fn canonical(url: &Url, body: &Value, iat: i64) -> Result<Vec<u8>> {
    let signed = Signed { iat, exp: iat + VALID, body, query: query(url), method: "post", url: url.path() };
    serde_json_canonicalizer::to_vec(&signed)
        .map_err(|cause| Error::new(ErrorKind::Internal, "the body has no canonical form").with_source(cause))
}

/// As `verifySig`, and stricter where that believes the sender: whatever `exp` says, `iat` has to be within the window; and
/// since what is signed is not the bytes but what JavaScript reads in them, no number may say more than it reads.
fn verify(arrival: &Arrival<'_>, trust: &Trust) -> Result<(), Refusal> {
    trust.fresh(seconds(arrival.header("x-component-sig-iat")?)?, arrival.now)?;
    for name in ["x-component-sig", "x-component-sig-exp"] {
        arrival.header(name)?;
    }
    let query = parse(arrival.query).map_err(|_| Refusal::Malformed)?;
    let body: Value = serde_json::from_slice(arrival.body).map_err(|_| Refusal::Malformed)?;
    if !plain_numbers(arrival.body) {
        return Err(Refusal::Malformed);
    }
    let call = Call {
        method: arrival.method,
        path: arrival.path,
        query: &query,
        body: &body,
        headers: arrival.headers,
        now: arrival.now.as_millis().div_euclid(1000),
    };
    let by = |key: &Key| matches!(key, Key::App(key) if key.verify(&call).is_ok());
    if trust.keys.iter().fold(false, |found, key| found | by(key)) { Ok(()) } else { Err(Refusal::Forged) }
}

fn read(arrival: &Arrival<'_>, _: &Trust) -> Result<AnyEvent> {
    Ok(AnyEvent::from_json(arrival.body.clone())?)
}

/// Whether each number of a document is one that JavaScript reads as it is written: others could be changed without a change
/// of the signature.
fn plain_numbers(json: &[u8]) -> bool {
    let (mut rest, mut quoted) = (json, false);
    while let Some(&byte) = rest.first() {
        let length = match byte {
            b'\\' if quoted => 2,
            b'"' => {
                quoted = !quoted;
                1
            }
            b'-' | b'0'..=b'9' if !quoted => {
                let end =
                    rest.iter().position(|byte| !b"+-.eE0123456789".contains(byte)).unwrap_or(rest.len());
                if !is_plain(&rest[..end]) {
                    return false;
                }
                end
            }
            _ => 1,
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    true
}

/// Up to 15 digits are always kept; more of them where they are the canonical ones.
fn is_plain(number: &[u8]) -> bool {
    const KEPT: usize = 15;
    let mantissa = number.split(|byte| b"eE".contains(byte)).next().unwrap_or_default();
    let digits: Vec<_> =
        mantissa.iter().filter(|byte| byte.is_ascii_digit()).skip_while(|byte| **byte == b'0').collect();
    let canonical = || {
        let value: f64 = serde_json::from_slice(number).ok()?;
        serde_json_canonicalizer::to_vec(&value).ok()
    };
    digits.len() <= KEPT || canonical().is_some_and(|text| text == number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Payload;

    const KEY: &str = "0x9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    fn signature(url: &str, body: &'static str) -> Vec<(&'static str, String)> {
        let payload = Payload { event_id: "evt_1".into(), event_type: "a.b".into(), body: body.into() };
        let delivery = Delivery {
            url: &url.parse().unwrap(),
            id: "evt_1",
            now: eventbus::Timestamp::from_millis(1_767_225_600_000),
            payload: &payload,
            secrets: &[Secret::new(KEY)],
            application: None,
        };
        COMPONENT.check(&delivery.secrets[0]).unwrap();
        COMPONENT.render(&delivery).unwrap().headers
    }

    /// Made by the real signer, accepted by the real `verifySig`.
    #[test]
    fn a_delivery_is_signed_as_payment_kit_signs_it() {
        let body = include_str!("component/event.json");
        let headers = signature("https://shop.example/api/payment/callback", body.trim_end());
        assert_eq!(
            headers,
            [
                (
                    "x-component-sig",
                    "0xa6582f88e4c6899c13b3d894fee30bca2437621547dc754daa95c68c9b4c1faeb1abe5d260508d6a26c81365208423f786b2dd86cbef9154e2375c32eb315b08".to_owned()
                ),
                ("x-component-sig-iat", "1767225600".to_owned()),
                ("x-component-sig-exp", "1767225900".to_owned()),
                ("x-component-sig-version", "1".to_owned()),
            ]
        );
    }

    #[test]
    fn numbers_and_keys_are_canonical_as_in_the_receivers_language() {
        let body = serde_json::from_str(
            r#"{"b":1.0,"a":-0.0,"c":1e21,"d":12345678901234567890,"\ud83d\ude00":0,"\ufb33":1}"#,
        );
        let text =
            canonical(&"https://a.example/x%20y?q=1&p=a+b".parse().unwrap(), &body.unwrap(), 1).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "{\"body\":{\"a\":0,\"b\":1,\"c\":1e+21,\"d\":12345678901234567000,\"\u{1f600}\":0,\"\u{fb33}\":1},\"exp\":301,\"iat\":1,\"method\":\"post\",\"query\":{\"p\":\"a b\",\"q\":\"1\"},\"url\":\"/x%20y\"}"
        );
    }

    #[test]
    fn urls_that_the_receiver_reads_differently_are_refused() {
        let many: String = (0..=1000).map(|name| format!("&q{name}=1")).collect();
        for url in ["//x", "/?a[b]=1", "/?a=1&a=2", "/?=1", "/?__proto__=1", "/?toString=1", "/?a.b=1"]
            .into_iter()
            .chain(["/?q=%C1%A9", "/?q=a%20%zz", &format!("/?{many}")])
        {
            assert!(target(&format!("https://a.example{url}").parse().unwrap()).is_err(), "{url}");
        }
        for url in ["", "/", "/x?a=1&b=%C3%A9+%20&c&&d=%25zz"] {
            target(&format!("https://a.example{url}").parse().unwrap()).unwrap();
        }
    }

    #[test]
    fn a_number_that_is_read_as_another_is_not_plain() {
        for text in [
            "0",
            "-1.50",
            "123456789012345",
            "0.1",
            "9007199254740991",
            "0.30000000000000004",
            "1e3",
            r#""12345678901234567891""#,
            r#"{"a\\":[1,"\"99999999999999999999"]}"#,
        ] {
            assert!(plain_numbers(text.as_bytes()), "{text}");
        }
        for text in [
            "12345678901234567891",
            "[9007199254740993]",
            r#"{"a":"b","c":0.1000000000000000055}"#,
            "1.00000000000000001",
        ] {
            assert!(!plain_numbers(text.as_bytes()), "{text}");
        }
    }
}
