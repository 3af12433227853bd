//! `sign` and `verify`: every scheme, by one word for both.

use serde_json::Value;

use crate::tools::says;

const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
/// The same with its public half, as each scheme writes it.
const APP: &str = "0x9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const PAIR: &str =
    "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGg==";
const STRIPE: &str = r#"{"id":"evt_s","object":"event","type":"charge.refunded","livemode":false,"created":1767225600,"data":{"object":{"id":"ch_1"}}}"#;
const RULE: &str = r#"{"header":"x-hub-signature-256","prefix":"sha256=","signed":"{timestamp}.{body}","timestamp":"x-time","id":"body:id","type":"body:type"}"#;
const APPLICATION: &str = r#"{"did":"z1","pk":"0xab","url":"https://shop.example/","name":"Shop"}"#;

/// Each scheme, a secret of its, and a body.
fn schemes() -> [(&'static str, &'static str, String); 7] {
    let show = |more: &[&str]| says(&[&["events", "show", "--event", "--json"], more].concat(), "").out;
    let (event, stable) = (show(&["refund.created"]), show(&["account.updated", "--source", "gstable"]));
    [
        ("standard", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", event.clone()),
        ("standard-v1a", PAIR, event.clone()),
        ("payment-kit", APP, event.clone()),
        ("blocklet", SEED, event),
        ("gstable", "wkk_0123456789abcdef", stable),
        ("stripe", "whsec_of_sixteen_bytes", STRIPE.to_owned()),
        ("hmac", "a secret of sixteen bytes", STRIPE.to_owned()),
    ]
}

#[test]
fn both_say_by_which_words_and_these_are_all_that_there_are() {
    let words = schemes().map(|(scheme, ..)| scheme).join(", ");
    for command in ["sign", "verify"] {
        let help = says(&[command, "-h"], "").out;
        assert!(help.contains(&format!("<SCHEME>  {words}\n")), "{command}: {words}: {help}");
        let unknown = says(&[command, "nothing", "--secret", SEED], "{}");
        let (_, listed) = unknown.errors.split_once("must be one of ").unwrap();
        let mut listed: Vec<_> = listed.trim().split(", ").collect();
        let mut words: Vec<_> = words.split(", ").collect();
        listed.sort_unstable();
        words.sort_unstable();
        assert_eq!((unknown.code, listed), (2, words), "{command}");
    }
}

/// The headers of what `sign` printed, as `verify` takes them.
fn headers(signed: &Value) -> Vec<String> {
    let headers = signed["headers"].as_object().unwrap();
    headers.iter().map(|(name, value)| format!("{name}: {}", value.as_str().unwrap())).collect()
}

#[test]
fn what_each_format_signs_is_verified_and_what_was_touched_is_not() {
    for (scheme, secret, body) in schemes() {
        let (rule, by): (&[&str], &[&str]) = match scheme {
            "hmac" => (&["--hmac", RULE], &[]),
            "blocklet" => (&[], &["--application", APPLICATION]),
            _ => (&[], &[]),
        };
        let signed = says(&[&["sign", scheme, "--secret", secret, "--json"], rule, by].concat(), &body);
        assert_eq!(signed.code, 0, "{scheme}: {signed:?}");
        let signed: Value = serde_json::from_str(&signed.out).unwrap();
        let headers = headers(&signed);
        let headers: Vec<&str> = headers.iter().flat_map(|header| ["-H", header.as_str()]).collect();
        let check = |body: &str, headers: &[&str], more: &[&str]| {
            says(&[&["verify", scheme, "--secret", secret], headers, rule, more].concat(), body)
        };
        let body = signed["body"].as_str().unwrap();
        let verified = check(body, &headers, &["--json"]);
        assert_eq!(verified.code, 0, "{scheme}: {verified:?}");
        assert!(verified.out.starts_with(r#"{"event":{"#), "{verified:?}");
        for (said, why) in [
            (check(&body.replacen('_', "-", 1), &headers, &[]), "forged"),
            (check(body, &headers, &["--at", "2h"]), "stale"),
            (check(body, &[], &[]), "unsigned"),
        ] {
            let refused = said.errors.starts_with(&format!("webhook-bridge: {why}: "));
            assert!(said.code == 3 && refused, "{scheme}: {said:?}");
        }
    }
}

#[test]
fn what_a_scheme_needs_and_was_not_given_is_said() {
    for (arguments, needed) in [
        (["sign", "blocklet", "--secret", SEED], "--application"),
        (["sign", "hmac", "--secret", SEED], "--hmac"),
        (["verify", "hmac", "--secret", SEED], "--hmac"),
        (["sign", "standard", "--secret", "@/nowhere"], "/nowhere"),
        (["verify", "blocklet", "--secret", "5f7c1b3d****"], "64 hex digits"),
    ] {
        let said = says(&arguments, STRIPE);
        assert!(said.code == 2 && said.errors.contains(needed), "{arguments:?}: {said:?}");
    }
}

/// Blocklet Server's bodies say it in the object, or nowhere.
#[test]
fn where_nothing_says_the_mode_it_is_the_one_that_is_named_or_test() {
    let sign = ["sign", "blocklet", "--secret", SEED, "--application", APPLICATION, "--json"];
    for (object, more, shown) in [
        (r#"{"id":"o_1","livemode":true}"#, &[][..], "of blocklet, live"),
        (r#"{"id":"o_1"}"#, &[], "of blocklet, test"),
        (r#"{"id":"o_1"}"#, &["--mode", "live"], "of blocklet, live"),
        (r#"{"id":"o_1","livemode":true}"#, &["--mode", "test"], "livemode: is not this source's"),
    ] {
        let event = format!(
            r#"{{"id":"evt_1","type":"shop.sold","source":"shop","livemode":true,"data":{{"object":{object}}},"created_at":"2026-01-01T00:00:00Z"}}"#
        );
        let signed: Value = serde_json::from_str(&says(&sign, &event).out).unwrap();
        let headers = headers(&signed);
        let headers: Vec<&str> = headers.iter().flat_map(|header| ["-H", header.as_str()]).collect();
        let verify = [&["verify", "blocklet", "--secret", SEED], &headers[..], more].concat();
        let said = says(&verify, signed["body"].as_str().unwrap());
        assert!(format!("{}{}", said.out, said.errors).trim_end().ends_with(shown), "{object}: {said:?}");
    }
}
