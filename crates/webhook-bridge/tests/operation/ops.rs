//! The files for whoever watches a bridge: every metric, label and word in them is one that `/metrics` has, every link leads
//! somewhere, and every command exists.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use http::StatusCode;
use serde_json::{Value, json};
use webhook_bridge::Config;

use crate::rig::Rig;

const ALERTS: &str = include_str!("../../ops/alerts.yaml");
const BOARD: &str = include_str!("../../ops/grafana.json");
const RUNBOOK: &str = include_str!("../../ops/RUNBOOK.md");
/// What Prometheus adds by itself.
const SCRAPED: [&str; 2] = ["instance", "job"];

/// The labels of each sample, and the values that each label has.
#[derive(Default)]
struct Shown {
    samples: BTreeMap<String, BTreeSet<String>>,
    values: BTreeSet<(String, String)>,
}

impl Shown {
    fn read(text: &str) -> Self {
        let mut shown = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let series = line.rsplit_once(' ').unwrap().0;
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let labels = pairs(labels.strip_suffix('}').unwrap());
            let known = shown.samples.entry(name.to_owned()).or_default();
            for (label, _, value) in labels {
                known.insert(label.clone());
                shown.values.insert((label, value));
            }
        }
        shown
    }

    /// Checks a query: its metrics, what it selects and what it groups by.
    fn check(&self, query: &str) {
        let mut labels: BTreeSet<&str> = SCRAPED.into();
        for (at, _) in query.match_indices("webhook_bridge_") {
            let rest = &query[at..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let own = self.samples.get(&rest[..end]);
            let own = own.unwrap_or_else(|| panic!("{query}: there is no {}", &rest[..end]));
            labels.extend(own.iter().map(String::as_str));
            let Some(selected) = rest[end..].strip_prefix('{') else { continue };
            let close = close(selected);
            for (label, operator, value) in pairs(&selected[..close]) {
                if SCRAPED.contains(&label.as_str()) {
                    continue;
                }
                assert!(own.contains(&label), "{query}: there is no label {label}");
                let words: Vec<_> =
                    if operator.ends_with('~') { value.split('|').collect() } else { vec![&value] };
                for word in words {
                    let known = self.values.contains(&(label.clone(), word.to_owned()));
                    assert!(known, "{query}: {label} is never {word}");
                }
            }
        }
        for (at, _) in query.match_indices("by (") {
            let group = query[at + 4..].split(')').next().unwrap();
            for label in group.split(',').map(str::trim) {
                assert!(labels.contains(label), "{query}: grouped by {label}, which nothing has");
            }
        }
        assert_eq!(query.matches('(').count(), query.matches(')').count(), "{query}");
    }
}

/// Where the braces close that were opened before: not in a text.
fn close(text: &str) -> usize {
    let mut quoted = false;
    let closes = |c: char| {
        quoted ^= c == '"';
        c == '}' && !quoted
    };
    text.find(closes).unwrap()
}

/// `name="value"`, with whichever operator, between commas.
fn pairs(mut text: &str) -> Vec<(String, String, String)> {
    let mut pairs = Vec::new();
    while let Some((head, rest)) = text.split_once('"') {
        let (value, rest) = rest.split_once('"').unwrap();
        let head = head.trim_start_matches(',').trim();
        let name: String = head.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
        pairs.push((name.clone(), head[name.len()..].to_owned(), value.to_owned()));
        text = rest;
    }
    pairs
}

/// A rule of the file, which has nothing that is not read here.
#[derive(Debug, Default)]
struct Alert<'a> {
    name: &'a str,
    expr: &'a str,
    severity: &'a str,
    summary: &'a str,
    runbook: &'a str,
}

fn alerts() -> Vec<Alert<'static>> {
    let mut alerts: Vec<Alert<'static>> = Vec::new();
    for line in ALERTS.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if ["groups:", "  - name: webhook-bridge", "    rules:", "        labels:", "        annotations:"]
            .contains(&line)
        {
            continue;
        }
        let (key, value) = line.split_once(": ").unwrap();
        if key == "      - alert" {
            alerts.push(Alert { name: value, ..Alert::default() });
            continue;
        }
        let alert = alerts.last_mut().unwrap();
        match key {
            "        expr" => {
                alert.expr = value.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).unwrap();
            }
            "        for" => assert!(value.ends_with('m') && value[..value.len() - 1].parse::<u32>().is_ok()),
            "          severity" => alert.severity = value,
            "          summary" => alert.summary = value.trim_matches('"'),
            "          runbook_url" => alert.runbook = value,
            other => panic!("{other}: what is it?"),
        }
    }
    alerts
}

/// Every text at this name, wherever it is.
fn texts<'a>(value: &'a Value, name: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (field, value) in fields {
                if field == name {
                    found.extend(value.as_str());
                }
                texts(value, name, found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| texts(value, name, found)),
        _ => {}
    }
}

/// What a bridge shows that did everything once. What it did not do yet it shows as well, as nothing.
async fn shown() -> Shown {
    let mut rig = Rig::start(Config::new()).await;
    let (url, guarded) =
        (rig.receiver.url(), json!({ "url": "http://169.254.169.254/", "enabled_events": ["*"] }));
    rig.caller.post("/v1/endpoints", guarded.to_string()).await;
    let gone = json!({ "url": url, "enabled_events": ["*"], "gone_policy": "immediate" });
    rig.caller.post("/v1/endpoints", gone.to_string()).await;
    rig.publish("evt_1").await;
    for status in [StatusCode::OK, StatusCode::GONE] {
        rig.receiver.next().await.answer(status);
    }
    rig.publish("evt_2").await;
    for _ in 0..2 {
        rig.receiver.next().await.answer(StatusCode::GONE);
    }
    rig.bridge.bus().shutdown(std::time::Duration::ZERO).await;
    rig.caller.get("/health/ready").await;
    let text = rig.metrics("webhook_bridge_endpoints_disabled_total{reason=\"gone\"} 1").await;
    // What is tried again is answered at once.
    drop(rig.receiver);
    rig.bridge.stop().await;
    Shown::read(&text)
}

#[tokio::test]
async fn alerts_and_board_ask_for_what_there_is() {
    let shown = shown().await;
    let alerts = alerts();
    assert!(alerts.len() > 10);
    for alert in &alerts {
        shown.check(alert.expr);
        assert!(alert.expr.contains("webhook_bridge_") || alert.expr.starts_with("up{"), "{alert:?}");
        assert!(["critical", "warning"].contains(&alert.severity) && !alert.summary.is_empty(), "{alert:?}");
    }
    let board: Value = serde_json::from_str(BOARD).unwrap();
    let (mut queries, mut legends) = (Vec::new(), Vec::new());
    texts(&board, "expr", &mut queries);
    texts(&board, "legendFormat", &mut legends);
    assert!(queries.len() > 20 && queries.len() == legends.len());
    for (query, legend) in queries.iter().zip(legends) {
        shown.check(query);
        for label in legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()) {
            assert!(query.contains(label), "{query}: {label} in its legend");
        }
    }
    let mut variables = Vec::new();
    texts(&board["templating"], "query", &mut variables);
    let job = variables.iter().find_map(|query| query.strip_prefix("label_values(")).unwrap();
    assert!(shown.samples.contains_key(job.split(',').next().unwrap()), "{job}");
    // What is shown is watched somewhere.
    let unwatched: Vec<_> = shown.samples.keys().filter(|name| !name.contains("build")).collect();
    let all = format!("{ALERTS}{BOARD}");
    let family = |name: &str| {
        ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned()
    };
    let unwatched: Vec<_> = unwatched.into_iter().filter(|name| !all.contains(&family(name))).collect();
    assert!(unwatched.is_empty(), "{unwatched:?}");
}

#[test]
fn each_alert_leads_to_its_section_and_each_section_is_an_alerts() {
    let sections: BTreeSet<_> = RUNBOOK.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let alerts = alerts();
    for alert in &alerts {
        assert!(sections.contains(alert.name), "{}: there is no section", alert.name);
        let expected = format!("crates/webhook-bridge/ops/RUNBOOK.md#{}", alert.name.to_lowercase());
        assert_eq!(alert.runbook, expected);
    }
    assert_eq!(sections.len(), alerts.len() + 1, "and how to restore");
    let anchors: Vec<_> = RUNBOOK.lines().filter(|line| line.starts_with('#')).collect();
    for link in RUNBOOK.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        let leads = |line: &&str| line.trim_start_matches('#').trim().to_lowercase() == link;
        assert!(anchors.iter().any(leads), "{link} leads nowhere");
    }
}

/// Each command line of the runbook, with its flags, is one that the program takes.
#[test]
fn what_the_runbook_says_to_do_can_be_done() {
    let lines = RUNBOOK.lines().filter(|line| line.starts_with("webhook-bridge "));
    let inline = RUNBOOK.split('`').skip(1).step_by(2).filter(|text| text.starts_with("webhook-bridge "));
    let commands: BTreeSet<_> = lines.chain(inline).collect();
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands {
        let words: Vec<_> = command.split(' ').skip(1).collect();
        let verbs = words.iter().take_while(|word| word.chars().all(|c| c.is_ascii_lowercase()));
        let said =
            Command::new(env!("CARGO_BIN_EXE_webhook-bridge")).args(verbs).arg("--help").output().unwrap();
        let help = String::from_utf8(said.stdout).unwrap();
        assert!(said.status.success(), "{command}");
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag), "{command}: there is no {flag}");
        }
    }
}
