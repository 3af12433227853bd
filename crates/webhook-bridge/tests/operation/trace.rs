//! The trace of a publisher goes on to the endpoint, and through the log.

use std::io;
use std::sync::{Arc, Mutex};

use eventbus::payment_kit::{CustomerSubscriptionRenewed, Subscription};
use eventbus::{EventBuilder, TraceContext};
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;
use webhook_bridge::Config;

use crate::receiver::Request;
use crate::rig::{EVENT, Rig};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn parent(request: &Request) -> TraceContext {
    request.header("traceparent").parse().unwrap()
}

#[tokio::test]
async fn each_attempt_is_a_span_of_the_publishers_trace() {
    let log = Log::start();
    let mut rig = Rig::start(Config::new()).await;
    let mut headers = HeaderMap::new();
    headers.insert("traceparent", PARENT.parse().unwrap());
    headers.insert("tracestate", "shop=1".parse().unwrap());
    assert_eq!(rig.caller.post_with("/v1/events", EVENT.into(), headers).await.0, StatusCode::ACCEPTED);
    let first = rig.receiver.next().await;
    first.answer(StatusCode::BAD_GATEWAY);
    let second = rig.receiver.next().await;
    second.answer(StatusCode::OK);

    let of = [parent(&first), parent(&second)];
    assert!(of.iter().all(|context| context.trace_id() == TRACE));
    let parents = [PARENT.to_owned(), of[0].parent(), of[1].parent()];
    assert_eq!(parents.iter().collect::<std::collections::HashSet<_>>().len(), 3, "spans of their own");
    assert!(parents.iter().all(|parent| parent.ends_with("-01")), "sampled as it was");
    assert_eq!(first.header("tracestate"), "shop=1");
    rig.bridge.stop().await;

    log.has(&[("message", "published"), ("trace_id", TRACE), ("event", "evt_1"), ("route", "/v1/events")]);
    let failed = [("message", "an attempt failed"), ("trace_id", TRACE), ("event", "evt_1")];
    log.has(&failed);
    let span = &of[0].parent()[36..52];
    log.has(&[
        ("level", "INFO"),
        ("span_id", span),
        ("delivery", "dlv_1_1"),
        ("status", "502"),
        ("attempt", "1"),
    ]);
    log.has(&[("level", "DEBUG"), ("message", "delivered"), ("status", "200"), ("attempt", "2")]);
    for secret in ["of=shop", "whsec_", "cs_1", rig.caller.key()] {
        assert!(!log.text().contains(secret), "{secret} in {}", log.text());
    }
}

#[tokio::test]
async fn an_event_of_the_bus_keeps_its_trace_and_none_is_made_up() {
    let mut rig = Rig::start(Config::new()).await;
    let event = EventBuilder::<CustomerSubscriptionRenewed>::new(Subscription::default());
    let event = event.trace(PARENT.parse().unwrap()).build().unwrap();
    rig.bridge.bus().publish(event).await.unwrap();
    let request = rig.receiver.next().await;
    request.answer(StatusCode::OK);
    assert_eq!(parent(&request).trace_id(), TRACE);
    assert_ne!(request.header("traceparent"), PARENT);

    let mut headers = HeaderMap::new();
    headers.insert("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01".parse().unwrap());
    assert_eq!(rig.caller.post_with("/v1/events", EVENT.into(), headers).await.0, StatusCode::ACCEPTED);
    let request = rig.receiver.next().await;
    request.answer(StatusCode::OK);
    assert_eq!(request.headers.get("traceparent"), None);
    rig.bridge.stop().await;
}

/// What all tests of this process log, as lines of JSON.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn start() -> Self {
        let log = Self::default();
        let subscriber = tracing_subscriber::fmt().json().with_writer(log.clone());
        let subscriber = subscriber.with_max_level(tracing::Level::DEBUG).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// A line has all of these, itself or by its spans.
    fn has(&self, fields: &[(&str, &str)]) {
        let text = self.text();
        let found = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).any(|line| {
            let spans = line["spans"].as_array().cloned().unwrap_or_default();
            let places: Vec<_> = spans.iter().chain([&line, &line["fields"]]).collect();
            fields.iter().all(|(name, text)| places.iter().any(|place| text_of(&place[*name]) == *text))
        });
        assert!(found, "{fields:?} in {text}");
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
