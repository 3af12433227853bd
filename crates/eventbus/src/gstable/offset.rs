//! [`UtcOffset`]: the zone GStable's times are read in.

use std::fmt;
use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::Offset;

use crate::error::{Error, Result};
use crate::event::Timestamp;

/// How far GStable's clock is from UTC.
///
/// GStable's times have no zone, and its documentation does not say which is meant. So it is a setting, and UTC, the
/// default, is our choice. Its text is `+08:00`, `-03:30` or `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct UtcOffset {
    minutes: i16,
}

impl UtcOffset {
    /// No offset.
    pub const UTC: Self = Self { minutes: 0 };

    /// Reads a time as GStable writes it, `2026-01-04 08:10:35`. A zone in the text wins over this one.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) when the text is no time.
    pub fn instant(self, text: &str) -> Result<Timestamp> {
        if let Ok(time) = text.parse() {
            return Ok(time);
        }
        let invalid = |cause: jiff::Error| {
            Error::invalid("occurrence: must be a time such as 2026-01-04 08:10:35").with_source(cause)
        };
        let civil: DateTime = text.parse().map_err(invalid)?;
        let offset = Offset::from_seconds(i32::from(self.minutes) * 60).map_err(invalid)?;
        let time = offset.to_timestamp(civil).map_err(invalid)?;
        Ok(Timestamp::from_millis(time.as_millisecond()))
    }

    /// Writes a time as GStable does, without a zone or fraction.
    pub fn text(self, time: Timestamp) -> String {
        let shifted = time.as_millis().saturating_add(i64::from(self.minutes) * 60_000);
        let text = Timestamp::from_millis(shifted).to_string();
        text.get(..19).unwrap_or(&text).replace('T', " ")
    }
}

impl FromStr for UtcOffset {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "Z" {
            return Ok(Self::UTC);
        }
        parse(text).ok_or_else(|| Error::invalid("offset: must be such as +08:00, -03:30 or Z"))
    }
}

impl fmt::Display for UtcOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.minutes < 0 { '-' } else { '+' };
        let minutes = self.minutes.unsigned_abs();
        write!(f, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

fn parse(text: &str) -> Option<UtcOffset> {
    let (sign, rest) = text.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let number = |digits: &str| {
        let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<i16>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    let total = (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)?;
    match sign {
        "+" => Some(UtcOffset { minutes: total }),
        "-" => Some(UtcOffset { minutes: -total }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_it_is_read() {
        for (zone, text) in [
            ("Z", "2026-01-04 08:10:35"),
            ("+08:00", "2026-01-01 07:59:59"),
            ("-03:30", "2025-12-31 23:00:00"),
        ] {
            let zone: UtcOffset = zone.parse().unwrap();
            assert_eq!(zone.text(zone.instant(text).unwrap()), text);
        }
    }

    #[test]
    fn a_time_is_read_in_the_zone_that_was_set() {
        let read = |offset: &str, text: &str| {
            offset.parse::<UtcOffset>().unwrap().instant(text).unwrap().to_string()
        };
        assert_eq!(read("Z", "2026-01-04 08:10:35"), "2026-01-04T08:10:35.000Z");
        assert_eq!(read("+08:00", "2026-01-04 08:10:35"), "2026-01-04T00:10:35.000Z");
        assert_eq!(read("-03:30", "2026-01-04 22:10:35"), "2026-01-05T01:40:35.000Z");
        assert_eq!(read("+08:00", "2026-01-04T08:10:35Z"), "2026-01-04T08:10:35.000Z");
    }

    #[test]
    fn an_offset_keeps_its_text() {
        for text in ["+08:00", "-03:30", "+00:00"] {
            assert_eq!(text.parse::<UtcOffset>().unwrap().to_string(), text);
        }
        for text in ["", "8", "+8:00", "+24:00", "+08:60", "é8:00", "++8:00", "UTC"] {
            assert!(text.parse::<UtcOffset>().is_err(), "{text}");
        }
        assert!(UtcOffset::UTC.instant("yesterday").is_err());
    }
}
