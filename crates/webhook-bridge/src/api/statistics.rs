//! How an endpoint did over time.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use eventbus::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Api;
use super::auth::Caller;
use super::body::{Id, Parameters};
use super::endpoint::find;
use super::problem::Problem;
use super::wish::within;
use crate::model::{Bucket, Period};

/// How many attempts are looked at: some ten milliseconds of reading.
const MOST: u32 = 20_000;
/// How many buckets there are when nothing is said, and at most.
const BUCKETS: (u32, u32) = (48, 240);
/// Over which time in seconds when nothing is said, and at most.
const SECONDS: (u32, u32) = (24 * 3600, 30 * 24 * 3600);

/// Over which time.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "StatisticsQuery")]
pub(super) struct Asked {
    /// How far back from now.
    #[schemars(range(min = 60, max = 2_592_000))]
    seconds: Option<u32>,
    /// In how many parts.
    #[schemars(range(min = 1, max = 240))]
    buckets: Option<u32>,
}

/// How an endpoint did, by its attempts.
#[derive(Serialize, JsonSchema)]
pub(super) struct Statistics {
    endpoint: String,
    succeeded: u32,
    failed: u32,
    bucket_seconds: f64,
    /// From when on every attempt is counted. An endpoint with more attempts than are looked at has only some of them before.
    complete_since: String,
    buckets: Vec<View>,
}

/// The attempts that began within a bucket.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "StatisticsBucket")]
struct View {
    start: String,
    succeeded: u32,
    failed: u32,
    /// How long half of them took at most.
    median_ms: Option<u64>,
    /// How long 95 of 100 took at most.
    p95_ms: Option<u64>,
}

/// `GET /v1/endpoints/{id}/statistics`
pub(super) async fn statistics(
    State(api): State<Api>,
    caller: Caller,
    Id(id): Id,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Statistics>, Problem> {
    let endpoint = find(&api, caller.mode, id).await?;
    let buckets = within("buckets", asked.buckets, 1..=BUCKETS.1)?.unwrap_or(BUCKETS.0);
    let seconds = within("seconds", asked.seconds, 60..=SECONDS.1)?.unwrap_or(SECONDS.0);
    let (bucket, now) = (Duration::from_secs(seconds.into()) / buckets, Timestamp::now());
    let long = i64::from(seconds) * 1000;
    let since = Timestamp::from_millis(now.as_millis() - long);
    let period = Period { endpoint: endpoint.id.clone(), since, bucket, buckets, most: MOST };
    let found = api.store.statistics(caller.mode, period).await?;
    let sum = |of: fn(&Bucket) -> u32| found.buckets.iter().map(of).sum();
    Ok(Json(Statistics {
        endpoint: endpoint.id.as_str().to_owned(),
        succeeded: sum(|bucket| bucket.succeeded),
        failed: sum(|bucket| bucket.failed),
        bucket_seconds: bucket.as_secs_f64(),
        complete_since: found.complete_since.to_string(),
        buckets: found.buckets.into_iter().map(View::from).collect(),
    }))
}

impl From<Bucket> for View {
    fn from(bucket: Bucket) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self {
            start: bucket.start.to_string(),
            succeeded: bucket.succeeded,
            failed: bucket.failed,
            median_ms: bucket.median.map(ms),
            p95_ms: bucket.p95.map(ms),
        }
    }
}
