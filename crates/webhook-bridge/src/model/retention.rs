//! How long what was stored is kept.

use std::time::Duration;

use super::schedule::Schedule;
use crate::error::{Error, Result};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long what was stored is kept. Whatever is younger than a delivery can become is kept in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    bodies: Duration,
    attempts: Duration,
    deliveries: Duration,
    doubt: Duration,
}

impl Default for Retention {
    /// Bodies and attempts for 30 days, events and deliveries for 90.
    fn default() -> Self {
        Self { bodies: 30 * DAY, attempts: 30 * DAY, deliveries: 90 * DAY, doubt: Self::DOUBT }
    }
}

impl Retention {
    const DOUBT: Duration = Duration::from_secs(3600);

    /// Keeps the bodies of events for so many days, attempts with their answers, and events with their deliveries.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) where one is less than nine days, for a delivery is tried for eight, or
    /// where bodies or attempts would be kept for longer than their deliveries.
    pub fn days(bodies: u32, attempts: u32, deliveries: u32) -> Result<Self> {
        let least = Schedule::AGE + DAY;
        let [bodies, attempts, deliveries] =
            [bodies, attempts, deliveries].map(|days| DAY.saturating_mul(days));
        if bodies < least || attempts < least {
            return Err(Error::invalid("retention: must be at least 9 days: a delivery is tried for 8"));
        }
        if bodies > deliveries || attempts > deliveries {
            return Err(Error::invalid("retention: bodies and attempts must not outlive their deliveries"));
        }
        Ok(Self { bodies, attempts, deliveries, doubt: Self::DOUBT })
    }

    /// Believes a clock that was just started, or jumped forward, after this time: otherwise after an hour.
    #[must_use]
    pub fn doubting(self, doubt: Duration) -> Self {
        Self { doubt, ..self }
    }

    /// For how long nothing is forgotten by a clock that was just started, or jumped forward.
    pub fn doubt(&self) -> Duration {
        self.doubt
    }

    /// How long the bodies of events are kept.
    pub fn bodies(&self) -> Duration {
        self.bodies
    }

    /// How long attempts and their answers are kept.
    pub fn attempts(&self) -> Duration {
        self.attempts
    }

    /// How long events and deliveries are kept.
    pub fn deliveries(&self) -> Duration {
        self.deliveries
    }
}

/// What one step of forgetting did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many rows it removed or emptied.
    pub rows: u32,
    /// How many deliveries ended because nobody mended them in time.
    pub expired: u32,
    /// How many because their endpoint was deleted.
    pub cancelled: u32,
    /// Whether there may be more to do at once.
    pub more: bool,
}
