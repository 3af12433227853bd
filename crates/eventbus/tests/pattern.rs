//! Patterns over event types mean what their grammar says.

#![allow(clippy::unwrap_used, reason = "a test helper that fails is a test that fails")]

use eventbus::{Filter, Pattern};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn patterns_match_what_a_naive_reading_of_the_grammar_matches(pattern in pattern(), event_type in event_type()) {
        let parsed: Pattern = pattern.parse().unwrap();
        let (segments, words): (Vec<_>, Vec<_>) = (pattern.split('.').collect(), event_type.split('.').collect());
        let naive = pattern == "*" || reads(&segments, &words);
        prop_assert_eq!(parsed.matches(&event_type), naive, "{} {}", pattern, event_type);
        let filter = Filter::new(parsed.clone()).source("shop".parse().unwrap());
        prop_assert_eq!(filter.matches("shop", &event_type), naive);
        prop_assert!(!filter.matches("gstable", &event_type));
    }

    #[test]
    fn a_pattern_is_its_text(pattern in pattern()) {
        let parsed: Pattern = pattern.parse().unwrap();
        let spelt = if pattern == "*" { "#" } else { pattern.as_str() };
        prop_assert_eq!(parsed.to_string(), spelt);
        prop_assert_eq!(parsed.to_string().parse::<Pattern>().unwrap(), parsed);
    }
}

/// Patterns over three words, so that they meet the types below often.
fn pattern() -> impl Strategy<Value = String> {
    let segment = prop_oneof![Just("a"), Just("b"), Just("ab"), Just("*"), Just("#")];
    vec(segment, 1..7).prop_map(|mut segments| {
        segments.dedup_by(|one, other| *one == "#" && *other == "#");
        segments.join(".")
    })
}

fn event_type() -> impl Strategy<Value = String> {
    vec(prop_oneof![Just("a"), Just("b"), Just("ab")], 1..7).prop_map(|words| words.join("."))
}

/// The grammar, read aloud.
fn reads(pattern: &[&str], words: &[&str]) -> bool {
    match (pattern, words) {
        ([], []) => true,
        (["#", rest @ ..], _) if reads(rest, words) => true,
        (["#", ..], [_, words @ ..]) => reads(pattern, words),
        (["*", pattern @ ..], [_, words @ ..]) => reads(pattern, words),
        ([segment, pattern @ ..], [word, words @ ..]) => segment == word && reads(pattern, words),
        _ => false,
    }
}

#[test]
fn the_truth_table_of_patterns() {
    let rows = [
        ("#", "a", true),
        ("#", "a.b.c", true),
        ("*", "a", true),
        ("*", "a.b.c", true), // a lone star is everything, as in enabled_events
        ("a", "a", true),
        ("a", "b", false),
        ("a", "a.b", false),
        ("a.b", "a.b", true),
        ("a.b", "a", false),
        ("a.*", "a.b", true),
        ("a.*", "a", false),
        ("a.*", "a.b.c", false),
        ("a.#", "a", true),
        ("a.#", "a.b", true),
        ("a.#", "a.b.c", true),
        ("a.#", "b.a", false),
        ("a.#", "ab", false),
        ("#.a", "a", true),
        ("#.a", "b.c.a", true),
        ("#.a", "a.b", false),
        ("*.a", "b.a", true),
        ("*.a", "a", false),
        ("*.*", "a.b", true),
        ("*.*", "a", false),
        ("a.*.c", "a.b.c", true),
        ("a.*.c", "a.c", false),
        ("a.#.c", "a.c", true),
        ("a.#.c", "a.b.b.c", true),
        ("a.#.c", "a.c.b", false),
        ("#.*.#", "a", true),
        ("#.b.#", "a.b.c", true),
        ("*.#", "a", true),
        ("customer.subscription.*", "customer.subscription.renewed", true),
        ("customer.subscription.*", "customer.created", false),
        ("A", "a", false),
    ];
    assert!(rows.len() >= 30);
    for (pattern, event_type, matches) in rows {
        let parsed: Pattern = pattern.parse().unwrap();
        assert_eq!(parsed.matches(event_type), matches, "{pattern} {event_type}");
    }
}
