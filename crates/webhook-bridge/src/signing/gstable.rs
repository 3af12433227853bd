//! GStable's webhooks: its envelope as the body, `x-gstable-timestamp` and `x-gstable-signature`.
//!
//! By docs.gstable.io: HMAC-SHA256 in lowercase hex over the timestamp in milliseconds, a colon and the raw body, keyed by
//! the whole text of the `wkk_` secret. GStable's rotation has no overlap, so only the newest secret signs.

use eventbus::gstable::Envelope;
use eventbus::json::Json;
use eventbus::{AnyEvent, Timestamp};
use ring::hmac;

use super::arrival::{
    Arrival, Key, Livemode, Refusal, Scheme, Trust, candidates, digits, from_hex, hmac_key, members,
};
use super::{Delivery, Format, Needs, Rendered, Signs, any_target, hex, unusable, unwritable};
use crate::error::{Error, Result};
use crate::model::Secret;

/// For receivers that were written for GStable; for events of GStable's catalogue only.
pub(crate) const GSTABLE: Format = Format {
    name: "gstable",
    description: "GStable's envelope and headers: HMAC-SHA256, `wkk_` secrets",
    needs: Needs::Source(eventbus::gstable::SOURCE),
    signs: Signs::Newest,
    secret: |random| Ok(format!("{PREFIX}{}", hex(random))),
    check: |secret| match secret.reveal().strip_prefix(PREFIX) {
        Some(rest) if rest.len() >= SHORTEST => Ok(()),
        _ => Err(Error::invalid("secret: must be wkk_ and at least 16 characters")),
    },
    target: any_target,
    render,
};

/// GStable's own webhooks.
///
/// How far the timestamp may be off is nowhere said: the window is our choice. It has no test mode; one that is configured
/// so, for a rehearsal, has test events.
pub(super) const FROM_GSTABLE: Scheme = Scheme {
    name: "gstable",
    description: "GStable: its envelope and `x-gstable-signature`, with the key `wkk_…`",
    source: Some(eventbus::gstable::SOURCE),
    livemode: Livemode::Always,
    key: verifying,
    verify,
    read,
};

const PREFIX: &str = "wkk_";
const SHORTEST: usize = 16;

fn render(delivery: &Delivery<'_>) -> Result<Rendered> {
    let envelope = Envelope::from_event(&AnyEvent::from_json(delivery.payload.body.clone())?)?;
    let body = serde_json::to_vec(&envelope).map_err(unwritable)?;
    let timestamp = delivery.now.as_millis().to_string();
    let signature = sign(delivery.secrets.first().ok_or_else(unusable)?, &timestamp, &body);
    let headers = vec![("x-gstable-timestamp", timestamp), ("x-gstable-signature", signature)];
    Ok(Rendered { headers, body: body.into() })
}

fn sign(secret: &Secret, timestamp: &str, body: &[u8]) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes()));
    context.update(timestamp.as_bytes());
    context.update(b":");
    context.update(body);
    hex(context.sign().as_ref())
}

fn verifying(secret: &Secret) -> Result<Key> {
    hmac_key(secret.reveal().as_bytes())
}

fn verify(arrival: &Arrival<'_>, trust: &Trust) -> Result<(), Refusal> {
    let time = arrival.header("x-gstable-timestamp")?;
    trust.fresh(Timestamp::from_millis(digits(time)?), arrival.now)?;
    let signature = candidates(std::iter::once(arrival.header("x-gstable-signature")?), from_hex)?;
    trust.signed(&signature, &[time.as_bytes(), b":", arrival.body])
}

fn read(arrival: &Arrival<'_>, trust: &Trust) -> Result<AnyEvent> {
    let event = Envelope::from_json(arrival.body)?.into_event(trust.zone)?;
    if trust.livemode()? {
        return Ok(event);
    }
    let mut body = members(&event.to_json()?)?;
    body.insert("livemode", Json::from(false));
    Ok(AnyEvent::from_json(Json::from(body).text().to_owned())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Payload;

    /// GStable publishes inputs with a signature that is not theirs; this is what three implementations compute.
    #[test]
    fn the_published_inputs_give_the_true_signature() {
        let body = br#"{"eventId":"evt_001","type":"ping"}"#;
        assert_eq!(
            sign(&Secret::new("wkk_test_123456"), "1767514235000", body),
            "1b5a58b99f16c4c50f8f886a7490b13a18c72c2368255b485572808514cffe0c"
        );
    }

    #[test]
    fn the_body_is_the_envelope_and_what_is_sent_is_what_is_signed() {
        let body = r#"{"id":"evt_1","livemode":true,"type":"product.archived","source":"gstable","data":{"object":{"productId":"p_1","price":"1.50"}},"object_id":"p_1","created_at":"2026-01-01T00:00:00Z"}"#;
        let payload =
            Payload { event_id: "evt_1".into(), event_type: "product.archived".into(), body: body.into() };
        let secret = GSTABLE.generate().unwrap();
        GSTABLE.check(&secret).unwrap();
        let delivery = Delivery {
            url: &"https://example.com/".parse().unwrap(),
            id: "evt_1",
            now: Timestamp::from_millis(1_767_514_235_000),
            payload: &payload,
            secrets: std::slice::from_ref(&secret),
            application: None,
        };
        let rendered = GSTABLE.render(&delivery).unwrap();
        let sent: serde_json::Value = serde_json::from_slice(&rendered.body).unwrap();
        assert_eq!((&sent["eventId"], &sent["eventType"]), (&"evt_1".into(), &"product.archived".into()));
        assert_eq!(sent["payload"]["productData"]["price"], "1.50");
        assert_eq!(rendered.headers[0], ("x-gstable-timestamp", "1767514235000".to_owned()));
        assert_eq!(rendered.headers[1].1, sign(&secret, "1767514235000", &rendered.body));
    }
}
