//! Blocklet Server's webhooks: the event's `data` with `$eventName` and `$sender` as the body, `x-webhook-signature`.
//!
//! As its `webhook/signature.js`: HMAC-SHA256 in hex over `t`, a dot and the body, keyed by the secret's 64 hex digits as
//! text. Its verifier signs again what it parsed, so the body is written as JavaScript writes it. It carries neither id
//! nor time of the event; `webhook-id` beside it lets receivers tell what they had.

use eventbus::AnyEvent;
use eventbus::json::{Json, JsonMap};
use ring::hmac;

use super::{
    Delivery, Format, Needs, Rendered, Signs, any_target, ecmascript, hex, no_application, unusable,
};
use crate::error::{Error, Result};
use crate::model::{Application, Secret};

/// For receivers that were written for Blocklet Server.
pub(super) const BLOCKLET: Format = Format {
    name: "blocklet",
    description: "Blocklet Server's body and header: HMAC-SHA256, secret of 64 hex digits",
    needs: Needs::Application,
    signs: Signs::Newest,
    secret: |random| Ok(hex(random)),
    check: |secret| match secret.reveal().as_bytes() {
        text if text.len() == 64 && text.iter().all(u8::is_ascii_hexdigit) => Ok(()),
        _ => Err(Error::invalid("secret: must be 64 hex digits")),
    },
    target: any_target,
    render,
};

fn render(delivery: &Delivery<'_>) -> Result<Rendered> {
    let body = body(delivery, delivery.application.ok_or_else(no_application)?)?;
    let secret = delivery.secrets.first().ok_or_else(unusable)?;
    let signature = sign(secret, delivery.seconds(), &body);
    let headers = vec![("x-webhook-signature", signature), ("webhook-id", delivery.id.to_owned())];
    Ok(Rendered { headers, body: body.into() })
}

/// The event's data, with who sends it and what happened. `type` is there by default, as in its SDK's envelope.
fn body(delivery: &Delivery<'_>, application: &Application) -> Result<String> {
    let event = AnyEvent::from_json(delivery.payload.body.clone())?;
    let mut data = JsonMap::new();
    data.insert("type", Json::new("application/json")?);
    for (name, value) in event.raw_data()? {
        data.insert(name, value);
    }
    data.insert("$eventName", Json::new(event.event_type().as_str())?);
    data.insert("$sender", Json::new(application)?);
    let mut text = String::new();
    ecmascript::object(&data, &mut text)?;
    Ok(text)
}

fn sign(secret: &Secret, seconds: i64, body: &str) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes()));
    context.update(format!("{seconds}.").as_bytes());
    context.update(body.as_bytes());
    format!("t={seconds},v1={}", hex(context.sign().as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Payload;

    fn rendered(application: Option<&Application>) -> Result<Rendered> {
        let body = r#"{"id":"evt_1","livemode":true,"type":"customer.subscription.renewed","source":"payment-kit",
            "data":{"type":"application/json", "object": {"id":"sub_1","n":1.50},"previous_attributes":{}},
            "object_id":"sub_1","created_at":"2026-01-01T00:00:00Z"}"#;
        let event_type = "customer.subscription.renewed".into();
        let delivery = Delivery {
            url: &"https://example.com/".parse().unwrap(),
            id: "evt_1",
            now: eventbus::Timestamp::from_millis(1_767_225_600_999),
            payload: &Payload { event_id: "evt_1".into(), event_type, body: body.into() },
            secrets: &[Secret::new("a".repeat(64)), Secret::new("b".repeat(64))],
            application,
        };
        BLOCKLET.render(&delivery)
    }

    /// Body and signature as the real sender makes them.
    #[test]
    fn a_delivery_is_what_blocklet_server_sends() {
        let application = Application {
            did: "zNKX7f2ojJWbzMfMuzwGnVZJccjP28T3DN7L".into(),
            pk: "0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".into(),
            url: "https://example.com".into(),
            name: "Demo".into(),
        };
        let rendered = rendered(Some(&application)).unwrap();
        assert_eq!(
            rendered.body,
            r#"{"type":"application/json","object":{"id":"sub_1","n":1.5},"previous_attributes":{},"$eventName":"customer.subscription.renewed","$sender":{"did":"zNKX7f2ojJWbzMfMuzwGnVZJccjP28T3DN7L","pk":"0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a","url":"https://example.com","name":"Demo"}}"#
        );
        assert_eq!(
            rendered.headers,
            [
                (
                    "x-webhook-signature",
                    "t=1767225600,v1=99a10c0122a87ab34688caafc4a8a1f98bb5967cb5359d2facb464f0aa06666a"
                        .to_owned()
                ),
                ("webhook-id", "evt_1".to_owned()),
            ]
        );
    }

    #[test]
    fn without_an_application_there_is_nothing_to_send() {
        assert!(rendered(None).unwrap_err().to_string().contains("application"));
    }

    #[test]
    fn a_secret_is_64_hex_digits() {
        BLOCKLET.check(&BLOCKLET.generate().unwrap()).unwrap();
        for bad in ["", "a", &"a".repeat(63), &"a".repeat(65), &"g".repeat(64)] {
            assert!(BLOCKLET.check(&Secret::new(bad)).is_err(), "{bad:?}");
        }
    }
}
