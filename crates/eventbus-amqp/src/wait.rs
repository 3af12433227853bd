//! How long a retry waits, in queues of a fixed time each: a few of them make up any delay, one after the other.
//!
//! A message in a queue goes when its time is over and never before, so no retry is early. What is left of its delay is
//! written on it; whoever gets it then sends it on, or keeps it for the rest, unacknowledged. Nobody reads the time of day.

use std::time::Duration;

/// The shortest wait in a queue, in ms.
pub(crate) const SHORTEST: u64 = 1024;
/// Each queue's time is this many times that of the one before.
const RATIO: u64 = 4;

/// The longest delay of a retry.
pub(crate) const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The queue with the longest time within a delay: its time in ms. `None` for a delay that is shorter than all.
pub(crate) fn longest_within(delay: Duration) -> Option<u64> {
    times().take_while(|time| Duration::from_millis(*time) <= delay).last()
}

/// The times of all queues there may be, shortest first; a group has those it needed so far, and all shorter ones.
pub(crate) fn times() -> impl Iterator<Item = u64> {
    let longest = u64::try_from(LONGEST.as_millis()).unwrap_or(u64::MAX);
    std::iter::successors(Some(SHORTEST), |time| Some(time * RATIO)).take_while(move |time| *time <= longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many waits make up a delay, and what is left in the end.
    fn waits(mut delay: Duration) -> (usize, Duration) {
        let mut count = 0;
        while let Some(time) = longest_within(delay) {
            (count, delay) = (count + 1, delay - Duration::from_millis(time));
        }
        (count, delay)
    }

    #[test]
    fn any_delay_is_a_few_waits_and_a_second() {
        assert_eq!(longest_within(Duration::from_millis(1023)), None);
        assert_eq!(longest_within(Duration::from_millis(1024)), Some(1024));
        for millis in [1, 1023, 1025, 12_345, 600_000, 86_400_000, 31_536_000_000] {
            let (count, left) = waits(Duration::from_millis(millis));
            assert!(count <= 36 && left < Duration::from_millis(SHORTEST), "{millis}: {count}, {left:?}");
        }
    }

    #[test]
    fn there_are_few_queues() {
        assert_eq!(times().take(4).collect::<Vec<_>>(), [1024, 4096, 16_384, 65_536]);
        assert_eq!(times().count(), 13);
    }
}
