//! Deliveries that are due and that nobody sends: told by what changes between looks. Pure.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{DeliveryKey, Due, EndpointKey};

/// Endpoints that should be sent something and are not: as many as were due at the last look.
#[derive(Debug, Default)]
pub(super) struct Idle(HashMap<EndpointKey, Waiting>);

#[derive(Debug, Clone, Copy)]
struct Waiting {
    delivery: DeliveryKey,
    /// The first of the looks, without a gap, that found the same delivery waiting for nothing.
    since: Instant,
}

impl Idle {
    /// Takes a look into account. What waits behind a request of its endpoint waits for that; where another delivery is the
    /// longest due than before, one was sent. So a backlog is no fault, however old, nor is the time before this bridge
    /// began.
    pub(super) fn observe(&mut self, due: &[Due], now: Instant) {
        let waits = |due: &&Due| !due.behind;
        let waiting = due.iter().filter(waits).map(|due| {
            let before = self.0.get(&due.delivery.endpoint).filter(|one| one.delivery == due.delivery);
            let since = before.map_or(now, |one| one.since);
            (due.delivery.endpoint, Waiting { delivery: due.delivery, since })
        });
        self.0 = waiting.collect();
    }

    /// How long something has waited.
    pub(super) fn longest(&self, now: Instant) -> Duration {
        self.0.values().map(|one| now - one.since).max().unwrap_or_default()
    }

    /// What to say when something has waited for longer than this.
    pub(super) fn late(&self, bound: Duration, now: Instant) -> Option<Cow<'static, str>> {
        let late = self.0.values().map(|one| now - one.since).filter(|waited| *waited > bound);
        let (count, longest) =
            late.fold((0, Duration::ZERO), |(count, most), waited| (count + 1, most.max(waited)));
        let seconds = longest.as_secs();
        (count > 0).then(|| format!("due and not sent for {seconds} s, to {count} endpoints").into())
    }
}

#[cfg(test)]
mod tests {
    use eventbus::Timestamp;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn due(endpoint: i64, sequence: u64) -> Due {
        let delivery = DeliveryKey { endpoint: EndpointKey(endpoint), sequence };
        Due { delivery, since: Timestamp::from_millis(0), behind: false }
    }

    fn is_late(looks: &[&[Due]]) -> bool {
        let (mut idle, mut now) = (Idle::default(), Instant::now());
        for look in looks {
            idle.observe(look, now);
            now += 40 * SECOND;
        }
        idle.late(60 * SECOND, now).is_some()
    }

    #[test]
    fn what_nobody_sends_is_late_and_what_waits_for_its_endpoint_is_not() {
        let (one, next) = (due(1, 1), due(1, 2));
        let sent = Due { behind: true, ..one };
        assert!(is_late(&[&[one], &[one]]), "nothing is sent");
        assert!(!is_late(&[&[one]]), "not yet");
        assert!(!is_late(&[&[one], &[next]]), "it was sent, another is due");
        assert!(!is_late(&[&[sent], &[sent], &[one]]), "until now something was under way");
        assert!(!is_late(&[&[one], &[], &[one]]), "in between it was not due");
        assert!(is_late(&[&[due(2, 9), one], &[one], &[one]]), "each for itself");
    }
}
