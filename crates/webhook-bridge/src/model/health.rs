//! How an endpoint is doing: a pure state machine over its attempts, kept in the store and never only in memory.
//!
//! It says how many requests the endpoint may have under way, until when it is left alone, and when it is disabled.
//! What the bridge itself does wrong is never charged to it.

use std::time::Duration;

use eventbus::Timestamp;
use eventbus::transport::Order;
use serde::{Deserialize, Serialize};

use super::delivery::EndpointKey;
use super::endpoint::GonePolicy;
use super::notice::Concern;
use super::outcome::{Outcome, Trouble, Wish};

/// The breaker opens after this many attempts within [`WINDOW`] of which four in five failed.
const ATTEMPTS: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);
/// It also opens after this many attempts in a row without any answer.
const UNREACHABLE: u32 = 20;
/// How long it is open the first time, doubling to the longest.
const OPEN: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// It closes after this many probes in a row that succeeded.
const PROBES: u32 = 3;

/// Targets that the guard refused, in a row, and over how long, until the endpoint is disabled: a wrong answer of DNS that
/// lasts a second refuses all that is due in it.
const BLOCKED: (u32, Duration) = (3, Duration::from_secs(1200));
/// Deliveries that were answered 410, and over how long, until the endpoint is disabled.
const GONE: (usize, Duration) = (3, Duration::from_secs(600));
/// Failures only, for this long and this many, until the endpoint is disabled.
const FAILING: Duration = Duration::from_secs(120 * 3600);
const FAILURES: u32 = 10;
/// When its owner is told before.
const TOLD: [Duration; 2] = [Duration::from_secs(24 * 3600), Duration::from_secs(72 * 3600)];

/// Why an endpoint is disabled, where it was not its owner who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DisabledReason {
    /// Every attempt failed, for days.
    Failing,
    /// It said of several deliveries that it is gone for good: 410.
    Gone,
    /// The egress guard refused its address, again and again.
    Blocked,
    /// It asked for it, by an answer's `webhook-delivery` header.
    Receiver,
}

impl DisabledReason {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Failing, Self::Gone, Self::Blocked, Self::Receiver];

    /// The word on the wire and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Gone => "gone",
            Self::Blocked => "blocked",
            Self::Receiver => "receiver",
        }
    }

    /// The reason with this word.
    pub fn find(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// How an endpoint stands, beside what its owner said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Where the store keeps it.
    pub key: EndpointKey,
    /// Whether deliveries of one key wait for each other.
    pub order: Order,
    /// Why the bridge disabled it, if it did.
    pub disabled_reason: Option<DisabledReason>,
    /// How it is doing.
    pub health: Health,
}

/// How an endpoint is doing. The default is well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Health {
    /// It asked to be left alone.
    held: Option<Held>,
    breaker: Breaker,
    /// How many requests at once, while fewer than its own limit.
    window: Option<u32>,
    /// Attempts since a failure within the last minute.
    recent: Option<Recent>,
    /// Attempts in a row without an answer.
    unreachable: u32,
    /// The guard refuses its address.
    blocked: Option<Blocked>,
    gone: Option<Gone>,
    failing: Option<Failing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    #[serde(with = "millis")]
    until: Timestamp,
}

/// Whether an endpoint that fails is called at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Breaker {
    /// It is called.
    #[default]
    Closed,
    /// It is left alone until then; then one request at a time shows whether it is back.
    Open {
        #[serde(with = "millis")]
        until: Timestamp,
        /// How often in a row it was opened.
        times: u32,
    },
    /// So many of those succeeded.
    HalfOpen { probes: u32, times: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Recent {
    #[serde(with = "millis")]
    since: Timestamp,
    attempts: u32,
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Blocked {
    #[serde(with = "millis")]
    since: Timestamp,
    /// Attempts in a row that were refused.
    attempts: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Gone {
    #[serde(with = "millis")]
    since: Timestamp,
    /// The deliveries that were answered 410, as many as count.
    sequences: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Failing {
    #[serde(with = "millis")]
    since: Timestamp,
    attempts: u32,
    /// How often its owner was told.
    told: usize,
}

/// An attempt that ended, as far as an endpoint's health is concerned.
#[derive(Debug, Clone, Copy)]
pub struct Observed<'a> {
    /// When the endpoint is disabled for answering 410.
    pub gone: GonePolicy,
    /// What became of it.
    pub outcome: &'a Outcome,
    /// Which of the endpoint's deliveries it was of.
    pub sequence: u64,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub now: Timestamp,
    /// How many requests the endpoint takes at once when it is well.
    pub most: u32,
}

impl Health {
    /// Until when the endpoint is left alone: it asked for it, or its breaker is open.
    pub fn rest(&self, now: Timestamp) -> Option<Timestamp> {
        let held = self.held.map(|held| held.until);
        let open = match self.breaker {
            Breaker::Open { until, .. } => Some(until),
            _ => None,
        };
        held.max(open).filter(|&until| until > now)
    }

    /// How many requests it may have under way of the `most` it takes when it is well.
    pub fn room(&self, most: u32) -> u32 {
        match self.breaker {
            Breaker::Closed => self.window.map_or(most, |window| window.min(most)),
            Breaker::Open { .. } | Breaker::HalfOpen { .. } => 1,
        }
    }

    /// Tells whether its breaker opened since then.
    pub fn opened(&self, before: &Self) -> bool {
        matches!(self.breaker, Breaker::Open { .. }) && self.breaker != before.breaker
    }

    /// Since when every attempt failed.
    pub fn failing_since(&self) -> Option<Timestamp> {
        self.failing.map(|failing| failing.since)
    }

    /// Takes an attempt into account, and says whether somebody should be told of it.
    pub fn observe(&mut self, observed: &Observed<'_>) -> Option<Concern> {
        let Observed { outcome, now, .. } = *observed;
        self.held = self.held.filter(|held| held.until > now);
        if outcome.is_fault() {
            return None;
        }
        if let Some(wait) = outcome.hold() {
            let until = now.plus(wait);
            self.held = Some(Held { until: self.held.map_or(until, |held| held.until.max(until)) });
        }
        if outcome.is_success() {
            self.succeed(observed);
        } else {
            self.fail(observed);
        }
        if outcome.wish() == Some(Wish::Disable) {
            return Some(Concern::Disabled(DisabledReason::Receiver));
        }
        self.disabled(observed).map(Concern::Disabled).or_else(|| self.tell(now))
    }

    fn succeed(&mut self, observed: &Observed<'_>) {
        (self.unreachable, self.blocked, self.gone, self.failing) = (0, None, None, None);
        self.recent = self.recent.filter(|recent| observed.now.since(recent.since) <= WINDOW);
        if let Some(recent) = &mut self.recent {
            recent.attempts += 1;
        }
        match self.breaker {
            Breaker::Closed => {
                let wider = self.window.map(|window| window.saturating_mul(2));
                self.window = wider.filter(|&window| window < observed.most);
            }
            Breaker::Open { until, times } if observed.started_at >= until => self.probed(1, times),
            // It began before the breaker opened, and says nothing of after.
            Breaker::Open { .. } => {}
            Breaker::HalfOpen { probes, times } => self.probed(probes + 1, times),
        }
    }

    fn probed(&mut self, probes: u32, times: u32) {
        if probes < PROBES {
            self.breaker = Breaker::HalfOpen { probes, times };
        } else {
            (self.breaker, self.window, self.recent) = (Breaker::Closed, Some(1), None);
        }
    }

    fn fail(&mut self, observed: &Observed<'_>) {
        let Observed { outcome, now, .. } = *observed;
        let failing = self.failing.get_or_insert(Failing { since: now, attempts: 0, told: 0 });
        failing.attempts = failing.attempts.saturating_add(1);
        if outcome.trouble() == Some(Trouble::Blocked) {
            let blocked = self.blocked.get_or_insert(Blocked { since: now, attempts: 0 });
            blocked.attempts = blocked.attempts.saturating_add(1);
            return;
        }
        self.blocked = None;
        self.unreachable = if outcome.status().is_none() { self.unreachable.saturating_add(1) } else { 0 };
        match outcome {
            Outcome::Answered { status: 410, .. } => self.missed(observed),
            Outcome::Answered { status: 429, .. } | Outcome::Failed(Trouble::Timeout) => {
                let window = self.window.unwrap_or(observed.most).min(observed.most);
                self.window = Some((window / 2).max(1));
            }
            _ => {}
        }
        self.count(now);
        self.trip(observed);
    }

    /// Notes a delivery that was answered 410.
    fn missed(&mut self, observed: &Observed<'_>) {
        let gone = self.gone.get_or_insert(Gone { since: observed.now, sequences: Vec::new() });
        if gone.sequences.len() < GONE.0 && !gone.sequences.contains(&observed.sequence) {
            gone.sequences.push(observed.sequence);
        }
    }

    fn count(&mut self, now: Timestamp) {
        let recent = self.recent.filter(|recent| now.since(recent.since) <= WINDOW);
        let recent = recent.unwrap_or(Recent { since: now, attempts: 0, failures: 0 });
        let (attempts, failures) = (recent.attempts + 1, recent.failures + 1);
        self.recent = Some(Recent { attempts, failures, ..recent });
    }

    /// Opens the breaker where that is due.
    fn trip(&mut self, observed: &Observed<'_>) {
        let times = match self.breaker {
            Breaker::Closed => {
                let mostly = |recent: Recent| {
                    recent.attempts >= ATTEMPTS && recent.failures * 5 >= recent.attempts * 4
                };
                if self.unreachable < UNREACHABLE && !self.recent.is_some_and(mostly) {
                    return;
                }
                0
            }
            Breaker::Open { until, .. } if observed.started_at < until => return,
            Breaker::Open { times, .. } | Breaker::HalfOpen { times, .. } => times,
        };
        let wait = OPEN.saturating_mul(1 << times.min(10)).min(LONGEST);
        self.breaker = Breaker::Open { until: observed.now.plus(wait), times: times.saturating_add(1) };
        self.recent = None;
    }

    fn disabled(&self, observed: &Observed<'_>) -> Option<DisabledReason> {
        let (now, at_once) = (observed.now, observed.gone == GonePolicy::Immediate);
        let confirmed = |gone: &Gone| gone.sequences.len() >= GONE.0 && now.since(gone.since) >= GONE.1;
        let says_so = observed.outcome.status() == Some(410);
        let gone = |gone: &Gone| says_so && (at_once || confirmed(gone));
        let failing = |failing: Failing| failing.attempts >= FAILURES && now.since(failing.since) >= FAILING;
        let blocked =
            |blocked: Blocked| blocked.attempts >= BLOCKED.0 && now.since(blocked.since) >= BLOCKED.1;
        if self.blocked.is_some_and(blocked) {
            Some(DisabledReason::Blocked)
        } else if self.gone.as_ref().is_some_and(gone) {
            Some(DisabledReason::Gone)
        } else {
            self.failing.is_some_and(failing).then_some(DisabledReason::Failing)
        }
    }

    /// Tells once at each of the times.
    fn tell(&mut self, now: Timestamp) -> Option<Concern> {
        let failing = self.failing.as_mut()?;
        let passed = TOLD.iter().filter(|&&after| now.since(failing.since) >= after).count();
        let news = passed > failing.told;
        failing.told = passed.max(failing.told);
        news.then_some(Concern::Failing)
    }
}

/// Times as the store has them.
mod millis {
    use eventbus::Timestamp;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(time.as_millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

#[cfg(test)]
mod tests;
