//! What is counted, as Prometheus reads it: one row per metric, noted by the code that does it.
//!
//! Labels are words of this program, never what somebody sent: so no URL, key, id or data of a customer can get in, and
//! the number of series does not grow with endpoints. Nothing here asks the store.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use eventbus::{Health, SubscriptionHealth, Timestamp};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::model::{
    Attempt, Concern, DisabledReason, Ending, Ingested, Leased, Mode, Next, Notice, Outcome, Reclaimed,
    Trouble,
};

/// A counter for each combination of labels.
type Counters<const N: usize, V = &'static str> = Family<[(&'static str, V); N], Counter>;
/// A gauge of seconds and parts of them.
type Seconds = Gauge<f64, AtomicU64>;

/// A count that a subscription keeps.
type CountOf = fn(&SubscriptionHealth) -> u64;

/// Upper bounds in seconds: of a request; of a commit; of a delivery with its retries.
const REQUEST: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0];
const COMMIT: &[f64] = &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
const DELIVERY: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0, 14_400.0, 86_400.0];
/// Upper bounds of how much is committed together.
const BATCH: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// How endpoints answer.
const CLASSES: [&str; 7] = ["2xx", "3xx", "4xx", "5xx", "410", "429", "other"];

macro_rules! metrics {
    ($($field:ident: $kind:ty = $new:expr, $([$unit:ident])? $help:literal;)*) => {
        /// All metrics of one bridge.
        pub struct Metrics {
            registry: Registry,
            $(#[doc = $help] pub(crate) $field: $kind,)*
        }

        impl Default for Metrics {
            fn default() -> Self {
                let mut registry = Registry::with_prefix("webhook_bridge");
                $(
                    let $field: $kind = $new;
                    metrics!(@ registry, $field, $([$unit])? $help);
                )*
                registry.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
                let metrics = Self { registry, $($field,)* };
                metrics.begin();
                metrics
            }
        }
    };
    (@ $registry:ident, $field:ident, [$unit:ident] $help:literal) => {
        $registry.register_with_unit(stringify!($field), $help, Unit::$unit, $field.clone());
    };
    (@ $registry:ident, $field:ident, $help:literal) => {
        $registry.register(stringify!($field), $help, $field.clone());
    };
}

// The name without its prefix, what it is, its unit, its help.
metrics! {
    events: Counters<3> = Family::default(),
        "Events taken in, by where they came from, mode, and whether they were known already";
    webhooks: Counters<1> = Family::default(),
        "Webhooks of others, by what became of them: published, known already, or why they were refused";
    deliveries: Counter = Counter::default(), "Deliveries that were stored with their events";
    attempts: Counters<1> = Family::default(), "Requests to endpoints, by class of status or what went wrong";
    attempt_duration: Histogram = histogram(REQUEST), [Seconds] "How long requests to endpoints took";
    requests_under_way: Gauge = Gauge::default(), "Requests to endpoints that have not ended";
    delivery_duration: Histogram = histogram(DELIVERY), [Seconds]
        "From when an event was stored to when an endpoint took it, retries included";
    retries: Counter = Counter::default(), "Attempts that failed and are followed by another";
    deliveries_ended: Counters<1> = Family::default(), "Deliveries that ended, by how";
    deliveries_parked: Counter = Counter::default(),
        "Deliveries put aside because the bridge cannot send them, as its log says";
    leases_lost: Counter = Counter::default(), "Attempts that ended without being stored";
    oldest_due_age: Seconds = Gauge::default(), [Seconds]
        "For how long something is due to an endpoint that may be sent to, its own backlog included";
    oldest_unsent_age: Seconds = Gauge::default(), [Seconds]
        "For how long something is due that waits for nothing: when it is long, the bridge is not ready";
    endpoints_disabled: Counters<1> = Family::default(), "Endpoints that the bridge disabled, by why";
    breakers_opened: Counter = Counter::default(), "How often an endpoint that fails was left alone for a while";
    egress_refusals: Counters<1> = Family::default(), "Targets that the egress guard refused, by rule";
    api_requests: Counters<3, Cow<'static, str>> = Family::default(),
        "Requests to the bridge, by method, route and class of status";
    store_commit: Histogram = histogram(COMMIT), [Seconds] "How long a commit took, its sync included";
    store_batch: Histogram = histogram(BATCH), "How much was committed together";
    store_queue: Gauge = Gauge::default(), "How much waits to be stored";
    bus_messages: Counters<1> = Family::default(), "Messages of the bus, by what became of them";
    bus_healthy: Gauge = Gauge::default(), "Whether the bus is connected and its subscription runs";
    ready: Gauge = Gauge::default(), "Whether the bridge does its work, as /health/ready says";
}

fn histogram(bounds: &[f64]) -> Histogram {
    Histogram::new(bounds.iter().copied())
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// Where an event came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intake {
    Bus,
    Http,
}

impl Metrics {
    /// What has not happened yet is 0 and not absent: where a series begins with 1, nobody sees that it rose.
    fn begin(&self) {
        for ending in Ending::ALL.map(Ending::as_str).into_iter().chain(["succeeded", "cancelled"]) {
            let _ = self.deliveries_ended.get_or_create(&[("state", ending)]);
        }
        for reason in DisabledReason::ALL {
            let _ = self.endpoints_disabled.get_or_create(&[("reason", reason.as_str())]);
        }
        for class in CLASSES.into_iter().chain(Trouble::ALL.map(Trouble::as_str)) {
            let _ = self.attempts.get_or_create(&[("outcome", class)]);
        }
    }

    /// Webhooks of others may be answered so.
    pub(crate) fn may_receive(&self, results: &[&'static str]) {
        for result in results {
            let _ = self.webhooks.get_or_create(&[("result", *result)]);
        }
    }

    /// What is read at `/metrics`: OpenMetrics 1.0.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// An event was taken in.
    pub(crate) fn took(&self, intake: Intake, mode: Mode, ingested: &Ingested) {
        let from = match intake {
            Intake::Bus => "bus",
            Intake::Http => "http",
        };
        let mode = if mode.is_live() { "live" } else { "test" };
        let result = if ingested.duplicate { "known" } else { "stored" };
        self.events.get_or_create(&[("intake", from), ("mode", mode), ("result", result)]).inc();
        self.deliveries.inc_by(ingested.deliveries.into());
    }

    /// A webhook of others was answered.
    pub(crate) fn received(&self, result: &'static str) {
        self.webhooks.get_or_create(&[("result", result)]).inc();
    }

    /// A request to an endpoint ended.
    pub(crate) fn attempted(&self, attempt: &Attempt) {
        self.attempts.get_or_create(&[("outcome", class(&attempt.outcome))]).inc();
        self.attempt_duration.observe(attempt.duration.as_secs_f64());
    }

    /// Requests that are no more were found.
    pub(crate) fn reclaimed(&self, reclaimed: Reclaimed) {
        self.leases_lost.inc_by(u64::from(reclaimed.due) + u64::from(reclaimed.parked));
        self.deliveries_parked.inc_by(reclaimed.parked.into());
    }

    /// What follows from a request was stored.
    pub(crate) fn followed(&self, next: Next, leased: &Leased) {
        match next {
            Next::Succeeded => {
                self.ended("succeeded", 1);
                self.delivery_duration.observe(Timestamp::now().since(leased.received_at).as_secs_f64());
            }
            Next::Retry(_) => _ = self.retries.inc(),
            Next::Failed(ending) => self.ended(ending.as_str(), 1),
            Next::Parked => _ = self.deliveries_parked.inc(),
        }
    }

    /// So many deliveries became too old before they were sent.
    pub(crate) fn expired(&self, count: u32) {
        self.ended(Ending::Expired.as_str(), count);
    }

    /// So many deliveries were owed to endpoints that were deleted.
    pub(crate) fn cancelled(&self, count: u32) {
        self.ended("cancelled", count);
    }

    fn ended(&self, how: &'static str, count: u32) {
        if count > 0 {
            self.deliveries_ended.get_or_create(&[("state", how)]).inc_by(count.into());
        }
    }

    /// An endpoint's owner is told of it.
    pub(crate) fn told(&self, notice: &Notice) {
        if let Concern::Disabled(reason) = notice.concern {
            self.endpoints_disabled.get_or_create(&[("reason", reason.as_str())]).inc();
        }
    }

    /// The egress guard refused a target.
    pub(crate) fn refused(&self, rule: &'static str) {
        self.egress_refusals.get_or_create(&[("rule", rule)]).inc();
    }

    /// A request to the bridge was answered.
    pub(crate) fn answered(&self, method: &'static str, route: &str, status: u16) {
        let route = Cow::Owned(route.to_owned());
        let labels = [("method", method.into()), ("route", route), ("status", class_of(status).into())];
        self.api_requests.get_or_create(&labels).inc();
    }

    /// The store committed so many calls together, while so many wait.
    pub(crate) fn committed(&self, calls: usize, took: Duration, waiting: usize) {
        self.store_batch.observe(f64::from(u32::try_from(calls).unwrap_or(u32::MAX)));
        self.store_commit.observe(took.as_secs_f64());
        self.store_queue.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }

    /// How the bus is, as it counts by itself.
    pub(crate) fn bus(&self, health: &Health) {
        self.bus_healthy.set(health.is_healthy().into());
        let rows: [(&'static str, CountOf); 5] = [
            ("acked", |one| one.acked),
            ("retried", |one| one.retried),
            ("dead_lettered", |one| one.dead_lettered),
            ("returned", |one| one.returned),
            ("lost", |one| one.lost),
        ];
        for (result, of) in rows {
            let count = health.subscriptions.iter().map(of).sum();
            self.bus_messages.get_or_create(&[("result", result)]).inner().store(count, Ordering::Relaxed);
        }
    }
}

/// The class of an outcome: one of a dozen words.
fn class(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Answered { status: 410, .. } => "410",
        Outcome::Answered { status: 429, .. } => "429",
        Outcome::Answered { status, .. } => class_of(*status),
        Outcome::Failed(trouble) => trouble.as_str(),
    }
}

fn class_of(status: u16) -> &'static str {
    match status {
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500..600 => "5xx",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_has_a_help_a_type_and_its_unit_in_its_name() {
        let text = Metrics::default().text();
        assert!(text.ends_with("# EOF\n"));
        let named = |word: &str| {
            let rest = text.lines().filter_map(|line| line.strip_prefix(word));
            rest.map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let helps = named("# HELP ");
        assert_eq!(helps, named("# TYPE "));
        assert!(helps.len() > 12 && helps.iter().all(|name| name.starts_with("webhook_bridge_")));
        assert!(named("# UNIT ").iter().all(|name| name.ends_with("_seconds")));
        assert!(
            text.contains(concat!("build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1")),
            "{text}"
        );
    }

    #[test]
    fn outcomes_have_few_classes() {
        let answered = |status| Outcome::Answered { status, retry_after: None, wish: None };
        let classes: std::collections::HashSet<_> =
            (0..=999).map(|status| class(&answered(status))).collect();
        assert_eq!(classes, CLASSES.into());
    }
}
