//! Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature` over `id.timestamp.body`.
//!
//! By the specification at standardwebhooks.com: `v1` is HMAC-SHA256 in base64, keyed by what `whsec_` precedes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

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

const PREFIX: &str = "whsec_";
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
