//! Instants to the millisecond, ISO-8601 on the wire.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::name::shorten;
use crate::error::{Error, Result};

/// An instant in UTC, to the millisecond: the precision Payment Kit puts on the wire.
///
/// Its text is ISO-8601 with three decimals and `Z`, for instance `2026-01-01T00:00:00.000Z`; any offset and precision
/// is accepted, finer digits are cut off.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The instant now, by the system clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// An instant from milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Tells whether the instant can be written as ISO-8601.
    pub(super) fn has_text(self) -> bool {
        jiff::Timestamp::from_millisecond(self.0).is_ok()
    }

    /// This instant and a while, never past the end of time.
    #[must_use]
    pub fn plus(self, delay: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long it is from `earlier` to this instant; zero when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let millis = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        Self(millis)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let time: jiff::Timestamp = text.parse().map_err(|cause: jiff::Error| {
            let text = shorten(text);
            Error::invalid(format!("time {text:?}: must be ISO-8601 such as 2026-01-01T00:00:00.000Z"))
                .with_source(cause)
        })?;
        Ok(Self(time.as_millisecond()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_milliseconds_and_zulu() {
        let time: Timestamp = "2026-01-01T01:00:00.0015+01:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-01-01T00:00:00.001Z");
        assert_eq!(Timestamp::from_millis(-1).to_string(), "1969-12-31T23:59:59.999Z");
    }

    #[test]
    fn bad_text_names_the_rule() {
        let error = "yesterday".parse::<Timestamp>().unwrap_err();
        assert!(error.to_string().contains("ISO-8601"), "{error}");
    }
}
