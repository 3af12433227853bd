//! How an endpoint did over time, as its attempts show.

use std::time::Duration;

use eventbus::Timestamp;

use super::endpoint::EndpointId;

/// Over which time, and how finely.
#[derive(Debug, Clone)]
pub struct Period {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// Attempts from this time on.
    pub since: Timestamp,
    /// How long a bucket is; not zero.
    pub bucket: Duration,
    /// How many buckets there are, one after the other.
    pub buckets: u32,
    /// How many attempts are looked at, those of the newest deliveries first.
    pub most: u32,
}

/// An attempt, as far as it counts here.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// Whether it was answered with 2xx.
    pub succeeded: bool,
}

/// What became of the attempts of one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// When it begins.
    pub start: Timestamp,
    /// How many were answered with 2xx.
    pub succeeded: u32,
    /// How many were not.
    pub failed: u32,
    /// How long half of them took at most, and how long 95 of 100; none where there were none.
    pub median: Option<Duration>,
    /// See `median`.
    pub p95: Option<Duration>,
}

/// How an endpoint did.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// Every bucket, the oldest first.
    pub buckets: Vec<Bucket>,
    /// From when on every attempt was counted; before that only some, or none.
    pub complete_since: Timestamp,
}

impl Period {
    /// When its last bucket ends.
    pub fn end(&self) -> Timestamp {
        self.since.plus(self.bucket * self.buckets)
    }

    /// What these attempts come to; `complete_since` is when all of them were looked at.
    pub fn count(&self, samples: impl IntoIterator<Item = Sample>, complete_since: Timestamp) -> Statistics {
        let mut gathered = vec![(0, 0, Vec::new()); self.buckets as usize];
        for sample in samples {
            let Some((succeeded, failed, durations)) =
                self.index(sample.started_at).and_then(|at| gathered.get_mut(at))
            else {
                continue;
            };
            *(if sample.succeeded { succeeded } else { failed }) += 1;
            durations.push(sample.duration);
        }
        let bucket = |(index, (succeeded, failed, mut durations)): (usize, (u32, u32, Vec<Duration>))| {
            durations.sort_unstable();
            let start = self.since.plus(self.bucket * u32::try_from(index).unwrap_or(u32::MAX));
            Bucket { start, succeeded, failed, median: rank(&durations, 50), p95: rank(&durations, 95) }
        };
        Statistics { buckets: gathered.into_iter().enumerate().map(bucket).collect(), complete_since }
    }

    fn index(&self, at: Timestamp) -> Option<usize> {
        let since = u128::try_from(at.as_millis().checked_sub(self.since.as_millis())?).ok()?;
        usize::try_from(since / self.bucket.as_millis().max(1)).ok()
    }
}

/// What so many of a hundred are not above: the nearest rank.
fn rank(sorted: &[Duration], percent: usize) -> Option<Duration> {
    sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_counts_in_the_bucket_it_began_in() {
        let at = Timestamp::from_millis;
        let period = Period {
            endpoint: EndpointId::new("we_1"),
            since: at(1000),
            bucket: Duration::from_millis(100),
            buckets: 3,
            most: 9,
        };
        let sample = |ms, took, succeeded| Sample {
            started_at: at(ms),
            duration: Duration::from_millis(took),
            succeeded,
        };
        let samples = [
            sample(999, 1, true),
            sample(1000, 10, true),
            sample(1099, 30, true),
            sample(1099, 20, false),
            sample(1299, 5, false),
            sample(1300, 1, true),
        ];
        let found = period.count(samples, at(7)).buckets;
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(
            found,
            [
                Bucket { start: at(1000), succeeded: 2, failed: 1, median: ms(20), p95: ms(30) },
                Bucket { start: at(1100), succeeded: 0, failed: 0, median: None, p95: None },
                Bucket { start: at(1200), succeeded: 0, failed: 1, median: ms(5), p95: ms(5) },
            ]
        );
    }
}
