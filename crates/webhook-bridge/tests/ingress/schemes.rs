//! Each scheme over HTTP: as its provider signs, and no other way.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use webhook_bridge::Config;
use webhook_bridge::ingress::{Source, SourceConfig};

use crate::rig::{Headers, Rig, hex, now, tag};

/// GitHub's and Shopify's, as a table of the configuration.
const SOURCES: &str = r#"{
    "stripe": {"scheme": "stripe", "secrets": ["whsec_former_secret", "whsec_test_secret"]},
    "live": {"scheme": "stripe", "secrets": ["whsec_test_secret"], "mode": "live"},
    "gstable": {"scheme": "gstable", "secrets": ["wkk_test_12345678"], "zone": "+08:00"},
    "github": {"scheme": "hmac", "secrets": ["It's a Secret to Everybody"], "mode": "test", "hmac": {
        "header": "X-Hub-Signature-256", "prefix": "sha256=",
        "id": "header:x-github-delivery", "type": "header:x-github-event"}},
    "shopify": {"scheme": "hmac", "secrets": ["shpss_test_secret"], "mode": "live", "event_source": "shop", "hmac": {
        "header": "x-shopify-hmac-sha256", "encoding": "base64",
        "id": "header:x-shopify-event-id", "type": "header:x-shopify-topic"}},
    "slack": {"scheme": "hmac", "secrets": ["8f742231b10e8888abcd99yyyzzz85a5"], "mode": "live", "hmac": {
        "header": "x-slack-signature", "prefix": "v0=", "signed": "v0:{timestamp}:{body}",
        "timestamp": "x-slack-request-timestamp", "id": "body:event_id", "type": "body:event.type"}}
}"#;

async fn rig() -> Rig {
    Rig::with(Config::new(), Source::parse(SOURCES).unwrap()).await
}

const INVOICE: &str = r#"{"id":"evt_1","object":"event","api_version":"2024-06-20","created":1767514235,"livemode":false,"type":"invoice.paid","account":"acct_1","data":{"object":{"id":"in_1","object":"invoice","amount_paid":1250},"previous_attributes":{"status":"open"}},"request":{"id":null,"idempotency_key":"k"},"pending_webhooks":1}"#;

fn stripe(at: u64, secret: &str, body: &str) -> Headers {
    let signature = hex(tag(secret.as_bytes(), &format!("{at}.{body}")));
    vec![("stripe-signature", format!("t={at},v1={signature},v0=00"))]
}

#[tokio::test]
async fn stripe_with_either_of_two_secrets() -> Result<(), Box<dyn std::error::Error>> {
    let mut rig = rig().await;
    for secret in ["whsec_test_secret", "whsec_former_secret"] {
        assert_eq!(rig.status("/in/stripe", &stripe_headers(secret), INVOICE).await, StatusCode::OK);
    }
    let event = rig.next().await;
    assert_eq!((event.id().as_str(), event.event_type().as_str()), ("evt_1", "invoice.paid"));
    assert_eq!((event.source().as_str(), event.key().unwrap().as_str()), ("stripe", "in_1"));
    let details = event.details()?;
    assert_eq!((details.object_type.as_str(), details.request.idempotency_key.as_str()), ("invoice", "k"));
    assert_eq!(event.raw_data()?.get("previous_attributes").unwrap().text(), r#"{"status":"open"}"#);
    assert_eq!(details.metadata.get("account").unwrap().as_str().unwrap(), "acct_1");

    assert_eq!(
        rig.status("/in/stripe", &stripe(now() - 301, "whsec_test_secret", INVOICE), INVOICE).await,
        401
    );
    assert_eq!(rig.status("/in/stripe", &stripe_headers("whsec_other_secret"), INVOICE).await, 401);
    let downgraded =
        vec![("stripe-signature", stripe_headers("whsec_test_secret")[0].1.replace("v1=", "v0="))];
    assert_eq!(rig.status("/in/stripe", &downgraded, INVOICE).await, 401);
    let twice = vec![("stripe-signature", format!("t=1,{}", stripe_headers("whsec_test_secret")[0].1))];
    assert_eq!(rig.status("/in/stripe", &twice, INVOICE).await, 401, "two times");
    assert_eq!(rig.status("/in/live", &stripe_headers("whsec_test_secret"), INVOICE).await, 422, "a wall");
    rig.nothing_else().await;
    rig.stop().await;
    Ok(())
}

fn stripe_headers(secret: &str) -> Headers {
    stripe(now(), secret, INVOICE)
}

#[tokio::test]
async fn gstable_with_its_time_in_the_zone_that_is_set() {
    let body = r#"{"eventId":"evt_G","eventType":"session.paid","businessType":"session","occurrence":"2026-01-04 08:10:35","isSubscribable":true,"payload":{"sessionData":{"sessionId":"sess_1","amount":12500000},"transaction":null}}"#;
    let sign = |at: u64, body: &str| -> Headers {
        let signature = hex(tag(b"wkk_test_12345678", &format!("{at}:{body}")));
        vec![("x-gstable-timestamp", at.to_string()), ("x-gstable-signature", signature)]
    };
    let mut rig = rig().await;
    assert_eq!(rig.status("/in/gstable", &sign(now() * 1000, body), body).await, StatusCode::OK);
    let event = rig.next().await;
    assert_eq!((event.source().as_str(), event.livemode()), ("gstable", true));
    assert_eq!(event.time().to_string(), "2026-01-04T00:10:35.000Z");
    assert_eq!(event.key().unwrap().as_str(), "sess_1");
    assert_eq!(rig.status("/in/gstable", &sign(now() * 1000 - 301_000, body), body).await, 401);
    assert_eq!(rig.status("/in/gstable", &sign(now(), body), body).await, 401, "seconds are no milliseconds");
    let other = body.replace("12500000", "12500001");
    assert_eq!(rig.status("/in/gstable", &sign(now() * 1000, body), other).await, 401);
    rig.nothing_else().await;
    rig.stop().await;
}

#[tokio::test]
async fn whoever_signs_with_hmac_by_configuration() {
    let mut rig = rig().await;
    let body = r#"{"action":"opened","number":1}"#;
    let github = |id: &str, body: &str| -> Headers {
        let signature = format!("sha256={}", hex(tag(b"It's a Secret to Everybody", body)));
        let named = [("x-github-delivery", id.to_owned()), ("x-github-event", "pull_request".to_owned())];
        [vec![("x-hub-signature-256", signature)], named.to_vec()].concat()
    };
    assert_eq!(rig.status("/in/github", &github("72d3162e", body), body).await, StatusCode::OK);
    let event = rig.next().await;
    assert_eq!((event.id().as_str(), event.event_type().as_str()), ("72d3162e", "pull_request"));
    assert_eq!(event.object_json().unwrap().text(), body);
    assert_eq!(rig.status("/in/github", &github("72d3162e", "{}"), body).await, 401);

    let signature = STANDARD.encode(tag(b"shpss_test_secret", body));
    let named = [("x-shopify-event-id", "e-1".to_owned()), ("x-shopify-topic", "orders/create".to_owned())];
    let shopify = [vec![("x-shopify-hmac-sha256", signature)], named.to_vec()].concat();
    assert_eq!(rig.status("/in/shopify", &shopify, body).await, StatusCode::OK);
    let event = rig.next().await;
    assert_eq!((event.source().as_str(), event.event_type().as_str()), ("shop", "orders.create"));

    let body = r#"{"event_id":"Ev08","event":{"type":"app_mention"}}"#;
    let slack = |at: u64| -> Headers {
        let signature = hex(tag(b"8f742231b10e8888abcd99yyyzzz85a5", &format!("v0:{at}:{body}")));
        vec![("x-slack-signature", format!("v0={signature}")), ("x-slack-request-timestamp", at.to_string())]
    };
    assert_eq!(rig.status("/in/slack", &slack(now()), body).await, StatusCode::OK);
    assert_eq!(rig.next().await.event_type().as_str(), "app_mention");
    assert_eq!(rig.status("/in/slack", &slack(now() - 301), body).await, 401);
    rig.nothing_else().await;
    rig.stop().await;
}

#[test]
fn a_source_that_breaks_a_rule_is_refused_by_name() {
    let wrong = [
        (
            SourceConfig::new("none", "x"),
            "scheme: must be one of payment-kit, blocklet, gstable, standard, standard-v1a, stripe, hmac",
        ),
        (SourceConfig::new("stripe", "short"), "secret: must have at least 16 bytes"),
        (SourceConfig::new("blocklet", "5f7c1b3d****"), "secret: must be 64 hex digits"),
        (SourceConfig::new("standard-v1a", "whsec_"), "secret: must be whpk_ or whsk_ and base64"),
        (SourceConfig::new("stripe", ""), "secret: must have at least 16 bytes"),
        (SourceConfig::new("standard", "whsec_"), "secret: must have at least 16 bytes"),
        (SourceConfig::new("standard", "whsec_?"), "secret: must be whsec_ or whpk_ and base64"),
        (SourceConfig::new("standard", crate::rig::SECRET), "mode: must be live or test"),
        (
            SourceConfig::new("hmac", "0123456789abcdef"),
            "hmac: must be there with, and only with, the scheme hmac",
        ),
        (
            SourceConfig::new("gstable", "wkk_0123456789abcdef").event_source("shop"),
            "event_source: is always gstable",
        ),
    ];
    for (config, rule) in wrong {
        let error = Source::new("shop", config).unwrap_err().to_string();
        assert!(error.starts_with(&format!("shop: {rule}")), "{error}");
    }
    for (json, rule) in [
        (r#"{"a b": {"scheme":"stripe","secrets":["0123456789abcdef"]}}"#, "a b: source"),
        (r#"{"a": {"scheme":"stripe","secrets":[]}}"#, "a: secrets: must be 1 to 8"),
        (
            r#"{"a": {"scheme":"stripe","secrets":["0123456789abcdef"],"windw":1}}"#,
            "must be an object of sources",
        ),
        (
            r#"{"a": {"scheme":"stripe","secrets":["0123456789abcdef"],"window_seconds":5}}"#,
            "a: window_seconds: must be 10 to 3600",
        ),
    ] {
        let error = Source::parse(json).unwrap_err().to_string();
        assert!(error.starts_with(rule), "{error}");
    }
}
