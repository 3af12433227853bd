//! Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature` over `id.timestamp.body`.
//!
//! By the specification at standardwebhooks.com: `v1` is HMAC-SHA256 in base64, keyed by what `whsec_` precedes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eventbus::AnyEvent;
use eventbus::json::{Json, JsonMap};
use ring::hmac;

use super::arrival::{
    Arrival, Draft, Key, Livemode, Refusal, Scheme, Trust, candidates, from_base64, hmac_key, members,
    seconds, take,
};
use super::{Delivery, Format, Needs, Rendered, Signs, any_target, unusable};
use crate::error::{Error, Result};
use crate::model::Secret;

/// The default format.
pub(super) const V1: Format = Format {
    name: "standard",
    description: "Standard Webhooks v1: HMAC-SHA256, `whsec_` secrets",
    needs: Needs::Nothing,
    signs: Signs::All,
    secret: |random| Ok(format!("{PREFIX}{}", STANDARD.encode(random))),
    check,
    target: any_target,
    render,
};

/// Who signs by Standard Webhooks, with either version; Svix' own names of the headers too.
pub(super) const STANDARD_WEBHOOKS: Scheme = Scheme {
    name: "standard",
    description: "Standard Webhooks: `webhook-signature`, with the secret `whsec_…` or the public key `whpk_…`",
    source: None,
    livemode: Livemode::Configured,
    key: verifying,
    verify,
    read,
};

const PREFIX: &str = "whsec_";
/// What precedes a public key.
const PUBLIC: &str = "whpk_";
/// The shortest and the longest key of the specification, in bytes.
const KEY: std::ops::RangeInclusive<usize> = 24..=64;

fn check(secret: &Secret) -> Result<()> {
    match key(secret) {
        Some(key) if KEY.contains(&key.len()) => Ok(()),
        _ => Err(Error::invalid("secret: must be whsec_ and 24 to 64 bytes in base64")),
    }
}

fn key(secret: &Secret) -> Option<Vec<u8>> {
    STANDARD.decode(secret.reveal().strip_prefix(PREFIX)?).ok()
}

fn render(delivery: &Delivery<'_>) -> Result<Rendered> {
    rendered(delivery, |secret, message| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key(secret).ok_or_else(unusable)?);
        Ok(format!("v1,{}", STANDARD.encode(sign(&key, message))))
    })
}

/// What is signed, in its parts.
pub(super) struct Message<'a> {
    pub(super) head: &'a str,
    pub(super) body: &'a [u8],
}

/// A request with a signature by each secret.
pub(super) fn rendered(
    delivery: &Delivery<'_>,
    sign: impl Fn(&Secret, &Message<'_>) -> Result<String>,
) -> Result<Rendered> {
    let (body, timestamp) = (delivery.payload.body.clone(), delivery.seconds().to_string());
    let head = format!("{}.{timestamp}.", delivery.id);
    let message = Message { head: &head, body: &body };
    let signatures =
        delivery.secrets.iter().map(|secret| sign(secret, &message)).collect::<Result<Vec<_>>>()?;
    let headers = vec![
        ("webhook-id", delivery.id.to_owned()),
        ("webhook-timestamp", timestamp),
        ("webhook-signature", signatures.join(" ")),
    ];
    Ok(Rendered { headers, body })
}

fn sign(key: &hmac::Key, message: &Message<'_>) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(message.head.as_bytes());
    context.update(message.body);
    context.sign()
}

/// Secrets are also handed out without their prefix.
fn verifying(secret: &Secret) -> Result<Key> {
    let invalid = || Error::invalid("secret: must be whsec_ or whpk_ and base64");
    let text = secret.reveal();
    if text.starts_with(PUBLIC) {
        return public(secret).map(Key::Ed25519).ok_or_else(invalid);
    }
    hmac_key(&STANDARD.decode(text.strip_prefix(PREFIX).unwrap_or(text)).map_err(|_| invalid())?)
}

/// A public key, if it is one.
pub(super) fn public(secret: &Secret) -> Option<[u8; 32]> {
    STANDARD.decode(secret.reveal().strip_prefix(PUBLIC)?).ok()?.try_into().ok()
}

pub(super) fn verify(arrival: &Arrival<'_>, trust: &Trust) -> Result<(), Refusal> {
    let [id, time, signature] = names(arrival);
    let (id, time) = (arrival.header(id)?, arrival.header(time)?);
    // One with a dot could move what is signed from one part into the next.
    if id.is_empty() || id.contains('.') {
        return Err(Refusal::Malformed);
    }
    trust.fresh(seconds(time)?, arrival.now)?;
    let headers = arrival.headers(signature)?;
    let signatures: Vec<_> = headers.iter().flat_map(|header| header.split(' ')).collect();
    let of = |version: &'static str| signatures.iter().filter_map(move |one| one.strip_prefix(version));
    // Counted together, and what is of other versions is of none.
    candidates(signatures.iter().copied().filter(|one| !one.is_empty()), from_base64)?;
    let decoded = |version| of(version).filter_map(from_base64).collect::<Vec<_>>();
    let head = format!("{id}.{time}.");
    let (shared, public) = (decoded("v1,"), decoded("v1a,"));
    let by_secret = trust.signed(&shared, &[head.as_bytes(), arrival.body]);
    if public.is_empty() {
        return by_secret;
    }
    by_secret.or(trust.witnessed(&public, &[head.as_bytes(), arrival.body].concat()))
}

/// The names of id, timestamp and signature.
fn names(arrival: &Arrival<'_>) -> [&'static str; 3] {
    if arrival.headers.contains_key("webhook-id") || !arrival.headers.contains_key("svix-id") {
        ["webhook-id", "webhook-timestamp", "webhook-signature"]
    } else {
        ["svix-id", "svix-timestamp", "svix-signature"]
    }
}

/// An event as the bus has it stays as it is, byte for byte; else `type`, `timestamp` and `data`, as the specification
/// recommends, are one.
pub(super) fn read(arrival: &Arrival<'_>, trust: &Trust) -> Result<AnyEvent> {
    let mut body = members(arrival.body)?;
    if ["id", "livemode", "source", "created_at"].iter().all(|name| body.contains_key(name)) {
        return Ok(AnyEvent::from_json(arrival.body.clone())?);
    }
    let [id, time, _] = names(arrival);
    let absent = |_| Error::invalid("webhook-id: is missing");
    let sent = arrival.header(time).and_then(seconds).map_err(absent)?;
    let said = body.remove("timestamp").and_then(|time| time.as_str().and_then(|time| time.parse().ok()));
    let event_type = take(&mut body, "type")?;
    let object = body.remove("data").unwrap_or_else(|| Json::from(JsonMap::new()));
    Draft {
        id: arrival.header(id).map_err(absent)?.to_owned(),
        event_type,
        livemode: trust.livemode()?,
        time: said.unwrap_or(sent),
        metadata: body,
        ..Draft::of(object)
    }
    .event(&trust.source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Payload;

    /// Published vectors, each recomputed with a second implementation.
    const VECTORS: [(&str, &str, i64, &str, &str); 2] = [
        (
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk",
            1_649_367_553,
            r#"{"email":"test@example.com","username":"test_user"}"#,
            "tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",
        ),
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
            "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
    ];

    #[test]
    fn published_vectors_are_signed_as_published() {
        for (secret, id, timestamp, body, expected) in VECTORS {
            let secret = Secret::new(secret);
            check(&secret).unwrap();
            let payload = Payload { event_id: id.into(), event_type: "a.b".into(), body: body.into() };
            let url = "https://example.com/".parse().unwrap();
            let now = eventbus::Timestamp::from_millis(timestamp * 1000 + 999);
            let delivery = Delivery {
                url: &url,
                id,
                now,
                payload: &payload,
                secrets: &[secret.clone(), secret],
                application: None,
            };
            let rendered = V1.render(&delivery).unwrap();
            assert_eq!(rendered.headers[2].1, format!("v1,{expected} v1,{expected}"), "each secret signs");
            assert_eq!(rendered.headers[1].1, timestamp.to_string());
            assert_eq!(rendered.body, body);
        }
    }

    #[test]
    fn a_fresh_secret_is_one_that_is_accepted() {
        check(&V1.generate().unwrap()).unwrap();
    }

    #[test]
    fn other_secrets_are_refused() {
        for bad in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_?"] {
            assert!(check(&Secret::new(bad)).is_err(), "{bad:?}");
        }
    }
}
