//! A clock that all processes of a machine share, so that what they did can be put in one order.

use std::sync::OnceLock;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

/// The time in nanoseconds.
pub(super) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0)).as_nanos() as u64
}

/// The same time on the clock of this process.
pub(super) fn instant(at: u64) -> Instant {
    static BOTH: OnceLock<(Instant, u64)> = OnceLock::new();
    let (instant, zero) = *BOTH.get_or_init(|| (std::time::Instant::now().into(), now()));
    match at.checked_sub(zero) {
        Some(later) => instant + Duration::from_nanos(later),
        None => instant.checked_sub(Duration::from_nanos(zero - at)).unwrap_or(instant),
    }
}
