//! The event: its one JSON form survives every round trip.

#![allow(clippy::unwrap_used, reason = "a test helper that fails is a test that fails")]

use std::borrow::Cow;
use std::collections::BTreeMap;

use eventbus::json::{Decimal, Json, JsonMap};
use eventbus::testing::TestBus;
use eventbus::transport::Order;
use eventbus::{AnyEvent, Event, EventBuilder, EventKind, Timestamp, gstable, payment_kit};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

const RENEWED: &str = include_str!("samples/payment-kit-subscription-renewed.json");
const OBJECTS: &str = include_str!("samples/payment-kit-objects.json");
const ENVELOPES: [&str; 4] = [
    include_str!("samples/gstable-session-paid.json"),
    include_str!("samples/gstable-payment-link-disabled.json"),
    include_str!("samples/gstable-product-archived.json"),
    include_str!("samples/gstable-account-created.json"),
];

/// What an application's own event may be about: everything that is easily lost on the way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Parcel {
    id: String,
    weight: Decimal,
    largest: u64,
    smallest: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    lines: Vec<BTreeMap<String, Option<bool>>>,
    rest: JsonMap,
}

impl EventKind for Parcel {
    const TYPE: &'static str = "parcel.weighed";
    const SOURCE: &'static str = "shop";
    const OBJECT_TYPE: &'static str = "Parcel";
    type Object = Self;
    fn object_id(object: &Self) -> Cow<'_, str> {
        Cow::Borrowed(&object.id)
    }
}

/// No files beside the tests: a failure prints its case, and the case becomes a test of its own.
fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

/// The text of a number, in spellings that a parser into `f64` or `i64` would change.
fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        (any::<i32>(), "[0-9]{1,20}").prop_map(|(whole, fraction)| format!("{whole}.{fraction}")),
        (0..1_000_u32, "[eE][+-]?[0-9]{1,2}").prop_map(|(whole, exponent)| format!("{whole}{exponent}")),
        Just("1.10".to_owned()),
        Just("-0".to_owned()),
        Just("0.30000000000000004".to_owned()),
    ]
}

/// The text of a string, plain or escaped in one of the ways JSON allows.
fn string() -> impl Strategy<Value = String> {
    let escaped = prop_oneof![
        Just("\\u00e9"),
        Just("\\ud83d\\ude00"),
        Just("\\/"),
        Just("\\\""),
        Just("\\u0000"),
        Just("")
    ];
    (".{0,12}", escaped).prop_map(|(text, escaped)| {
        let plain = serde_json::to_string(&text).unwrap();
        format!("{}{escaped}\"", &plain[..plain.len() - 1])
    })
}

/// The text of a JSON value of any kind, with white space, and keys in no order.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|flag| flag.to_string()),
        number(),
        string(),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(" , "))),
            members(inner).prop_map(|members| object(&members)),
        ]
    })
}

/// Members with different names, in an order that no map would give them.
fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<(String, String)>> {
    let members = btree_map("[a-zé_ ]{1,8}", value, 0..5);
    members.prop_map(|members| members.into_iter().collect::<Vec<_>>()).prop_shuffle()
}

fn object(members: &[(String, String)]) -> String {
    let text = |(name, value): &(String, String)| format!("{}:{value}", serde_json::to_string(name).unwrap());
    format!("{{{}}}", members.iter().map(text).collect::<Vec<_>>().join(",\n\t"))
}

/// What an event is to be read as.
#[derive(Debug, Clone)]
struct Expected {
    id: String,
    event_type: String,
    source: Option<String>,
    key: Option<String>,
    livemode: bool,
    millis: i64,
    data: Vec<(String, String)>,
}

/// Optional fields: absent, `null`, or some text.
fn optional(
    name: &'static str,
    value: impl Strategy<Value = String>,
) -> impl Strategy<Value = Vec<(String, String)>> {
    let value = prop_oneof![Just(Some("null".to_owned())), Just(None), value.prop_map(Some)];
    value.prop_map(move |value| value.into_iter().map(|value| (name.to_owned(), value)).collect())
}

fn expected() -> impl Strategy<Value = Expected> {
    let names = (
        "[!-~&&[^\"\\\\]]{1,40}",
        "[a-z0-9_-]{1,10}(\\.[A-Za-z0-9_-]{1,10}){0,4}",
        option::of("[a-z-]{1,20}"),
    );
    let body =
        (option::of("[a-z_0-9]{1,20}"), any::<bool>(), 0..4_102_444_800_000_i64, members(value()), value());
    (names, body).prop_map(|((id, event_type, source), (key, livemode, millis, members, about))| {
        let named = members.into_iter().filter(|(name, _)| name != "object");
        let data = named.chain([("object".to_owned(), about)]).collect();
        Expected { id, event_type, source, key, livemode, millis, data }
    })
}

/// The body of an expected event, in any order of fields, with fields that nobody knows.
fn body() -> impl Strategy<Value = (Expected, String)> {
    let request = Just(r#"{"id":"req_1","idempotency_key":"k","new":[1.0]}"#.to_owned());
    let extras = (
        optional("request", request),
        optional("metadata", members(value()).prop_map(|members| object(&members))),
        optional("api_version", Just("\"2023-09-05\"".to_owned())),
        optional("pending_webhooks", Just("3".to_owned())),
        members(value()),
    );
    (expected(), extras).prop_flat_map(|(expected, (request, metadata, version, pending, unknown))| {
        let text = |text: &str| serde_json::to_string(text).unwrap();
        let field = |name: &str, value: String| (name.to_owned(), value);
        let mut fields = vec![
            field("id", text(&expected.id)),
            field("type", text(&expected.event_type)),
            field("livemode", expected.livemode.to_string()),
            field("created_at", text(&Timestamp::from_millis(expected.millis).to_string())),
            field("data", object(&expected.data)),
        ];
        fields.extend(expected.source.iter().map(|source| field("source", text(source))));
        fields.extend(expected.key.iter().map(|key| field("object_id", text(key))));
        fields.extend([request, metadata, version, pending].into_iter().flatten());
        fields.extend(unknown.into_iter().map(|(name, value)| (format!("x_{name}"), value)));
        let fields = Just(fields).prop_shuffle();
        (Just(expected), fields).prop_map(|(expected, fields)| (expected, object(&fields)))
    })
}

fn parcel() -> impl Strategy<Value = Parcel> {
    let lines = vec(btree_map(".{0,4}", option::of(any::<bool>()), 0..3), 0..3);
    let scalars = (".{0,40}", number(), any::<u64>(), any::<i64>(), option::of(".{0,8}"));
    (scalars, lines, members(value())).prop_map(|((id, weight, largest, smallest, note), lines, rest)| {
        Parcel {
            id: id.chars().filter(|char| !char.is_ascii_control()).collect(),
            weight: weight.parse().unwrap(),
            largest,
            smallest,
            note,
            lines,
            rest: object(&rest).parse::<Json>().unwrap().decode().unwrap(),
        }
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn bytes_that_came_in_are_the_bytes_that_go_out((expected, body) in body()) {
        let event = AnyEvent::from_json(body.clone()).unwrap();
        prop_assert_eq!(event.to_json().unwrap(), body.as_bytes());
        let twice = AnyEvent::from_json(event.to_json().unwrap()).unwrap();
        prop_assert_eq!(twice.envelope(), event.envelope());
        let moved = event.with_envelope(|envelope| envelope.key = None);
        prop_assert_eq!(moved.to_json().unwrap(), body.as_bytes());

        prop_assert_eq!(event.id().as_str(), &expected.id);
        prop_assert_eq!(event.event_type().as_str(), &expected.event_type);
        prop_assert_eq!(event.source().as_str(), expected.source.as_deref().unwrap_or("payment-kit"));
        prop_assert_eq!(event.key().map(eventbus::Key::as_str), expected.key.as_deref());
        prop_assert_eq!(event.livemode(), expected.livemode);
        prop_assert_eq!(event.time().as_millis(), expected.millis);
        prop_assert_eq!(&event.details().unwrap().object_id, &expected.key.unwrap_or_default());

        let data: Vec<(String, String)> =
            event.raw_data().unwrap().iter().map(|(name, value)| (name.to_owned(), value.text().to_owned())).collect();
        prop_assert_eq!(data, expected.data);
    }

    #[test]
    fn a_typed_event_is_equal_after_its_bytes(
        parcel in parcel(), livemode: bool, millis in 0..4_102_444_800_000_i64, note in value(), before in value(),
    ) {
        let note: Json = note.parse().unwrap();
        let before: Json = before.parse().unwrap();
        let published = EventBuilder::<Parcel>::new(parcel.clone()).livemode(livemode).time(Timestamp::from_millis(millis))
            .metadata("note", &note).previous(&before).build().unwrap();
        let bytes = published.to_json().unwrap();
        let read = AnyEvent::from_json(bytes.clone()).unwrap();
        prop_assert_eq!(read.envelope(), published.envelope());
        prop_assert_eq!(read.details().unwrap(), published.details().unwrap());
        prop_assert_eq!(read.details().unwrap().metadata.get("note").unwrap(), &note);
        let raw = read.raw_data().unwrap();
        prop_assert_eq!(raw.get("previous_attributes").unwrap().text(), before.text());
        prop_assert_eq!(read.to_json().unwrap(), bytes);
        let typed = Event::<Parcel>::try_from(read).unwrap();
        prop_assert_eq!(typed.object(), &parcel);
    }

    #[test]
    fn an_object_of_the_catalogue_keeps_what_it_does_not_know(unknown in members(value())) {
        let unknown: Vec<_> = unknown.into_iter().map(|(name, value)| (format!("x_{name}"), value)).collect();
        let known = [("id".to_owned(), "\"sub_1\"".to_owned()), ("status".to_owned(), "\"hibernating\"".to_owned())];
        let text: String = object(&known.iter().cloned().chain(unknown.clone()).collect::<Vec<_>>());
        let subscription: payment_kit::Subscription = serde_json::from_str(&text).unwrap();
        let encoded: JsonMap = serde_json::from_str(&serde_json::to_string(&subscription).unwrap()).unwrap();
        for (name, value) in &unknown {
            prop_assert_eq!(encoded.get(name).unwrap().text(), value);
        }
        prop_assert_eq!(encoded.len(), unknown.len() + 2);
    }
}

#[test]
fn null_and_absent_stay_what_they_were() {
    let event = |extra: &str| {
        format!(
            r#"{{"id":"e","type":"a","livemode":false,"data":{{"object":{{}}{extra}}},"created_at":"2026-01-01T00:00:00Z"}}"#
        )
    };
    let (absent, null) = (event(""), event(r#","previous_attributes":null"#));
    for body in [&absent, &null] {
        let read = AnyEvent::from_json(body.clone()).unwrap();
        assert_eq!(read.to_json().unwrap(), body.as_bytes());
        assert_eq!(read.data::<JsonMap>("previous_attributes").unwrap(), None);
    }
    assert!(
        AnyEvent::from_json(null).unwrap().raw_data().unwrap().get("previous_attributes").unwrap().is_null()
    );
    assert!(AnyEvent::from_json(absent).unwrap().raw_data().unwrap().get("previous_attributes").is_none());
}

/// The documented samples, through a bus and back: typed where they are handled, untouched where they are forwarded.
#[tokio::test(start_paused = true)]
async fn documented_samples_go_through_a_bus_unchanged() {
    let bus = TestBus::new().await.unwrap();
    let typed = |event: payment_kit::PaymentEvent| async move {
        assert!(!matches!(event, payment_kit::PaymentEvent::Other(_)));
        Ok(())
    };
    bus.subscribe("typed").on(typed).order(Order::PerKey).start().await.unwrap();
    bus.subscribe("forwards").on(|_: AnyEvent| async { Ok(()) }).start().await.unwrap();
    let gstable = ENVELOPES.map(|text| {
        let envelope: gstable::Envelope = serde_json::from_str(text).unwrap();
        envelope.into_event(gstable::UtcOffset::UTC).unwrap()
    });
    let events = [AnyEvent::from_json(RENEWED).unwrap()].into_iter().chain(gstable);
    let bodies: Vec<_> = events.clone().map(|event| event.to_json().unwrap()).collect();
    bus.publish_all(events).await.unwrap();
    bus.settled().await;
    let forwarded: Vec<_> = bus.handled("forwards").iter().map(|event| event.to_json().unwrap()).collect();
    assert_eq!(forwarded, bodies);
    assert_eq!(forwarded[0], RENEWED.as_bytes());
    assert_eq!(bus.handled("typed").len(), 1);
}

#[test]
fn every_documented_object_keeps_its_text_inside_an_event() {
    let samples: JsonMap = serde_json::from_str(OBJECTS).unwrap();
    for (model, object) in samples.iter() {
        let body = format!(
            r#"{{"id":"evt_1","type":"{}.created","object_type":"{model}","livemode":true,"data":{{"object":{}}},"created_at":"2026-01-01T00:00:00.000Z"}}"#,
            model.to_lowercase(),
            object.text(),
        );
        let event = AnyEvent::from_json(body.clone()).unwrap();
        assert_eq!(event.to_json().unwrap(), body);
        assert_eq!(event.object_json().unwrap().text(), object.text());
        assert_eq!(event.details().unwrap().object_type, model);
    }
}
