//! When a delivery is tried: the waits between attempts.

use std::time::Duration;

use crate::error::{Error, Result};

/// The waits after each failed attempt; one attempt more than there are waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule(Vec<Duration>);

/// The default: after 5 s, 30 s, 2 m, 10 m, 30 m, 1 h, 2 h, 4 h, 8 h, 12 h, 16 h, 24 h. The 13th attempt is at 67 h 42 m.
const PAYMENTS: [u64; 12] = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 28_800, 43_200, 57_600, 86_400];

/// The schedules that have a name: the default; Svix's; Stripe's for its sandbox, three in three hours; one each hour for
/// a day.
const PRESETS: [(&str, &[u64]); 4] = [
    ("payments", &PAYMENTS),
    ("svix", &[5, 300, 1800, 7200, 18_000, 36_000, 36_000]),
    ("stripe-sandbox", &[3600, 7200]),
    ("flat", &[3600; 24]),
];

impl Schedule {
    /// The schedule of this name.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid), naming those there are.
    pub fn preset(name: &str) -> Result<Self> {
        let found = PRESETS.into_iter().find(|(known, _)| *known == name);
        let (_, waits) = found.ok_or_else(|| {
            let names = PRESETS.map(|(known, _)| known).join(", ");
            Error::invalid(format!("schedule: must be waits in seconds, or one of {names}"))
        })?;
        Self::from_seconds(waits)
    }

    /// The most waits.
    pub const MOST: usize = 32;
    /// The longest wait.
    pub const LONGEST: Duration = Duration::from_secs(72 * 3600);
    /// The longest all waits may be together, and the age at which a delivery ends whatever its schedule.
    pub const AGE: Duration = Duration::from_secs(8 * 24 * 3600);

    /// Parses waits in seconds.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for more than 32, one outside 1 s to 72 h, or more than 8 days in all.
    pub fn from_seconds(waits: &[u64]) -> Result<Self> {
        if waits.len() > Self::MOST {
            return Err(Error::invalid("schedule: must have at most 32 waits"));
        }
        if waits.iter().any(|&wait| wait == 0 || wait > Self::LONGEST.as_secs()) {
            return Err(Error::invalid("schedule: each wait must be from 1 s to 72 h"));
        }
        if waits.iter().sum::<u64>() > Self::AGE.as_secs() {
            return Err(Error::invalid("schedule: the waits must be at most 8 days in all"));
        }
        Ok(Self(waits.iter().copied().map(Duration::from_secs).collect()))
    }

    /// The waits in seconds.
    pub fn seconds(&self) -> Vec<u64> {
        self.0.iter().map(Duration::as_secs).collect()
    }

    /// The wait after this attempt, counted from 1; `None` when it was the last.
    pub fn wait(&self, attempt: u32) -> Option<Duration> {
        self.0.get(usize::try_from(attempt).ok()?.checked_sub(1)?).copied()
    }
}

impl Default for Schedule {
    fn default() -> Self {
        Self(PAYMENTS.map(Duration::from_secs).to_vec())
    }
}

/// How many seconds a delivery waits that was interrupted once more than so many times, one after the other; after one
/// more it is parked.
const INTERRUPTIONS: [u64; 10] = [0, 5, 30, 120, 600, 600, 600, 600, 600, 600];

/// How long a delivery waits whose attempt was interrupted, after as many of the attempts right before it; `None` to park
/// it. The first is due at once. Then up to twice the wait, so that what was interrupted together does not come back
/// together: the one that ends the process ends up alone.
pub fn interrupted(before: u32, random: f64) -> Option<Duration> {
    let wait = Duration::from_secs(*INTERRUPTIONS.get(before as usize)?);
    Some(wait.mul_f64(1.0 + random.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_interrupted_again_and_again_waits_longer_and_is_parked_after_an_hour() {
        let seconds = |before, random| interrupted(before, random).map(|wait| wait.as_secs());
        for (before, least) in [(0, 0), (1, 5), (2, 30), (3, 120), (4, 600), (9, 600)] {
            assert_eq!(
                (seconds(before, 0.0), seconds(before, 1.0)),
                (Some(least), Some(2 * least)),
                "{before}"
            );
        }
        assert_eq!(interrupted(10, 0.0), None);
        assert!((0..10).filter_map(|before| seconds(before, 0.0)).sum::<u64>() > 3600);
    }

    #[test]
    fn every_schedule_with_a_name_keeps_the_rules() {
        for (name, waits) in PRESETS {
            assert_eq!(Schedule::preset(name).unwrap().seconds(), waits);
        }
        assert_eq!(Schedule::preset("payments").unwrap(), Schedule::default());
        assert!(Schedule::preset("often").unwrap_err().to_string().contains("stripe-sandbox"));
    }
}
