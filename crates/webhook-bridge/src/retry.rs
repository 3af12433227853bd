//! What follows from an attempt: pure, so that the schedule can be tested without waiting for it.

use std::time::Duration;

use eventbus::Timestamp;

use crate::model::{Ending, Next, Outcome, Schedule, Trouble, Wish};

/// A finished attempt, as far as the decision needs it.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The endpoint's waits.
    pub schedule: &'a Schedule,
    /// The number of the attempt since the schedule began, from 1.
    pub attempt: u32,
    /// How many attempts before it failed by a fault of the bridge.
    pub faults: u32,
    /// What became of it.
    pub outcome: &'a Outcome,
    /// From when on the delivery is not sent.
    pub expires_at: Timestamp,
    /// When the attempt ended.
    pub now: Timestamp,
    /// From 0 to 1: where in the jitter's range the retry falls.
    pub random: f64,
}

/// The least wait after the guard refused a target: an address that is refused seldom changes soon.
const BLOCKED: Duration = Duration::from_secs(600);
/// The least and the most jitter; between them it is a fifth of the wait.
const JITTER: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(1800));

/// How long it waits after each fault of the bridge; after one more it is parked.
const FAULTS: [Duration; 4] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120), Duration::from_secs(600)];

/// Decides what follows: the schedule's wait and some jitter, never earlier than the endpoint asked, until the schedule
/// is used up or the delivery is too old. Faults of the bridge use up nothing of the schedule.
pub fn decide(case: &Case<'_>) -> Next {
    if case.outcome.is_success() {
        return Next::Succeeded;
    }
    if case.outcome.wish() == Some(Wish::Abort) {
        return Next::Failed(Ending::Refused);
    }
    let wait = match case.outcome {
        Outcome::Failed(Trouble::Internal) => match FAULTS.get(case.faults as usize) {
            Some(wait) => *wait,
            None => return Next::Parked,
        },
        _ => match case.schedule.wait(case.attempt.saturating_sub(case.faults)) {
            Some(wait) => wait,
            None => return Next::Failed(Ending::Exhausted),
        },
    };
    let least = match case.outcome {
        Outcome::Failed(Trouble::Blocked) => BLOCKED,
        outcome => outcome.hold().unwrap_or_default(),
    };
    let at = case.now.plus((wait + jitter(wait, case.random)).max(least));
    if at >= case.expires_at { Next::Failed(Ending::Expired) } else { Next::Retry(at) }
}

/// How long `Retry-After` asks to wait: seconds, or a date (RFC 9110, section 10.2.3). One in the past is no wait.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?;
    Some(Timestamp::from_millis(date.timestamp().as_millisecond()).since(now))
}

fn jitter(wait: Duration, random: f64) -> Duration {
    (wait / 5).clamp(JITTER.0, JITTER.1).mul_f64(random.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn after(attempt: u32, outcome: &Outcome, random: f64) -> Next {
        let schedule = Schedule::default();
        decide(&Case {
            schedule: &schedule,
            attempt,
            faults: 0,
            outcome,
            expires_at: old(),
            now: NOW,
            random,
        })
    }

    fn old() -> Timestamp {
        NOW.plus(Schedule::AGE)
    }

    fn in_seconds(seconds: u64) -> Next {
        Next::Retry(NOW.plus(Duration::from_secs(seconds)))
    }

    fn status(status: u16, retry_after: Option<u64>) -> Outcome {
        Outcome::Answered { status, retry_after: retry_after.map(Duration::from_secs), wish: None }
    }

    #[test]
    fn every_2xx_is_the_end_of_it() {
        for code in [200, 201, 204, 299] {
            assert_eq!(after(1, &status(code, None), 0.5), Next::Succeeded);
        }
    }

    #[test]
    fn a_failure_waits_as_the_schedule_says_and_never_less() {
        let outcome = status(500, None);
        assert_eq!(after(1, &outcome, 0.0), in_seconds(5));
        assert_eq!(after(1, &outcome, 1.0), in_seconds(7));
        assert_eq!(after(6, &outcome, 0.0), in_seconds(3600));
        assert_eq!(after(6, &outcome, 1.0), in_seconds(3600 + 720));
        assert_eq!(after(12, &outcome, 1.0), in_seconds(86_400 + 1800));
        assert_eq!(after(13, &outcome, 0.0), Next::Failed(Ending::Exhausted));
    }

    #[test]
    fn a_request_to_wait_only_delays_and_at_most_a_day() {
        assert_eq!(after(1, &status(503, Some(60)), 0.0), in_seconds(60));
        assert_eq!(after(1, &status(429, Some(1)), 0.0), in_seconds(5));
        assert_eq!(after(1, &status(429, Some(1_000_000)), 0.0), in_seconds(86_400));
        assert_eq!(after(1, &status(500, Some(60)), 0.0), in_seconds(5));
    }

    #[test]
    fn the_time_to_wait_is_seconds_or_a_date() {
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Thu, 01 Jan 2026 00:01:30 GMT", Some(90)),
            ("Wed, 31 Dec 2025 23:59:59 GMT", Some(0)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("99999999999999999999999", None),
        ] {
            assert_eq!(retry_after(value, NOW), seconds.map(Duration::from_secs), "{value:?}");
        }
    }

    #[test]
    fn a_refused_target_waits_ten_minutes_at_least() {
        assert_eq!(after(1, &Outcome::Failed(Trouble::Blocked), 0.0), in_seconds(600));
    }

    #[test]
    fn a_delivery_that_would_be_too_old_is_given_up() {
        let (schedule, outcome) = (Schedule::default(), status(500, None));
        let (schedule, outcome) = (&schedule, &outcome);
        for (seconds, next) in [(5, Next::Failed(Ending::Expired)), (6, in_seconds(5))] {
            let expires_at = NOW.plus(Duration::from_secs(seconds));
            let case = Case { schedule, attempt: 1, faults: 0, outcome, expires_at, now: NOW, random: 0.0 };
            assert_eq!(decide(&case), next);
        }
    }

    #[test]
    fn a_delivery_that_the_endpoint_asks_not_to_be_sent_again_ends() {
        let asked = |status| Outcome::Answered { status, retry_after: None, wish: Some(Wish::Abort) };
        assert_eq!(after(1, &asked(500), 0.0), Next::Failed(Ending::Refused));
        assert_eq!(after(1, &asked(200), 0.0), Next::Succeeded);
    }

    #[test]
    fn faults_of_the_bridge_park_a_delivery_after_five_and_use_up_no_attempt() {
        let (schedule, fault) = (Schedule::from_seconds(&[60]).unwrap(), Outcome::Failed(Trouble::Internal));
        let after = |attempt, faults, outcome: &Outcome| {
            let schedule = &schedule;
            decide(&Case { schedule, attempt, faults, outcome, expires_at: old(), now: NOW, random: 0.0 })
        };
        for (faults, seconds) in [(0, 5), (1, 30), (2, 120), (3, 600)] {
            assert_eq!(after(faults + 1, faults, &fault), in_seconds(seconds));
        }
        assert_eq!(after(5, 4, &fault), Next::Parked);
        assert_eq!(after(5, 4, &status(500, None)), in_seconds(60));
        assert_eq!(after(6, 4, &status(500, None)), Next::Failed(Ending::Exhausted));
    }
}
