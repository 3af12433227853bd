//! The two catalogues and the objects in them, against the providers' documented facts.

#![allow(clippy::unwrap_used, reason = "a test helper that fails is a test that fails")]

use std::collections::BTreeSet;

use eventbus::gstable::{self, Envelope, Family, GStableEvent, UtcOffset};
use eventbus::json::{Json, JsonMap};
use eventbus::payment_kit::{self, PaymentEvent, Price, Product, Subscription, SubscriptionStatus};
use eventbus::{AnyEvent, Event, EventKind, FromEvent, Origin, catalogue, find};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const PAYMENT_KIT_TYPES: &str = include_str!("samples/payment-kit-event-types.txt");
const GSTABLE_TYPES: &str = include_str!("samples/gstable-event-types.txt");
const OBJECTS: &str = include_str!("samples/payment-kit-objects.json");
const RENEWED: &str = include_str!("samples/payment-kit-subscription-renewed.json");
const ENVELOPES: [&str; 4] = [
    include_str!("samples/gstable-session-paid.json"),
    include_str!("samples/gstable-payment-link-disabled.json"),
    include_str!("samples/gstable-product-archived.json"),
    include_str!("samples/gstable-account-created.json"),
];

/// Types that Payment Kit's guides and code name beyond the list.
const BEYOND: [&str; 7] = [
    "customer.credit_grant.consumed",
    "customer.credit_grant.low_balance",
    "customer.credit_grant.updated",
    "customer.credit_transaction.created",
    "customer.subscription.will_canceled",
    "customer.subscription.will_renew",
    "subscription.stake.slash.succeeded",
];

#[test]
fn the_catalogues_list_exactly_the_documented_types() {
    let of = |source: &str, origin: Origin| -> BTreeSet<&str> {
        let entries = catalogue().filter(|entry| entry.source == source && entry.origin == origin);
        entries.map(|entry| entry.event_type).collect()
    };
    let listed = of("payment-kit", Origin::Listed);
    assert_eq!(listed.len(), 214);
    assert_eq!(listed, PAYMENT_KIT_TYPES.lines().collect());
    assert_eq!(of("payment-kit", Origin::Guides), BEYOND.into());
    assert_eq!(of("gstable", Origin::Listed), GSTABLE_TYPES.lines().collect());
    assert_eq!(payment_kit::CATALOGUE.len(), 221);
    assert_eq!(gstable::CATALOGUE.len(), 19);
    assert_eq!(catalogue().count(), 240);
}

#[test]
fn every_marker_is_its_type_in_pascal_case() {
    let mut markers = 0;
    for rows in [include_str!("../src/payment_kit/catalogue.rs"), include_str!("../src/gstable/catalogue.rs")]
    {
        let quoted = rows.lines().filter_map(|row| row.trim().split_once("(\""));
        for (marker, rest) in quoted {
            let (event_type, _) = rest.split_once("\")").unwrap();
            assert_eq!(marker, pascal(event_type));
            markers += 1;
        }
    }
    assert_eq!(markers, 240);
    assert_eq!(payment_kit::CustomerSubscriptionRenewed::TYPE, "customer.subscription.renewed");
    assert_eq!(payment_kit::CustomerSubscriptionRenewed::API_VERSION, "2023-09-05");
    assert_eq!(gstable::SessionSettlementPending::SOURCE, "gstable");
}

#[test]
fn every_description_is_a_sentence_of_its_own() {
    let mut seen = BTreeSet::new();
    for entry in catalogue() {
        let description = entry.description;
        assert!(description.ends_with('.') && description.len() <= 256, "{description:?}");
        assert_eq!(description.trim(), description);
        assert!(seen.insert((entry.source, description)), "{description:?} is used twice");
    }
}

#[test]
fn a_type_that_both_sources_name_is_two_types() {
    for event_type in ["product.created", "product.updated", "account.updated"] {
        let (ours, theirs) = (find("payment-kit", event_type).unwrap(), find("gstable", event_type).unwrap());
        assert_ne!(ours, theirs);
    }
    let foreign = event("gstable", "product.created", r#"{"productId":"prd_1"}"#);
    assert!(Event::<payment_kit::ProductCreated>::from_event(foreign.clone()).is_err());
    assert!(PaymentEvent::from_event(foreign.clone()).is_err());
    assert!(Event::<gstable::ProductCreated>::from_event(foreign).is_ok());
    assert_eq!(find("shop", "product.created"), None);
    assert_eq!(find("gstable", "product.deleted"), None);
}

#[test]
fn every_listed_type_has_a_variant() {
    let object = r#"{"id":"x","sessionId":"x","linkId":"x","productId":"x","accountId":"x"}"#;
    for entry in payment_kit::CATALOGUE {
        let typed = PaymentEvent::from_event(event("payment-kit", entry.event_type, object)).unwrap();
        assert!(!matches!(typed, PaymentEvent::Other(_)), "{}", entry.event_type);
        assert_eq!(typed.event_type().as_str(), entry.event_type);
    }
    for entry in gstable::CATALOGUE {
        let typed = GStableEvent::from_event(event("gstable", entry.event_type, object)).unwrap();
        assert!(!matches!(typed, GStableEvent::Other(_)), "{}", entry.event_type);
        assert_eq!(typed.event_type().as_str(), entry.event_type);
    }
}

#[test]
fn a_type_that_is_not_listed_passes_as_it_is() {
    let typed = PaymentEvent::from_event(event("payment-kit", "customer.moon.reached", r#"[1]"#)).unwrap();
    assert!(matches!(&typed, PaymentEvent::Other(other) if other.event_type() == "customer.moon.reached"));
}

#[test]
fn every_documented_field_of_every_object_is_known_and_comes_back() {
    let samples: JsonMap = serde_json::from_str(OBJECTS).unwrap();
    let mut checked = 0;
    macro_rules! check {
        ($($Object:ident)*) => {$(
            let name = stringify!($Object);
            let shown = known::<payment_kit::$Object>(name, samples.get(name).unwrap());
            assert!(!shown.contains("Other("), "{name} has unknown words: {shown}");
            checked += 1;
        )*};
    }
    check!(CheckoutSession Coupon CreditGrant CreditTransaction Customer Discount Invoice InvoiceItem Meter MeterEvent);
    check!(PaymentCurrency PaymentIntent PaymentLink Payout Price PricingTable Product PromotionCode Refund);
    check!(SetupIntent Subscription SubscriptionItem SubscriptionSchedule TaxRate UsageRecord);
    check!(PaymentMethod WebhookAttempt WebhookEndpoint);
    assert_eq!(checked, samples.len());
}

#[test]
fn what_is_not_documented_survives_by_its_text() {
    let text = r#"{"id":"sub_1","status":"hibernating","z":1.10,"cancel_at":null,"a":9007199254740993,"m":{"b":1, "a":[18446744073709551615]}}"#;
    let subscription: Subscription = serde_json::from_str(text).unwrap();
    assert_eq!(subscription.status, Some(SubscriptionStatus::Other("hibernating".into())));
    assert_eq!(subscription.cancel_at, None);
    assert_eq!(subscription.extra.keys().collect::<Vec<_>>(), ["z", "cancel_at", "a", "m"]);
    assert_eq!(serde_json::to_string(&subscription).unwrap(), text);
}

#[test]
fn null_and_absent_stay_apart_until_the_field_is_set() {
    let mut price: Price = serde_json::from_str(r#"{"id":"price_1","lookup_key":null}"#).unwrap();
    assert_eq!(serde_json::to_string(&price).unwrap(), r#"{"id":"price_1","lookup_key":null}"#);
    price.lookup_key = Some("gold".into());
    assert_eq!(serde_json::to_string(&price).unwrap(), r#"{"id":"price_1","lookup_key":"gold"}"#);
}

#[test]
fn decimals_are_never_rounded() {
    for number in ["1.10", "9007199254740993", "18446744073709551615"] {
        let text = format!(r#"{{"id":"txr_1","percentage":{number}}}"#);
        let rate: payment_kit::TaxRate = serde_json::from_str(&text).unwrap();
        assert_eq!(rate.percentage.as_ref().unwrap().as_str(), number);
        assert_eq!(serde_json::to_string(&rate).unwrap(), text);
    }
}

#[test]
fn no_field_is_required_and_none_is_made_up() {
    for text in [r#"{"status":"active"}"#, r#"{"id":null,"status":"active"}"#, "{}"] {
        let subscription: Subscription = serde_json::from_str(text).unwrap();
        assert_eq!(subscription.id, "");
        let again: Value = serde_json::to_value(&subscription).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(text).unwrap());
    }
}

#[test]
fn what_is_wrong_is_refused_by_name() {
    let error = |text: &str| serde_json::from_str::<Subscription>(text).unwrap_err().to_string();
    assert!(error(r#"{"id":"a","status":"active","status":"paused"}"#).contains("duplicate field `status`"));
    assert!(error(r#"{"id":"a","cancel_at":null,"cancel_at":1}"#).contains("duplicate field `cancel_at`"));
    assert!(error(r#"{"id":"a","new":1,"new":1}"#).contains("duplicate field `new`"));

    let wrong = |object: &str| {
        let renewed = event("payment-kit", "customer.subscription.renewed", object);
        Event::<payment_kit::CustomerSubscriptionRenewed>::from_event(renewed).unwrap_err().to_string()
    };
    assert!(wrong(r#"{"id":"a","cancel_at":"soon"}"#).contains("cancel_at"));
    assert!(
        wrong(r#"{"id":"a","trial_settings":{"end_behavior":7}}"#).contains("trial_settings.end_behavior")
    );
    assert!(wrong(r#"{"id":7}"#).contains("data.object.id"));
}

#[test]
fn secrets_of_a_payment_method_stay_out_of_debug() {
    let text = r#"{"id":"pm_1","settings":{"stripe":{"secret_key":"sk_live_1"}}}"#;
    let method: payment_kit::PaymentMethod = serde_json::from_str(text).unwrap();
    assert!(!format!("{method:?}").contains("sk_live_1"));
    assert!(method.settings.as_ref().unwrap().reveal().text().contains("sk_live_1"));
    assert_eq!(serde_json::to_string(&method).unwrap(), text);
}

#[test]
fn the_documented_sample_of_payment_kit_decodes_and_comes_back() {
    let any = AnyEvent::from_json(RENEWED).unwrap();
    let renewed = Event::<payment_kit::CustomerSubscriptionRenewed>::from_event(any.clone()).unwrap();
    assert_eq!(renewed.object().status, Some(SubscriptionStatus::Active));
    assert_eq!(renewed.object().current_period_end, Some(1_769_904_000));
    assert_eq!(renewed.object_id(), "sub_hmL7FQTmMbYVELkH6uVo6m9P");
    let sample: Value = serde_json::from_str(RENEWED).unwrap();
    assert_eq!(serde_json::to_value(renewed.object()).unwrap(), sample["data"]["object"]);
    assert!(matches!(PaymentEvent::from_event(any).unwrap(), PaymentEvent::CustomerSubscriptionRenewed(_)));
}

#[test]
fn an_envelope_of_gstable_becomes_an_event_and_an_envelope_again() {
    for text in ENVELOPES {
        let envelope: Envelope = serde_json::from_str(text).unwrap();
        assert!(envelope.extra.is_empty());
        let event = envelope.into_event(UtcOffset::UTC).unwrap();
        assert_eq!((event.source().as_str(), event.livemode()), ("gstable", true));
        let typed = GStableEvent::from_event(event.clone()).unwrap();
        assert!(!matches!(typed, GStableEvent::Other(_)));
        let family = Family::of_type(event.event_type().as_str()).unwrap();
        assert_eq!(event.details().unwrap().object_type, family.object_type);
        same(&Envelope::from_event(&event).unwrap(), text);
    }
}

#[test]
fn nothing_in_an_envelope_is_lost() {
    let odd = [
        r#"{"eventId":"e1","eventType":"session.paid","occurrence":"2026-01-04 08:10:35","isSubscribable":null,
            "businessType":null,"payload":{"sessionData":{"sessionId":"s"},"fees":[1.10],"object":2},"trace":{"a":1}}"#,
        r#"{"eventId":"e2","eventType":"refund.created","businessType":"refund","occurrence":"2026-01-04 08:10:35",
            "payload":{"refundData":{"refundId":"r"},"transaction":null}}"#,
        r#"{"eventId":"e3","eventType":"ping.sent","businessType":"ping","occurrence":"2026-01-04 08:10:35","payload":{}}"#,
    ];
    for text in odd {
        let event = serde_json::from_str::<Envelope>(text).unwrap().into_event(UtcOffset::UTC).unwrap();
        same(&Envelope::from_event(&event).unwrap(), text);
    }
    let refund: Envelope = serde_json::from_str(odd[1]).unwrap();
    let details = refund.into_event(UtcOffset::UTC).unwrap().details().unwrap().clone();
    assert_eq!((details.object_type.as_str(), details.object_id.as_str()), ("Refund", "r"));
}

#[test]
fn an_envelope_without_its_resource_is_refused_by_name() {
    let text =
        r#"{"eventId":"e","eventType":"session.paid","occurrence":"2026-01-04 08:10:35","payload":{}}"#;
    let error = serde_json::from_str::<Envelope>(text).unwrap().into_event(UtcOffset::UTC).unwrap_err();
    assert!(error.to_string().contains("payload.sessionData"), "{error}");
}

#[test]
fn a_session_has_its_transaction_beside_it() {
    let envelope: Envelope = serde_json::from_str(ENVELOPES[0]).unwrap();
    let event = envelope.into_event("+08:00".parse().unwrap()).unwrap();
    assert_eq!(event.time().to_string(), "2026-01-04T00:10:35.000Z");
    assert_eq!(event.key().unwrap().as_str(), "sess_5fQ2");
    let paid = Event::<gstable::SessionPaid>::from_event(event).unwrap();
    assert_eq!(paid.object().amount, Some(12_500_000));
    assert_eq!(paid.object().receipt_id, None);
    let transaction = paid.transaction().unwrap().unwrap();
    assert_eq!(transaction.total_value.unwrap().as_str(), "12.50");
    assert_eq!(transaction.payment_value.unwrap().as_str(), "9007199254740993");
}

#[test]
fn every_documented_field_of_gstables_objects_is_known_and_comes_back() {
    let resource = |at: usize, key: &str| -> Json {
        let envelope: Envelope = serde_json::from_str(ENVELOPES[at]).unwrap();
        envelope.payload.unwrap().remove(key).unwrap()
    };
    let session: gstable::Session = resource(0, "sessionData").decode().unwrap();
    assert_eq!(
        session.extra.keys().collect::<Vec<_>>(),
        ["receiptId", "settlementSucceededTime", "currency"]
    );
    known::<gstable::Transaction>("Transaction", &resource(0, "transaction"));
    known::<gstable::PaymentLink>("PaymentLink", &resource(1, "linkData"));
    known::<gstable::Product>("Product", &resource(2, "productData"));
    known::<gstable::Account>("Account", &resource(3, "accountData"));
    let link: gstable::PaymentLink = resource(1, "linkData").decode().unwrap();
    assert_eq!(link.line_items.unwrap().items().len(), 1);
}

#[test]
fn an_event_that_never_was_an_envelope_gets_one() {
    let product = gstable::Product { product_id: "prd_1".into(), ..Default::default() };
    let event = gstable::ProductCreated::new(product).id("evt_1").build().unwrap();
    let envelope = Envelope::from_event(event.as_any()).unwrap();
    assert_eq!(envelope.business_type.as_deref(), Some("product"));
    assert_eq!(envelope.occurrence.as_ref().unwrap().len(), "2026-01-04 08:10:35".len());
    assert!(envelope.payload.unwrap().contains_key("productData"));
    let ours = payment_kit::ProductCreated::new(Product { id: "prod_1".into(), ..Default::default() })
        .build()
        .unwrap();
    assert!(Envelope::from_event(ours.as_any()).is_err());
}

/// Decodes a sample that has every documented field: nothing may be left over, and encoding must give the same value.
/// Gives back what `Debug` shows of it.
fn known<O: DeserializeOwned + Serialize + std::fmt::Debug>(name: &str, sample: &Json) -> String {
    let object: O = sample.decode().unwrap();
    let shown = format!("{object:?}");
    assert!(
        shown.contains("extra: {}") && !shown.contains("extra: {\""),
        "{name} has unknown fields: {shown}"
    );
    same(&object, sample.text());
    let from_value: O = serde_json::from_value(sample.decode().unwrap()).unwrap();
    assert_eq!(serde_json::to_value(&from_value).unwrap(), sample.decode::<Value>().unwrap());
    shown
}

/// Checks that a value encodes to the JSON it came from.
fn same<T: Serialize>(value: &T, text: &str) {
    let encoded = serde_json::to_string(value).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&encoded).unwrap(),
        serde_json::from_str::<Value>(text).unwrap()
    );
}

fn event(source: &str, event_type: &str, object: &str) -> AnyEvent {
    let body = format!(
        r#"{{"id":"evt_1","livemode":false,"type":"{event_type}","source":"{source}","api_version":"1","object_type":"X","object_id":"x","data":{{"object":{object}}},"created_at":"2026-01-01T00:00:00.000Z","updated_at":"2026-01-01T00:00:00.000Z"}}"#
    );
    AnyEvent::from_json(body).unwrap()
}

fn pascal(event_type: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    event_type.split(['.', '_']).map(word).collect()
}
