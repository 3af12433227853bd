//! The retry policy: pure, so that its schedule can be tested without waiting for it.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use super::failure::{Class, HandlerError};

/// How often a message is tried, and how long it waits between attempts.
///
/// The wait before the next attempt after attempt `n` is drawn from the lower bound to the lower bound doubled `n`
/// times, capped by the upper bound: full jitter, never below the minimum. The default is
/// `Retry::exponential(1 s..=10 min).attempts(12)`, about an hour in all.
///
/// ```
/// use eventbus::Retry;
/// use std::time::Duration;
/// let retry = Retry::exponential(Duration::from_secs(1)..=Duration::from_secs(60)).attempts(5);
/// assert_eq!(retry.bounds(3), Duration::from_secs(1)..=Duration::from_secs(8));
/// ```
#[derive(Clone)]
pub struct Retry {
    least: Duration,
    most: Duration,
    attempts: u32,
    growing: bool,
    classify: Option<Arc<Classify>>,
}

type Classify = dyn Fn(&HandlerError) -> Option<Class> + Send + Sync;

/// What the policy says about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Retry(Duration),
    GiveUp,
}

impl Default for Retry {
    fn default() -> Self {
        Self::exponential(Duration::from_secs(1)..=Duration::from_secs(600))
    }
}

impl Retry {
    /// Waits that double from the lower bound to the upper, with full jitter; 12 attempts unless set.
    pub fn exponential(bounds: RangeInclusive<Duration>) -> Self {
        let (least, most) = bounds.into_inner();
        Self { least, most: most.max(least), attempts: 12, growing: true, classify: None }
    }

    /// The same wait each time, without jitter; 12 attempts unless set.
    pub fn fixed(delay: Duration) -> Self {
        Self { least: delay, most: delay, attempts: 12, growing: false, classify: None }
    }

    /// One attempt, then the dead letters.
    pub fn never() -> Self {
        Self::fixed(Duration::ZERO).attempts(1)
    }

    /// Sets how often a message is tried in all, at least once.
    #[must_use]
    pub fn attempts(self, attempts: u32) -> Self {
        Self { attempts: attempts.max(1), ..self }
    }

    /// Tries for ever: nothing goes to the dead letters but what says it is permanent.
    #[must_use]
    pub fn forever(self) -> Self {
        Self { attempts: u32::MAX, ..self }
    }

    /// Sets the class of errors that did not say theirs; `None` leaves it as it is.
    #[must_use]
    pub fn classify(self, classify: impl Fn(&HandlerError) -> Option<Class> + Send + Sync + 'static) -> Self {
        Self { classify: Some(Arc::new(classify)), ..self }
    }

    /// The shortest and the longest wait after an attempt, counted from 1.
    pub fn bounds(&self, attempt: u32) -> RangeInclusive<Duration> {
        let factor = if self.growing { 1_u32.checked_shl(attempt).unwrap_or(u32::MAX) } else { 1 };
        self.least..=self.least.saturating_mul(factor).min(self.most)
    }

    /// How many attempts there are.
    pub fn limit(&self) -> u32 {
        self.attempts
    }

    /// The class of an error under this policy.
    pub(crate) fn class(&self, error: &HandlerError) -> Class {
        self.classify.as_ref().and_then(|classify| classify(error)).unwrap_or_else(|| error.class())
    }

    /// The wait after an attempt; `random` is in `0.0..=1.0`.
    pub(crate) fn pause(&self, attempt: u32, random: f64) -> Duration {
        let (shortest, longest) = self.bounds(attempt).into_inner();
        shortest + longest.saturating_sub(shortest).mul_f64(random.clamp(0.0, 1.0))
    }

    /// Decides about a failed attempt; `random` is in `0.0..=1.0`.
    pub(crate) fn decide(&self, class: Class, attempt: u32, random: f64) -> Decision {
        match class {
            Class::Permanent => Decision::GiveUp,
            _ if attempt >= self.attempts => Decision::GiveUp,
            Class::RetryAfter(delay) => Decision::Retry(delay),
            Class::Transient => Decision::Retry(self.pause(attempt, random)),
        }
    }
}

impl fmt::Debug for Retry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Retry({:?}..={:?}, {} attempts)", self.least, self.most, self.attempts)
    }
}
