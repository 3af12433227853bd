//! Names, patterns, ids, instants and URLs that break their rules.

use std::str::FromStr;

use eventbus::local::LocalConfig;
use eventbus::{ErrorKind, EventBus, EventId, EventType, Key, Pattern, Source, Timestamp, TraceContext};

use crate::{says, undecodable, with};

#[test]
fn a_bad_type_is_refused_with_the_rule() {
    for (text, rule) in [
        ("", "must not be empty"),
        ("a..b", "empty segment"),
        (".a", "empty segment"),
        ("a.", "empty segment"),
        (".", "empty segment"),
        ("a b", "may only have letters"),
        ("a/b", "may only have letters"),
        ("a.*", "may only have letters"),
        ("prix.payé", "may only have letters"),
        (&"x".repeat(129), "at most 128 characters"),
    ] {
        says(EventType::from_str(text), ErrorKind::Invalid, "type", rule);
        undecodable(with("type", &format!("{text:?}")), "type", rule);
    }
    assert!(EventType::new("x".repeat(128)).is_ok());
}

#[test]
fn a_bad_pattern_is_refused_with_the_rule() {
    for (text, rule) in [
        ("", "empty segment"),
        ("a..b", "empty segment"),
        (".#", "empty segment"),
        ("a.", "empty segment"),
        ("a.#b", "whole segments"),
        ("a*", "whole segments"),
        ("**", "whole segments"),
        ("#.#", "twice in a row"),
        ("a.b c", "may only have letters"),
        ("é.#", "may only have letters"),
        (&"x".repeat(129), "at most 128 characters"),
    ] {
        says(Pattern::from_str(text), ErrorKind::Invalid, "pattern", rule);
    }
}

#[test]
fn bad_names_ids_and_instants_are_refused_with_the_rule() {
    let long = |len: usize| "x".repeat(len);
    for (text, rule) in [("", "empty"), ("a.b", "letters"), ("é", "letters"), (&long(81), "at most 80")] {
        says(Source::from_str(text), ErrorKind::Invalid, "source", rule);
        undecodable(with("source", &format!("{text:?}")), "source", rule);
    }
    for (text, rule) in [("", "empty"), ("a\n", "control characters"), (&long(257), "at most 256 bytes")] {
        says(Key::from_str(text), ErrorKind::Invalid, "key", rule);
    }
    undecodable(with("object_id", r#""a\u0000""#), "object_id", "control characters");
    undecodable(with("object_id", &format!("{:?}", long(257))), "object_id", "at most 256 bytes");
    for (text, rule) in
        [("", "empty"), ("a b", "visible ASCII"), ("é", "visible ASCII"), (&long(129), "at most 128")]
    {
        says(EventId::from_str(text), ErrorKind::Invalid, "id", rule);
        undecodable(with("id", &format!("{text:?}")), "id", rule);
    }
    for text in ["", "yesterday", "2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "1767225600"] {
        says(Timestamp::from_str(text), ErrorKind::Invalid, "time", "ISO-8601");
        undecodable(with("created_at", &format!("{text:?}")), "created_at", "ISO-8601");
    }
    let zeros = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
    for text in ["", "00", zeros, "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"] {
        says(TraceContext::from_str(text), ErrorKind::Invalid, "traceparent", "lower-case hex");
    }
}

#[tokio::test]
async fn a_bad_url_names_what_is_known() {
    for (url, field, rule) in [
        ("", "URL", "known: local"),
        ("local", "URL", "known: local"),
        ("carrier-pigeon://roof", "\"carrier-pigeon\"", "known: local"),
        ("local:?speed=11", "\"speed\"", "it knows capacity, dead_letters, scheduled"),
        ("local:?capacity=0", "capacity", "above 0"),
        ("local:?scheduled=0", "scheduled", "above 0"),
        ("local:?capacity=many", "capacity", "not a number"),
        ("local:?capacity=-1", "capacity", "not a number"),
        ("local:?overflow=explode", "overflow", "wait, fail, drop_oldest"),
        ("local://host", "local", "nothing but options"),
    ] {
        says(EventBus::connect(url).await, ErrorKind::Invalid, field, rule);
    }
    says(EventBus::local(LocalConfig::new().dead_letters(0)), ErrorKind::Invalid, "dead_letters", "above 0");
}
