//! Any bytes at all.

use std::str::FromStr;

use eventbus::payment_kit::{Invoice, PaymentEvent};
use eventbus::transport::Group;
use eventbus::{AnyEvent, ErrorKind, EventType, FromEvent as _, Key, Pattern, Timestamp, TraceContext};
use proptest::prelude::*;

use crate::with;

/// Bytes near a good event: what parsers trip over.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0..4_u8);
    let piece = prop_oneof![
        Just("\\ud800"),
        Just("{\"a\":"),
        Just("[["),
        Just("1e999"),
        Just("\"id\":"),
        Just("\\u0000"),
        Just("-"),
        Just("\u{2028}"),
    ];
    let body = with("metadata", r#"{"a":[1.10,null,true,"\u00e9"],"b":{"c":-0}}"#).into_bytes();
    (prop::collection::vec(change, 1..6), piece).prop_map(move |(changes, piece)| {
        let mut bytes = body.clone();
        for (place, byte, kind) in changes {
            let at = place.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, byte),
                _ => drop(bytes.splice(at..at, piece.bytes())),
            }
        }
        bytes
    })
}

/// Reads everything there is to read; whatever comes of it, it is no panic, and every error is clear.
fn read_all(bytes: &[u8]) {
    let event = match AnyEvent::try_from(bytes) {
        Ok(event) => event,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Undecodable);
            assert!(error.to_string().len() < 600, "{error}");
            return;
        }
    };
    assert_eq!(event.to_json().unwrap(), bytes);
    for error in
        [event.details().err(), event.raw_data().err(), event.object_json().err()].into_iter().flatten()
    {
        assert_eq!(error.kind(), ErrorKind::Undecodable);
    }
    drop(event.object::<Invoice>());
    drop(PaymentEvent::from_event(event));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 4_096, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        read_all(&bytes);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}\",:\\\\ud8a0-9.eE+-]{0,64}") {
        read_all(text.as_bytes());
        for bad in [Pattern::from_str(&text).err(), EventType::from_str(&text).err(), TraceContext::from_str(&text).err(),
            Timestamp::from_str(&text).err(), Key::from_str(&text).err(), Group::from_str(&text).err()].into_iter().flatten()
        {
            prop_assert_eq!(bad.kind(), ErrorKind::Invalid);
        }
    }

    #[test]
    fn no_change_of_a_good_event_makes_it_panic(bytes in mutated()) {
        read_all(&bytes);
    }
}
