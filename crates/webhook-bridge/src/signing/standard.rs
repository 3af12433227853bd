//! Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature` over `id.timestamp.body`.
//!
//! By the specification at standardwebhooks.com: `v1` is HMAC-SHA256 in base64, keyed by what `whsec_` precedes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;

use super::{Delivery, Format, Rendered};
use crate::error::{Error, ErrorKind, Result};
use crate::model::Secret;

/// The default format.
pub(super) const V1: Format = Format {
    name: "standard",
    description: "Standard Webhooks v1: HMAC-SHA256, `whsec_` secrets",
    secret: |random| format!("{PREFIX}{}", STANDARD.encode(random)),
    check,
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
    let body = delivery.payload.body.clone();
    let mut signatures = String::new();
    for secret in delivery.secrets {
        let unusable = || Error::new(ErrorKind::Internal, "a stored secret is no whsec_ secret");
        let key = key(secret).ok_or_else(unusable)?;
        if !signatures.is_empty() {
            signatures.push(' ');
        }
        signatures.push_str("v1,");
        STANDARD.encode_string(sign(&key, delivery.id, delivery.timestamp, &body), &mut signatures);
    }
    let headers = vec![
        ("webhook-id", delivery.id.to_owned()),
        ("webhook-timestamp", delivery.timestamp.to_string()),
        ("webhook-signature", signatures),
    ];
    Ok(Rendered { headers, body })
}

fn sign(key: &[u8], id: &str, timestamp: i64, body: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    context.update(format!("{id}.{timestamp}.").as_bytes());
    context.update(body);
    context.sign()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let tag = sign(&key(&secret).unwrap(), id, timestamp, body.as_bytes());
            assert_eq!(STANDARD.encode(tag), expected);
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
