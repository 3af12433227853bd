//! What every process does for the bus beside its own work: scheduled events at their time, and trimming.

use std::sync::{Arc, Weak};
use std::time::Duration;

use eventbus::Timestamp;
use redis::Value;
use tokio::time::{Instant, sleep_until};

use crate::member::lock;
use crate::message::{bytes, list, number};
use crate::script::{LATER, TEND};
use crate::shared::Shared;

/// How often scheduled events are looked for, at least.
const POLL: Duration = Duration::from_millis(250);
/// How often a log is trimmed, by whichever process is first.
const TRIM: Duration = Duration::from_secs(1);
/// For how long no member of an ephemeral group may be heard before the group is removed, its leases not counted.
const SILENCE: Duration = Duration::from_secs(60);

/// Keeps for as long as the transport lives.
pub(crate) async fn keep(shared: Weak<Shared>) {
    let mut trim = Instant::now();
    loop {
        let Some(shared) = shared.upgrade() else { return };
        if shared.open().is_err() {
            return;
        }
        let next = Instant::now() + move_due(&shared).await.min(POLL);
        if Instant::now() >= trim {
            trim = Instant::now() + TRIM;
            tend(&shared).await;
        }
        tokio::select! {
            () = sleep_until(next) => {}
            () = shared.scheduled.notified() => {}
        }
    }
}

/// Publishes scheduled events that are due; tells how long until the next one.
async fn move_due(shared: &Shared) -> Duration {
    let mut soonest = POLL;
    for shard in &shared.shards {
        let command = LATER.command(&[&shard.log, &shard.later, &shard.events]);
        match LATER.run(&shared.commands, &command).await {
            Ok(next) => {
                let next = number(&next).and_then(|next| u64::try_from(next).ok());
                soonest = soonest.min(next.map_or(POLL, |next| Duration::from_millis(next + 1)));
            }
            Err(error) => tracing::debug!(%error, "scheduled events could not be looked for"),
        }
    }
    soonest
}

async fn tend(shared: &Arc<Shared>) {
    let mut alarms = Vec::new();
    for shard in &shared.shards {
        let mut command = TEND.command(&[&shard.log, &shard.lock]);
        command.arg((TRIM * 4 / 5).as_millis() as u64).arg(shared.config.keep);
        command.arg(shared.config.keep_for.as_millis() as u64).arg(shard.groups());
        command.arg(SILENCE.as_millis() as u64);
        match TEND.run(&shared.commands, &command).await {
            Ok(held) => {
                let held = list(held).unwrap_or_default();
                alarms.extend(held.into_iter().filter_map(|held| alarm(shared, held)));
            }
            Err(error) => tracing::debug!(%error, "a log could not be trimmed"),
        }
    }
    let mut known = lock(&shared.alarms);
    for alarm in alarms.iter().filter(|alarm| !known.contains(alarm)) {
        tracing::warn!("{alarm}");
    }
    *known = alarms;
}

/// A group without members that holds more than the log keeps anyway.
fn alarm(shared: &Shared, held: Value) -> Option<String> {
    let mut held = list(held)?.into_iter();
    let name = String::from_utf8(bytes(held.next()?)?).ok()?;
    let since = held.next().as_ref().and_then(number)?;
    let unread = held.next().as_ref().and_then(number)?;
    let keep = i64::try_from(shared.config.keep).unwrap_or(i64::MAX);
    if (0..=keep).contains(&unread) {
        return None;
    }
    let name = name.split('#').next().unwrap_or(&name).to_owned();
    let since = Timestamp::from_millis(since);
    Some(format!(
        "the group {name} has no member and holds the log since {since}: start one, or forget the group"
    ))
}
