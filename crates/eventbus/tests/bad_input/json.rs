//! Bytes that are no event.

use std::collections::HashMap;

use eventbus::json::Json;
use eventbus::payment_kit::{InvoicePaid, PaymentEvent};
use eventbus::{AnyEvent, ErrorKind, Event, FromEvent as _, MAX_DEPTH};

use crate::{GOOD, object, says, undecodable, with, without};

#[test]
fn malformed_json_is_refused_with_its_place() {
    undecodable("", "not valid JSON", "line 1 column 0");
    undecodable("{", "not valid JSON", "EOF");
    undecodable("nul", "not valid JSON", "EOF");
    undecodable("{'id':1}", "not valid JSON", "key must be a string");
    undecodable(r#"{"id":"a",}"#, "not valid JSON", "trailing comma");
    undecodable(object(GOOD) + "{}", "not valid JSON", "trailing characters");
    undecodable("\u{feff}".to_owned() + &object(GOOD), "not valid JSON", "line 1 column 1");
    undecodable(with("id", "\"a\nb\""), "id", "control character");
    undecodable(b"{\"id\":\"\xff\"}", "id", "unicode");
    undecodable(with("data", r#"{"object":{"id" "in_1"}}"#), "data.object", "expected `:`");
}

#[test]
fn what_is_no_object_is_no_event() {
    let fields: Vec<&str> = GOOD.iter().map(|(_, value)| *value).collect();
    for body in ["null", "7", "[]", r#""evt_1""#, &format!("[{}]", fields.join(","))] {
        undecodable(body, "event", "must be a JSON object");
    }
    undecodable(
        r#"["evt_1",true,"a","s","1","O","o",{},null,0,null,"2026-01-01T00:00:00Z",null]"#,
        "event",
        "object",
    );
}

#[test]
fn a_field_of_the_wrong_type_is_named() {
    for (field, value, rule) in [
        ("id", "7", "integer `7`, expected a string"),
        ("id", "null", "expected a string"),
        ("type", "{}", "expected a string"),
        ("livemode", r#""yes""#, "expected a boolean"),
        ("livemode", "null", "expected a boolean"),
        ("source", "[]", "expected a string"),
        ("object_id", "5", "expected a string"),
        ("api_version", "1", "expected a string"),
        ("created_at", "1767225600", "expected a string"),
        ("updated_at", "7", "expected a string"),
        ("pending_webhooks", r#""3""#, "expected i64"),
        ("pending_webhooks", "1.5", "expected i64"),
        ("data", "null", "must be an object"),
        ("data", "[]", "must be an object"),
        ("metadata", "[]", "must be an object"),
        ("metadata", r#""x""#, "must be an object"),
    ] {
        undecodable(with(field, value), field, rule);
    }
}

#[test]
fn a_missing_field_is_named() {
    for (field, _) in GOOD {
        undecodable(without(field), field, "missing field");
    }
}

/// What routing does not need is checked when somebody asks for it.
#[test]
fn a_part_that_is_decoded_later_is_named_then() {
    let details =
        |name: &str, value: &str| AnyEvent::from_json(with(name, value)).unwrap().details().cloned();
    says(details("request", "7"), ErrorKind::Undecodable, "request", "must be an object");
    says(details("request", r#"["a","b"]"#), ErrorKind::Undecodable, "request", "must be an object");
    says(details("request", r#"{"id":7}"#), ErrorKind::Undecodable, "request.id", "expected a string");
    says(details("updated_at", r#""yesterday""#), ErrorKind::Undecodable, "updated_at", "ISO-8601");

    let typed = |data: &str| Event::<InvoicePaid>::try_from(AnyEvent::from_json(with("data", data)).unwrap());
    says(typed("{}"), ErrorKind::Undecodable, "data", "missing field `object`");
    says(typed(r#"{"object":{"id":7}}"#), ErrorKind::Undecodable, "data.object.id", "expected a string");
    says(typed(r#"{"object":7}"#), ErrorKind::Undecodable, "data.object", "integer `7`");
    says(
        typed(r#"{"object":{"id":"a","paid":"x"}}"#),
        ErrorKind::Undecodable,
        "data.object.paid",
        "expected a boolean",
    );
    let event = AnyEvent::from_json(with("data", r#"{"object":{},"previous_attributes":7}"#)).unwrap();
    let previous = event.data::<HashMap<String, Json>>("previous_attributes");
    says(previous, ErrorKind::Undecodable, "data.previous_attributes", "expected a map");
}

#[test]
fn a_huge_value_in_the_wrong_place_makes_no_huge_error() {
    let huge = "x".repeat(1 << 20);
    undecodable(with("livemode", &format!("{huge:?}")), "livemode", "expected a boolean");
    undecodable(with("type", &format!("{huge:?}")), "type", "at most 128 characters");
    undecodable(with("x", &format!(r#"{{"{huge}":1,"{huge}":2}}"#)), "x", "twice");
    undecodable(with("x", &format!(r#"{{"{huge}":-}}"#)), "xxx", "invalid number");
}

#[test]
fn depth_bombs_are_refused_at_the_limit_and_not_after_it() {
    let (open, close) = ("[".repeat(MAX_DEPTH - 1), "]".repeat(MAX_DEPTH - 1));
    assert!(AnyEvent::from_json(with("x", &format!("{open}{close}"))).is_ok());
    undecodable(with("x", &format!("{open}[]{close}")), "x", "nested deeper than 64 levels");
    let mebibyte = "[".repeat(1 << 20);
    undecodable(&mebibyte, "[0]", "nested deeper than 64 levels");
    undecodable(with("x", &mebibyte), "x", "nested deeper than 64 levels");
    undecodable(with("x", &r#"{"a":"#.repeat(1 << 18)), "x.a", "nested deeper than 64 levels");
    undecodable(
        with("data", &format!(r#"{{"object":{mebibyte}"#)),
        "data.object",
        "nested deeper than 64 levels",
    );
}

#[test]
fn duplicate_keys_are_refused_wherever_and_however_they_are_spelt() {
    for (value, field) in [
        (r#"{"a":1,"a":1}"#, "x: has the key \"a\""),
        (r#"{"a":1,"\u0061":2}"#, "x: has the key \"a\""),
        (r#"{"\u0061":1,"b":2,"a":3}"#, "x: has the key \"a\""),
        (r#"[0,{"b":{"":1,"":2}}]"#, "x[1].b: has the key \"\""),
        (r#"1,"id":"evt_2""#, "event: has the key \"id\""),
        (r#"1,"\u0069d":"evt_2""#, "event: has the key \"id\""),
    ] {
        undecodable(with("x", value), field, "twice");
    }
    let many: Vec<String> = (0..1_000).map(|number| format!("\"k{number}\":0")).collect();
    assert!(AnyEvent::from_json(with("x", &format!("{{{}}}", many.join(",")))).is_ok());
    undecodable(with("x", &format!("{{{},\"k999\":1}}", many.join(","))), "k999", "twice");
    undecodable(
        with("data", r#"{"object":{"id":"a"},"object":{"id":"b"}}"#),
        "data: has the key \"object\"",
        "twice",
    );
}

#[test]
fn lone_surrogates_are_refused_by_name() {
    for value in [
        r#""\ud800""#,
        r#""\udfff""#,
        r#""\ud800x""#,
        r#""\uDC00\uD800""#,
        r#""\ud83d\u0041""#,
        r#"{"\ud800":1}"#,
    ] {
        undecodable(with("x", value), "x: ", "half of a surrogate pair");
    }
    undecodable(
        with("data", r#"{"object":{"names":["ok","\uD83D"]}}"#),
        "data.object.names[1]",
        "half of a surrogate pair",
    );
    assert!(AnyEvent::from_json(with("x", r#""\ud83d\ude00""#)).is_ok());
    undecodable(with("x", r#""\u00zz""#), "x: invalid escape", "line 1");
    undecodable(with("x", r#""\ud83d\ude00"x"#), "not valid JSON: expected", "line 1");
}

#[test]
fn numbers_that_are_none_are_refused() {
    for (value, rule) in [
        ("NaN", "expected value"),
        ("Infinity", "expected value"),
        ("-Infinity", "invalid number"),
        ("nan", "expected ident"),
        ("1e999", "number out of range"),
        ("-1e999", "number out of range"),
        ("-", "invalid number"),
        ("01", "invalid number"),
        ("-01", "invalid number"),
        ("1.", "invalid number"),
        (".5", "expected value"),
        ("+1", "expected value"),
    ] {
        undecodable(with("x", value), "x: ", rule);
        undecodable(
            with("data", &format!(r#"{{"object":{{"amount":[{value}]}}}}"#)),
            "data.object.amount[0]",
            rule,
        );
    }
}

#[test]
fn what_nobody_has_seen_before_is_no_error() {
    let unknown = with("type", r#""customer.moon.reached""#);
    let event = PaymentEvent::from_event(AnyEvent::from_json(unknown).unwrap());
    assert!(event.is_ok_and(|event| matches!(event, PaymentEvent::Other(_))));
    let word = with("data", r#"{"object":{"id":"in_1","status":"haunted","new":[1.10]}}"#);
    assert!(Event::<InvoicePaid>::try_from(AnyEvent::from_json(word).unwrap()).is_ok());
    assert!(AnyEvent::from_json(with("brand_new", "{}")).is_ok());
}
