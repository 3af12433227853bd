//! Made-up objects, so that a type can be published by its name alone: a row per object that has more than an id.

use eventbus::{EventId, Timestamp, catalogue, find, gstable, payment_kit};
use serde_json::{Map, Value, json};
use webhook_bridge::model::Mode;

/// What is known of a type.
pub(super) struct Kind {
    pub(super) source: String,
    pub(super) object_type: &'static str,
    pub(super) api_version: &'static str,
    /// The field of the object that is its id.
    pub(super) id: &'static str,
    /// Whether a catalogue lists it.
    pub(super) known: bool,
}

/// Whose object, its name, the field of its id, what the id begins with, and the other fields.
type Row = (&'static str, &'static str, [&'static str; 2], &'static str);

const OBJECTS: &[Row] = &[
    (
        payment_kit::SOURCE,
        "CheckoutSession",
        ["id", "cs"],
        r#"{"mode":"payment","status":"complete","payment_status":"paid","currency_id":"pc_sample",
            "customer_id":"cus_sample","amount_subtotal":"12500000","amount_total":"12500000"}"#,
    ),
    (
        payment_kit::SOURCE,
        "Subscription",
        ["id", "sub"],
        r#"{"status":"active","currency_id":"pc_sample","customer_id":"cus_sample","cancel_at_period_end":false}"#,
    ),
    (
        payment_kit::SOURCE,
        "Invoice",
        ["id", "in"],
        r#"{"status":"paid","paid":true,"currency_id":"pc_sample","customer_id":"cus_sample","total":"12500000",
            "amount_due":"12500000","amount_paid":"12500000","amount_remaining":"0"}"#,
    ),
    (
        payment_kit::SOURCE,
        "PaymentIntent",
        ["id", "pi"],
        r#"{"status":"succeeded","amount":"12500000","amount_received":"12500000","currency_id":"pc_sample",
            "customer_id":"cus_sample"}"#,
    ),
    (
        payment_kit::SOURCE,
        "Refund",
        ["id", "re"],
        r#"{"status":"succeeded","amount":"12500000","currency_id":"pc_sample","payment_intent_id":"pi_sample"}"#,
    ),
    (payment_kit::SOURCE, "Customer", ["id", "cus"], r#"{"name":"A. Sample","email":"sample@example.com"}"#),
    (payment_kit::SOURCE, "Product", ["id", "prod"], r#"{"name":"A sample"}"#),
    (gstable::SOURCE, "Session", ["sessionId", "sess"], r#"{"status":"completed","amount":12500000}"#),
    (gstable::SOURCE, "PaymentLink", ["linkId", "link"], r#"{"amount":12500000}"#),
    (gstable::SOURCE, "Product", ["productId", "prod"], r#"{"name":"A sample"}"#),
    (gstable::SOURCE, "Account", ["accountId", "acc"], r#"{"accountName":"A sample"}"#),
];

/// Types whose object is in another state than its row says.
const STATES: &[(&str, &str)] = &[
    ("checkout.session.created", r#"{"status":"open","payment_status":"unpaid"}"#),
    ("checkout.session.expired", r#"{"status":"expired","payment_status":"unpaid"}"#),
    ("customer.subscription.deleted", r#"{"status":"canceled"}"#),
    ("customer.subscription.past_due", r#"{"status":"past_due"}"#),
    ("customer.subscription.paused", r#"{"status":"paused"}"#),
    ("invoice.created", r#"{"status":"draft","paid":false,"amount_paid":"0","amount_remaining":"12500000"}"#),
    (
        "invoice.payment_failed",
        r#"{"status":"open","paid":false,"amount_paid":"0","amount_remaining":"12500000"}"#,
    ),
    ("payment_intent.created", r#"{"status":"requires_payment_method","amount_received":"0"}"#),
    ("payment_intent.payment_failed", r#"{"status":"requires_payment_method","amount_received":"0"}"#),
    ("refund.created", r#"{"status":"pending"}"#),
    ("session.created", r#"{"status":"initialized"}"#),
    ("session.expired", r#"{"status":"expired"}"#),
    ("session.paid", r#"{"status":"paid"}"#),
];

/// What is known of a type of this source, or of the one whose catalogue lists it.
pub(super) fn kind(source: Option<&str>, event_type: &str) -> Kind {
    let entry = match source {
        Some(source) => find(source, event_type),
        None => catalogue().find(|entry| entry.event_type == event_type),
    };
    let source = source.or(entry.map(|entry| entry.source)).unwrap_or("custom");
    let object_type = entry.map_or("Object", |entry| entry.object_type);
    Kind {
        id: row(source, object_type).map_or("id", |(_, _, [id, _], _)| id),
        source: source.to_owned(),
        object_type,
        api_version: if source == gstable::SOURCE { "v1" } else { "2023-09-05" },
        known: entry.is_some(),
    }
}

/// A made-up object, with an id of its own.
pub(super) fn object(event_type: &str, kind: &Kind, mode: Mode) -> Map<String, Value> {
    let row = row(&kind.source, kind.object_type);
    let mut object = row.map(|(_, _, _, fields)| parse(fields)).unwrap_or_default();
    if let Some((_, fields)) = STATES.iter().find(|(of, _)| *of == event_type) {
        object.extend(parse(fields));
    }
    let prefix = row.map_or_else(|| snake(kind.object_type), |(_, _, [_, prefix], _)| (*prefix).to_owned());
    let fresh = EventId::generate(Timestamp::now()).to_string();
    object.insert(kind.id.to_owned(), json!(fresh.replacen("evt", &prefix, 1)));
    if kind.source == payment_kit::SOURCE {
        object.insert("livemode".to_owned(), json!(mode.is_live()));
    }
    object
}

fn row(source: &str, object_type: &str) -> Option<&'static Row> {
    OBJECTS.iter().find(|(of, name, ..)| *of == source && *name == object_type)
}

fn parse(fields: &str) -> Map<String, Value> {
    serde_json::from_str(fields).unwrap_or_default()
}

/// `TestClock` is `test_clock`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for (at, letter) in name.char_indices() {
        if letter.is_ascii_uppercase() && at > 0 {
            text.push('_');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use eventbus::gstable::GStableEvent;
    use eventbus::payment_kit::PaymentEvent;
    use eventbus::{AnyEvent, CatalogueEntry, FromEvent as _};

    use super::*;

    fn event(entry: &CatalogueEntry) -> AnyEvent {
        let kind = kind(Some(entry.source), entry.event_type);
        let object = object(entry.event_type, &kind, Mode::Test);
        let event = json!({
            "id": "evt_1", "livemode": false, "type": entry.event_type, "source": entry.source,
            "api_version": kind.api_version, "object_type": kind.object_type, "object_id": object[kind.id],
            "data": { "object": object }, "created_at": "2026-01-01T00:00:00.000Z",
        });
        AnyEvent::from_json(event.to_string()).unwrap()
    }

    #[test]
    fn every_type_of_both_catalogues_has_an_object_that_its_subscribers_can_read() {
        for entry in catalogue() {
            let event = event(entry);
            if entry.source == gstable::SOURCE {
                let typed = GStableEvent::from_event(event).unwrap();
                assert!(!matches!(typed, GStableEvent::Other(_)), "{}", entry.event_type);
            } else {
                let typed = PaymentEvent::from_event(event).unwrap();
                assert!(!matches!(typed, PaymentEvent::Other(_)), "{}", entry.event_type);
            }
        }
    }

    #[test]
    fn rows_are_of_what_the_catalogues_list() {
        for (source, name, ..) in OBJECTS {
            assert!(catalogue().any(|entry| entry.source == *source && entry.object_type == *name), "{name}");
        }
        for (name, fields) in STATES {
            assert!(catalogue().any(|entry| entry.event_type == *name), "{name}");
            assert!(!parse(fields).is_empty(), "{name}");
        }
    }
}
