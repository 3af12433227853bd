//! Times as people give them: `2026-01-01T00:00:00Z`, or `30s`, `15m`, `2h`, `3d` for so long ago.

use eventbus::Timestamp;

/// A time as the API takes it.
pub(super) fn time(text: &str) -> Result<String, String> {
    let ago =
        ago(text).map(|millis| Timestamp::from_millis(Timestamp::now().as_millis().saturating_sub(millis)));
    let time = ago.or_else(|| text.parse().ok());
    time.map(|time| time.to_string())
        .ok_or_else(|| "must be such as 2026-01-01T00:00:00Z, or 15m, 2h, 3d ago".to_owned())
}

/// How long ago a time is, in its largest unit: `3 h`.
pub(super) fn span(time: &str) -> Option<String> {
    let time: Timestamp = time.parse().ok()?;
    let seconds = Timestamp::now().as_millis().saturating_sub(time.as_millis()).max(0) / 1000;
    Some(match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    })
}

fn ago(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let seconds: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
    Some(i64::from(count).saturating_mul(seconds * 1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_said_as_it_is_or_as_so_long_ago() {
        assert_eq!(time("2026-01-01T00:00:00Z").unwrap(), "2026-01-01T00:00:00.000Z");
        assert_eq!((ago("90s"), ago("2h"), ago("3d")), (Some(90_000), Some(7_200_000), Some(259_200_000)));
        for text in ["", "h", "-1h", "2 h", "yesterday", "2026-01-01"] {
            assert!(time(text).is_err(), "{text:?}");
        }
    }
}
