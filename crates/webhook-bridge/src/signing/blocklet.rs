//! Blocklet Server's webhooks: the event's `data` with `$eventName` and `$sender` as the body, `x-webhook-signature`.
//!
//! As its `webhook/signature.js`: `t=…,v1=…`, keyed by the secret's 64 hex digits as text. Its verifier signs again what it
//! parsed, so the body is written as JavaScript writes it. It carries neither id nor time of the event; `webhook-id` beside it
//! lets receivers tell what they had.
//!
//! What comes in is told apart by its body alone, which is our choice: the time is another at each of Blocklet Server's four
//! tries, and a `webhook-id` is not signed. So two events with the same bytes are one. Payment Kit's objects say when they were
//! updated, and are never the same twice.

use eventbus::AnyEvent;
use eventbus::json::{Json, JsonMap};

use super::arrival::{Arrival, Draft, Livemode, Refusal, Scheme, Trust, hmac_key, members, seconds, take};
use super::{
    Delivery, Format, Needs, Rendered, Signs, any_target, digest_id, ecmascript, hex, no_application, stamp,
    unusable,
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
    check,
    target: any_target,
    render,
};

/// Blocklet Server's own webhooks.
///
/// Whether an event is live stands in its object, where that is Payment Kit's.
pub(super) const FROM_BLOCKLET_SERVER: Scheme = Scheme {
    name: "blocklet",
    description: "Blocklet Server: `x-webhook-signature`, with the secret of 64 hex digits of the webhook there",
    source: None,
    livemode: Livemode::Object,
    key: |secret| check(secret).and_then(|()| hmac_key(secret.reveal().as_bytes())),
    verify,
    read,
};

const HEADER: &str = "x-webhook-signature";
/// What Blocklet Server puts beside the event's data.
const EVENT: &str = "$eventName";
const SENDER: &str = "$sender";

/// Blocklet Server shows it once, and then only how it begins.
fn check(secret: &Secret) -> Result<()> {
    match secret.reveal().as_bytes() {
        text if text.len() == 64 && text.iter().all(u8::is_ascii_hexdigit) => Ok(()),
        _ => Err(Error::invalid("secret: must be 64 hex digits")),
    }
}

fn render(delivery: &Delivery<'_>) -> Result<Rendered> {
    let body = body(delivery, delivery.application.ok_or_else(no_application)?)?;
    let secret = delivery.secrets.first().ok_or_else(unusable)?;
    let signature = stamp::stamp(secret, delivery.now, body.as_bytes());
    let headers = vec![(HEADER, signature), ("webhook-id", delivery.id.to_owned())];
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
    data.insert(EVENT, Json::new(event.event_type().as_str())?);
    data.insert(SENDER, Json::new(application)?);
    let mut text = String::new();
    ecmascript::object(&data, &mut text)?;
    Ok(text)
}

fn verify(arrival: &Arrival<'_>, trust: &Trust) -> Result<(), Refusal> {
    stamp::verify(arrival.header(HEADER)?, arrival, trust)
}

/// The event's data as it was given to Blocklet Server, who sent it, and when it was signed.
fn read(arrival: &Arrival<'_>, trust: &Trust) -> Result<AnyEvent> {
    let absent = |_| Error::invalid("x-webhook-signature: is missing");
    let time = arrival.header(HEADER).and_then(stamp::time).and_then(seconds).map_err(absent)?;
    let mut data = members(arrival.body)?;
    let event_type = take(&mut data, EVENT)?;
    let sender = data.remove(SENDER).map(|sender| (SENDER, sender));
    let object = data.get("object").cloned().unwrap_or_else(|| Json::from(JsonMap::new()));
    let said = object.decode().ok().and_then(|fields: JsonMap| fields.get("livemode")?.as_bool());
    Draft {
        id: digest_id(arrival.body),
        event_type,
        livemode: said.map_or_else(|| trust.livemode(), Ok)?,
        time,
        data,
        metadata: sender.into_iter().collect(),
        ..Draft::of(object)
    }
    .event(&trust.source)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use eventbus::Timestamp;
    use http::{HeaderMap, HeaderName, Method};

    use super::*;
    use crate::model::{Mode, Payload};
    use crate::signing::vectors::trust;

    fn application() -> Application {
        Application {
            did: "zNKX7f2ojJWbzMfMuzwGnVZJccjP28T3DN7L".into(),
            pk: "0xd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a".into(),
            url: "https://example.com".into(),
            name: "Demo".into(),
        }
    }

    fn rendered(application: Option<&Application>) -> Result<Rendered> {
        let body = r#"{"id":"evt_1","livemode":true,"type":"customer.subscription.renewed","source":"payment-kit",
            "data":{"type":"application/json", "object": {"id":"sub_1","n":1.50},"previous_attributes":{}},
            "object_id":"sub_1","created_at":"2026-01-01T00:00:00Z"}"#;
        let event_type = "customer.subscription.renewed".into();
        let delivery = Delivery {
            url: &"https://example.com/".parse().unwrap(),
            id: "evt_1",
            now: Timestamp::from_millis(1_767_225_600_999),
            payload: &Payload { event_id: "evt_1".into(), event_type, body: body.into() },
            secrets: &[Secret::new("a".repeat(64)), Secret::new("b".repeat(64))],
            application,
        };
        BLOCKLET.render(&delivery)
    }

    /// Body and signature as the real sender makes them.
    #[test]
    fn a_delivery_is_what_blocklet_server_sends() {
        let rendered = rendered(Some(&application())).unwrap();
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

    /// Verifies and reads what came with this header.
    fn arrived(header: &str, body: &[u8], mode: Option<Mode>) -> Result<AnyEvent, String> {
        let key = FROM_BLOCKLET_SERVER.key(&Secret::new("a".repeat(64))).unwrap();
        let trust = Trust { mode, ..trust("payment-kit", key) };
        let headers = HeaderMap::from_iter([(HeaderName::from_static(HEADER), header.parse().unwrap())]);
        let (body, now) = (Bytes::copy_from_slice(body), Timestamp::from_millis(1_767_225_700_000));
        let arrival =
            Arrival { method: &Method::POST, path: "/", query: "", headers: &headers, body: &body, now };
        FROM_BLOCKLET_SERVER.verify(&arrival, &trust).map_err(|refusal| refusal.as_str().to_owned())?;
        FROM_BLOCKLET_SERVER.read(&arrival, &trust).map_err(|error| error.to_string())
    }

    fn signed(seconds: i64, body: &str, mode: Option<Mode>) -> Result<AnyEvent, String> {
        let now = Timestamp::from_millis(seconds * 1000);
        arrived(&stamp::stamp(&Secret::new("a".repeat(64)), now, body.as_bytes()), body.as_bytes(), mode)
    }

    #[test]
    fn what_a_delivery_is_comes_in_as_the_event_that_it_was() {
        let sent = rendered(Some(&application())).unwrap();
        let event = arrived(&sent.headers[0].1, &sent.body, Some(Mode::Live)).unwrap();
        assert_eq!(event.event_type().as_str(), "customer.subscription.renewed");
        assert_eq!((event.key().unwrap().as_str(), event.livemode()), ("sub_1", true));
        assert_eq!(event.time(), Timestamp::from_millis(1_767_225_600_000), "when it was signed");
        let data = event.raw_data().unwrap();
        assert_eq!(data.keys().collect::<Vec<_>>(), ["type", "object", "previous_attributes"]);
        assert_eq!(data.get("object").unwrap().text(), r#"{"id":"sub_1","n":1.5}"#);
        let metadata = event.details().unwrap().metadata.clone();
        assert_eq!(metadata.get(SENDER).unwrap(), &Json::new(&application()).unwrap());
    }

    #[test]
    fn each_try_is_the_same_event_and_another_body_another() {
        let body = r#"{"object":{"id":"sub_1"},"$eventName":"a.b"}"#;
        let id = |seconds, body: &str| signed(seconds, body, Some(Mode::Test)).unwrap().id().to_string();
        let first = id(1_767_225_600, body);
        assert_eq!(first, "evt_9fe6ed2448523c133e8ea2a939ad90e3");
        assert_eq!(id(1_767_225_670, body), first, "a later try");
        assert_ne!(id(1_767_225_600, &body.replace("sub_1", "sub_2")), first);
        assert_ne!(id(1_767_225_600, &body.replace("a.b", "a.c")), first);
    }

    #[test]
    fn the_object_says_whether_it_is_live_and_the_source_where_it_does_not() {
        let of = |livemode: &str, mode| {
            let body = format!(r#"{{"object":{{"id":"sub_1"{livemode}}},"$eventName":"a.b"}}"#);
            signed(1_767_225_600, &body, mode).map(|event| event.livemode())
        };
        let (live, test) = (r#","livemode":true"#, r#","livemode":false"#);
        assert_eq!((of(live, None), of(test, None)), (Ok(true), Ok(false)));
        assert_eq!((of("", Some(Mode::Live)), of("", Some(Mode::Test))), (Ok(true), Ok(false)));
        for (said, mode, rule) in [
            ("", None, "livemode: is missing"),
            (live, Some(Mode::Test), "livemode: is not this source's"),
            (test, Some(Mode::Live), "livemode: is not this source's"),
        ] {
            assert_eq!(of(said, mode), Err(rule.to_owned()));
        }
    }

    #[test]
    fn what_is_signed_and_no_event_is_refused_by_its_rule() {
        for (body, rule) in [
            (r#"{"object":{}}"#, "$eventName: must be a text"),
            (r#"{"object":{},"$eventName":1}"#, "$eventName: must be a text"),
            (r#"{"object":{},"$eventName":"a.b","$eventName":"a.c"}"#, "body: duplicate field"),
            ("[]", "body: "),
        ] {
            let refused = signed(1_767_225_600, body, Some(Mode::Test)).unwrap_err();
            assert!(refused.starts_with(rule), "{refused}");
        }
        let bare = signed(1_767_225_600, r#"{"user":1,"$eventName":"a.b"}"#, Some(Mode::Test)).unwrap();
        assert_eq!((bare.key(), bare.raw_data().unwrap().len()), (None, 1), "data need not have an object");
    }

    #[test]
    fn a_secret_is_64_hex_digits() {
        BLOCKLET.check(&BLOCKLET.generate().unwrap()).unwrap();
        for bad in ["", "a", &"a".repeat(63), &"a".repeat(65), &"g".repeat(64)] {
            assert!(BLOCKLET.check(&Secret::new(bad)).is_err(), "{bad:?}");
        }
    }
}
