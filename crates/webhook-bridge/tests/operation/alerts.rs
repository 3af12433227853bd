//! The alerts as Prometheus evaluates them, over what bridges show that really fail: each fires for what it is about, and none
//! at a bridge that works.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::Duration;

use http::StatusCode;
use rusqlite::Connection;
use serde_json::{Value, json};
use webhook_bridge::Config;
use webhook_bridge::ingress::{Source, SourceConfig};
use webhook_bridge::model::Mode;

use crate::provider::{SECRET, now, standard};
use crate::rig::Rig;

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/ops/alerts.yaml");
const ORDER: &str = r#"{"type":"order.paid","data":{"id":"ord_1"}}"#;
/// How long all was well, in minutes.
const WELL: u32 = 20;

/// What was read at `/metrics` before something went wrong and after, and which alerts then fire, by the minute since.
struct Case {
    name: &'static str,
    before: String,
    after: String,
    /// Whether it goes on as it did between both, minute by minute.
    goes_on: bool,
    fires: Vec<(u32, Vec<&'static str>)>,
}

impl Case {
    /// As `promtool test rules` wants it.
    fn test(&self) -> Value {
        let (before, after) = (samples(&self.before), samples(&self.after));
        let names: BTreeSet<_> = before.keys().chain(after.keys()).collect();
        let mut series: Vec<_> =
            names.iter().map(|name| self.series(name, (before.get(*name), after.get(*name)))).collect();
        let up = format!("1x{WELL} {}x120", u8::from(!after.is_empty()));
        series.push(json!({ "series": r#"up{instance="a",job="webhook-bridge"}"#, "values": up }));
        let firing = |(minute, alerts): (u32, &[&str])| {
            let samples =
                alerts.iter().map(|name| json!({ "labels": format!("{{alertname={name:?}}}"), "value": 1 }));
            json!({
                "expr": "group by (alertname) (ALERTS{alertstate=\"firing\"})",
                "eval_time": format!("{minute}m"),
                "exp_samples": samples.collect::<Vec<_>>(),
            })
        };
        let later = self.fires.iter().map(|(since, alerts)| (WELL + since, alerts.as_slice()));
        let checks: Vec<_> = [(WELL, &[][..])].into_iter().chain(later).map(firing).collect();
        json!({ "name": self.name, "interval": "1m", "input_series": series, "promql_expr_test": checks })
    }

    fn series(&self, name: &str, (before, after): (Option<&f64>, Option<&f64>)) -> Value {
        // A number is there once more than it is repeated; nothing is not.
        let former = before.map_or(format!("_x{}", WELL + 1), |value| format!("{value}x{WELL}"));
        let metric = name.split('{').next().unwrap();
        let counts = ["_total", "_bucket", "_count", "_sum"].iter().any(|end| metric.ends_with(end));
        let later = after.map_or("stale".to_owned(), |value| {
            let step = match self.goes_on {
                true if counts => value - before.unwrap_or(&0.0),
                // What is old is older by a minute in a minute.
                true if metric.ends_with("_age_seconds") && *value > 0.0 => 60.0,
                _ => 0.0,
            };
            format!("{value}+{step}x120")
        });
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        let comma = if labels == "}" { "" } else { "," };
        let series = format!("{name}{{instance=\"a\",job=\"webhook-bridge\"{comma}{labels}");
        json!({ "series": series, "values": format!("{former} {later}") })
    }
}

/// Each sample with its labels.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name.to_owned(), value.parse().unwrap()))
        .collect()
}

/// A bridge with a source, something delivered and something received; and what it shows.
async fn well() -> (Rig, String) {
    let (shop, soon) = (SourceConfig::new("standard", SECRET).mode(Mode::Test), Duration::from_millis(600));
    let mut rig =
        Rig::start(Config::new().unsent(soon).sources(vec![Source::new("shop", shop).unwrap()])).await;
    rig.publish("evt_1").await;
    rig.receiver.next().await.answer(StatusCode::OK);
    let before = rig.metrics("webhook_bridge_deliveries_ended_total{state=\"succeeded\"} 1").await;
    (rig, before)
}

/// All is well, also where somebody looks around.
async fn works() -> Case {
    let (mut rig, before) = well().await;
    rig.publish("evt_2").await;
    rig.receiver.next().await.answer(StatusCode::OK);
    assert_eq!(rig.caller.status("/in/shop", ORDER, &standard("msg_1", now(), ORDER)).await, StatusCode::OK);
    for _ in 0..30 {
        assert_eq!(rig.caller.status("/in/none", "{}", &[]).await, StatusCode::NOT_FOUND);
    }
    rig.receiver.next().await.answer(StatusCode::OK);
    let after = rig.metrics("webhook_bridge_deliveries_ended_total{state=\"succeeded\"} 3").await;
    rig.bridge.stop().await;
    Case { name: "a bridge that works", before, after, goes_on: true, fires: vec![(1, vec![]), (60, vec![])] }
}

async fn is_down() -> Case {
    let (rig, before) = well().await;
    rig.bridge.stop().await;
    let fires = vec![(1, vec![]), (4, vec!["BridgeDown"])];
    Case { name: "a bridge that is down", before, after: String::new(), goes_on: false, fires }
}

/// The schedule of its one endpoint is used up.
async fn gives_up() -> Case {
    let (mut rig, before) = well().await;
    rig.publish("evt_2").await;
    for _ in 0..4 {
        rig.receiver.next().await.answer(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let after = rig.metrics("webhook_bridge_deliveries_ended_total{state=\"exhausted\"} 1").await;
    rig.bridge.stop().await;
    let given_up = vec!["DeliveriesGivenUp"];
    let fires = vec![(2, given_up.clone()), (30, given_up), (70, vec![])];
    Case { name: "an endpoint that fails", before, after, goes_on: false, fires }
}

async fn gives_up_for_an_hour() -> Case {
    let fires = vec![(2, vec!["DeliveriesGivenUp"]), (30, vec!["AttemptsFail", "DeliveriesGivenUp"])];
    Case { name: "an endpoint that fails for an hour", goes_on: true, fires, ..gives_up().await }
}

async fn disables() -> Case {
    let (mut rig, before) = well().await;
    let (_, made) = rig.caller.get("/v1/endpoints").await;
    let path = format!("/v1/endpoints/{}", made["list"][0]["id"].as_str().unwrap());
    rig.caller.patch(&path, &json!({ "gone_policy": "immediate" })).await;
    rig.publish("evt_2").await;
    rig.receiver.next().await.answer(StatusCode::GONE);
    let after = rig.metrics("webhook_bridge_endpoints_disabled_total{reason=\"gone\"} 1").await;
    rig.bridge.stop().await;
    let fires = vec![(2, vec!["EndpointDisabled"])];
    Case { name: "an endpoint that is gone", before, after, goes_on: false, fires }
}

async fn has_no_bus() -> Case {
    let (rig, before) = well().await;
    rig.bridge.bus().shutdown(Duration::ZERO).await;
    let status = rig.caller.status("/in/shop", ORDER, &standard("msg_1", now(), ORDER)).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let after = rig.metrics("webhook_bridge_ready 0").await;
    rig.bridge.stop().await;
    let fires = vec![
        (1, vec!["ApiFails", "WebhooksUnavailable"]),
        (4, vec!["ApiFails", "BridgeNotReady", "BusGone", "WebhooksUnavailable"]),
        (30, vec!["BridgeNotReady", "BusGone"]),
    ];
    Case { name: "a bus that is gone", before, after, goes_on: false, fires }
}

/// Due, and the dispatcher does not know it: as if it had stopped.
async fn does_not_send() -> Case {
    let (rig, before) = well().await;
    let store = Connection::open(rig.folder.path().join("bridge.sqlite")).unwrap();
    store.execute("UPDATE delivery SET state = 0, finished_at = NULL, due_at = 1", []).unwrap();
    let after = rig.metrics("webhook_bridge_ready 0").await;
    drop(rig.receiver);
    rig.bridge.stop().await;
    let soon = vec!["BridgeNotReady", "DeliveriesNotSent"];
    let fires = vec![(4, soon.clone()), (20, [vec!["BacklogGrowsOld"], soon].concat())];
    Case { name: "deliveries that nobody sends", before, after, goes_on: true, fires }
}

async fn is_sent_forgeries() -> Case {
    let (rig, before) = well().await;
    for _ in 0..21 {
        let status = rig.caller.status("/in/shop", "{}", &standard("msg_1", now(), ORDER)).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    let after = rig.metrics("webhook_bridge_webhooks_total{result=\"forged\"} 21").await;
    rig.bridge.stop().await;
    let fires = vec![(2, vec!["WebhooksRefused"]), (20, vec![])];
    Case { name: "webhooks that are forged", before, after, goes_on: false, fires }
}

/// Whoever asks is answered 500, for the first time ever.
async fn fails_at_its_api() -> Case {
    let (rig, before) = well().await;
    let store = Connection::open(rig.folder.path().join("bridge.sqlite")).unwrap();
    store.execute("ALTER TABLE attempt RENAME TO attempt_gone", []).unwrap();
    let status = rig.caller.get("/v1/attempts?endpoint=we_1").await.0;
    assert!(status.is_server_error(), "{status}");
    store.execute("ALTER TABLE attempt_gone RENAME TO attempt", []).unwrap();
    let after = rig.caller.text("/metrics").await;
    rig.bridge.stop().await;
    let fires = vec![(2, vec!["ApiFails"]), (20, vec![])];
    Case { name: "an API that fails", before, after, goes_on: false, fires }
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_fire_at_bridges_that_fail_and_at_no_other() {
    let cases: [Case; 9] = tokio::join!(
        works(),
        is_down(),
        gives_up(),
        gives_up_for_an_hour(),
        disables(),
        has_no_bus(),
        does_not_send(),
        is_sent_forgeries(),
        fails_at_its_api(),
    )
    .into();
    let tests: Vec<_> = cases.iter().map(Case::test).collect();
    // JSON is YAML.
    let file = json!({ "rule_files": [RULES], "evaluation_interval": "1m", "tests": tests });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cases.yaml");
    std::fs::write(&path, file.to_string()).unwrap();
    for arguments in [["check", "rules", RULES], ["test", "rules", path.to_str().unwrap()]] {
        let said =
            Command::new("promtool").args(arguments).output().expect("promtool: tests/brokers installs it");
        let words = [said.stdout, said.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(said.status.success(), "{words}");
    }
}
