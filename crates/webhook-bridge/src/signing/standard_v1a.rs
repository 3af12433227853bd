//! Standard Webhooks with `v1a`: Ed25519 in place of HMAC, so that a receiver holds no secret.
//!
//! By the specification: `whsk_` precedes seed and public key in base64; the receiver is given `whpk_` and the public key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use super::arrival::{Key, Livemode, Scheme};
use super::standard::{public, read, rendered, verify};
use super::{Delivery, Format, Needs, Rendered, Signs, any_target, unusable};
use crate::error::{Error, Result};
use crate::model::Secret;

/// Standard Webhooks, signed with a private key.
pub(super) const V1A: Format = Format {
    name: "standard-v1a",
    description: "Standard Webhooks v1a: Ed25519, `whsk_` secrets",
    needs: Needs::Nothing,
    signs: Signs::All,
    secret: |random| {
        let pair = Ed25519KeyPair::from_seed_unchecked(random).map_err(|_| unusable())?;
        Ok(format!("{PREFIX}{}", STANDARD.encode([&random[..], pair.public_key().as_ref()].concat())))
    },
    check: |secret| match pair(secret) {
        Some(_) => Ok(()),
        None => {
            Err(Error::invalid("secret: must be whsk_ and an Ed25519 seed with its public key in base64"))
        }
    },
    target: any_target,
    render,
};

/// Who signs by Standard Webhooks with `v1a`, and with nothing else.
pub(super) const STANDARD_V1A: Scheme = Scheme {
    name: "standard-v1a",
    description: "Standard Webhooks v1a alone: with the public key `whpk_…`, or the private one `whsk_…`",
    source: None,
    livemode: Livemode::Configured,
    key: |secret| {
        let key = public(secret).or_else(|| pair(secret)?.public_key().as_ref().try_into().ok());
        key.map(Key::Ed25519).ok_or_else(|| Error::invalid("secret: must be whpk_ or whsk_ and base64"))
    },
    verify,
    read,
};

const PREFIX: &str = "whsk_";

/// The pair, if its halves belong together: a wrong public half would give the private one away.
fn pair(secret: &Secret) -> Option<Ed25519KeyPair> {
    let bytes = STANDARD.decode(secret.reveal().strip_prefix(PREFIX)?).ok()?;
    let (seed, public) = bytes.split_at_checked(32)?;
    Ed25519KeyPair::from_seed_and_public_key(seed, public).ok()
}

fn render(delivery: &Delivery<'_>) -> Result<Rendered> {
    rendered(delivery, |secret, message| {
        let signed = [message.head.as_bytes(), message.body].concat();
        let signature = pair(secret).ok_or_else(unusable)?.sign(&signed);
        Ok(format!("v1a,{}", STANDARD.encode(signature)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Payload;

    #[test]
    fn the_published_vector_is_signed_as_published() {
        let secret = Secret::new(
            "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
        );
        let payload = Payload {
            event_id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(),
            event_type: "a.b".into(),
            body: r#"{"test": 2432232314}"#.into(),
        };
        let delivery = Delivery {
            url: &"https://example.com/".parse().unwrap(),
            id: &payload.event_id,
            now: eventbus::Timestamp::from_millis(1_614_265_330_000),
            payload: &payload,
            secrets: &[secret],
            application: None,
        };
        assert_eq!(
            V1A.render(&delivery).unwrap().headers[2].1,
            "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
        );
    }

    #[test]
    fn a_key_to_verify_with_is_a_public_one_or_the_pair_it_belongs_to() {
        let pair = V1A.generate().unwrap();
        let bytes = STANDARD.decode(pair.reveal().strip_prefix(PREFIX).unwrap()).unwrap();
        let (public, seed) = (STANDARD.encode(&bytes[32..]), STANDARD.encode(&bytes[..32]));
        for right in [pair, Secret::new(format!("whpk_{public}"))] {
            assert!(matches!(STANDARD_V1A.key(&right), Ok(Key::Ed25519(key)) if key[..] == bytes[32..]));
        }
        let wrong = [
            public.clone(),
            format!("whsec_{public}"),
            format!("whsk_{seed}"),
            "whpk_AAAA".to_owned(),
            String::new(),
        ];
        for wrong in wrong {
            assert!(STANDARD_V1A.key(&Secret::new(wrong.as_str())).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_fresh_secret_is_accepted_and_one_with_a_foreign_public_half_is_not() {
        let secret = V1A.generate().unwrap();
        V1A.check(&secret).unwrap();
        let mut bytes = STANDARD.decode(secret.reveal().strip_prefix(PREFIX).unwrap()).unwrap();
        bytes[40] ^= 1;
        assert!(V1A.check(&Secret::new(format!("{PREFIX}{}", STANDARD.encode(bytes)))).is_err());
    }
}
