//! The transport contract on Redis.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use eventbus::transport::{
    Backlog, Capabilities, DeadLetters, Group, Membership, Mode, Publishing, SubscriptionSpec, Transport,
};
use eventbus::{AnyEvent, Error, ErrorKind, EventId, Result};
use redis::{Cmd, Value};
use tokio::task::AbortHandle;

use crate::config::RedisConfig;
use crate::dead_letters::RedisDeadLetters;
use crate::error::{transient, unconfirmed};
use crate::keeper;
use crate::member::{Member, lock};
use crate::message::{EVENT, Stored, bytes, list, number};
use crate::post::Parcel;
use crate::reader::RedisReader;
use crate::script::{BACKLOG, CANCEL, FORGET, JOIN, SCHEDULE};
use crate::settler::RedisSettler;
use crate::shared::Shared;
use crate::start::places;

/// The longest delay of a retry or a scheduled event.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// The bus on Redis Streams. A clone is the same transport.
#[derive(Clone)]
pub struct RedisTransport(Arc<Handle>);

/// Ends the background work with the last clone.
struct Handle {
    shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

impl RedisTransport {
    /// Connects, and makes sure that the server can do what the settings promise.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for settings that break a rule; [`NotSent`](ErrorKind::NotSent) when the server
    /// cannot be reached; [`Refused`](ErrorKind::Refused) when it lets the user not in, or may evict keys and that is
    /// refused; [`Unsupported`](ErrorKind::Unsupported) for a server that is too old or not as durable as asked for;
    /// [`Conflict`](ErrorKind::Conflict) when the bus has another number of shards.
    pub async fn connect(config: RedisConfig) -> Result<Self> {
        let shared = Shared::connect(config).await?;
        agree(&shared).await?;
        let publishing = tokio::spawn(Arc::clone(&shared.publisher).run(Arc::clone(&shared.publishing)));
        let keeping = tokio::spawn(keeper::keep(Arc::downgrade(&shared)));
        Ok(Self(Arc::new(Handle { shared, tasks: [publishing.abort_handle(), keeping.abort_handle()] })))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    /// Encodes an event, unless it is too large.
    fn encode(&self, event: &AnyEvent) -> Result<Bytes> {
        let (json, most) = (event.to_json()?, self.shared().config.max_event_size);
        if json.len() > most {
            let text = format!("the event has {} bytes, more than the {most} allowed", json.len());
            return Err(Error::new(ErrorKind::Refused, text));
        }
        Ok(json)
    }

    fn parcel(&self, event: &AnyEvent) -> Result<Parcel> {
        let (shared, json) = (self.shared(), self.encode(event)?);
        let (log, stored) =
            (&shared.shards[shared.shard_of(event)].log, Stored::new(event.envelope(), &json));
        let size = log.len() + stored.size();
        let mut command = Cmd::with_capacity(5, size + 16);
        command.arg("XADD").arg(log).arg("*").arg(EVENT).arg(stored);
        Ok(Parcel { command, size })
    }

    /// Makes sure that the group is there, in every shard, with this member in it.
    async fn join(&self, member: &Member) -> Result<()> {
        let shared = self.shared();
        let mut starts: Option<Vec<String>> = None;
        for shard in 0..shared.shards.len() {
            // Where a group starts may take long to find, and matters to a new one only.
            if starts.is_none() && self.join_shard(member, shard, "").await? {
                continue;
            }
            if starts.is_none() {
                starts = Some(places(shared, &member.spec.start).await?);
            }
            let start = starts.as_ref().map_or("$", |starts| &starts[shard]);
            self.join_shard(member, shard, start).await?;
        }
        Ok(())
    }

    /// Joins one shard; `false` when the group is not there and no start was given.
    async fn join_shard(&self, member: &Member, shard: usize, start: &str) -> Result<bool> {
        let shared = self.shared();
        let ephemeral = member.spec.ephemeral || member.spec.mode == Mode::Broadcast;
        let seen = shared.cursor(&member.group, shard);
        let command = member.command(&JOIN, shard, |command| {
            command.arg(shared.config.lease.as_millis() as u64).arg(&member.what);
            command.arg(u8::from(ephemeral)).arg(start).arg(seen);
        });
        let answer = JOIN.ask(&shared.commands, &command).await;
        let answer = answer.map_err(|error| transient("joining the group", error))?;
        let mut parts = list(answer).unwrap_or_default().into_iter().filter_map(bytes);
        match parts.next().as_deref() {
            Some(b"absent") => return Ok(false),
            Some(b"conflict") => {
                let text =
                    format!("the group {} runs with other event types or another order", member.spec.group);
                return Err(Error::new(ErrorKind::Conflict, text));
            }
            Some(b"resumed") => {
                tracing::error!(group = %member.group, shard, "the group had vanished and was made again");
                agree(shared).await?;
            }
            _ => {}
        }
        Ok(true)
    }

    /// The groups of Redis that a group of the bus is made of: itself, or an instance for each member of a broadcast.
    async fn instances(&self, group: &Group) -> Result<Vec<String>> {
        instances(self.shared(), group).await
    }
}

/// The groups of Redis that a group of the bus is made of.
pub(crate) async fn instances(shared: &Shared, group: &Group) -> Result<Vec<String>> {
    shared.settled().await;
    let log = &shared.shards[0].log;
    let exists = shared.commands.ask(redis::cmd("EXISTS").arg(log)).await;
    let exists = exists.map_err(|error| transient("looking for groups", error))?;
    let mut names = Vec::new();
    if number(&exists) == Some(1) {
        let groups = shared.commands.ask(redis::cmd("XINFO").arg("GROUPS").arg(log)).await;
        let groups = groups.map_err(|error| transient("looking for groups", error))?;
        let name = |group: Value| list(group)?.into_iter().nth(1).and_then(bytes);
        names.extend(list(groups).unwrap_or_default().into_iter().filter_map(name));
    }
    let prefix = format!("{group}#");
    let names = names.into_iter().filter_map(|name| String::from_utf8(name).ok());
    Ok(names.filter(|name| *name == group.as_str() || name.starts_with(&prefix)).collect())
}

/// Writes down how many shards the bus has, or finds out that others say otherwise.
async fn agree(shared: &Shared) -> Result<()> {
    let key = &shared.shards[0].settings;
    let wrong = |error| transient("agreeing on the number of shards", error);
    let set = redis::cmd("HSETNX").arg(key).arg("shards").arg(shared.config.shards).to_owned();
    shared.commands.ask(&set).await.map_err(wrong)?;
    let known = shared.commands.ask(redis::cmd("HGET").arg(key).arg("shards")).await.map_err(wrong)?;
    match number(&known) {
        Some(known) if known != i64::from(shared.config.shards) => Err(Error::new(
            ErrorKind::Conflict,
            format!(
                "the bus {} has {known} shards, and {} were asked for",
                shared.config.name, shared.config.shards
            ),
        )),
        _ => Ok(()),
    }
}

#[async_trait]
impl Transport for RedisTransport {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            durability: self.shared().server.durability,
            key_order: true,
            broadcast: true,
            ephemeral: true,
            delayed_publish: true,
            retry_delay: Some(LONGEST),
            dead_letters: true,
            encodes: true,
            replay: true,
            lease: Some(self.shared().config.lease),
            ..Capabilities::minimal("redis")
        }
    }

    async fn publish(&self, batch: &[AnyEvent], publishing: Publishing) -> Vec<Result<()>> {
        let mut refused = Vec::new();
        let parcels = batch.iter().enumerate().filter_map(|(place, event)| match self.parcel(event) {
            Ok(parcel) => Some(parcel),
            Err(error) => {
                refused.push((place, error));
                None
            }
        });
        let mut outcomes = self.shared().publisher.publish(parcels, publishing).await;
        for (place, error) in refused {
            outcomes.insert(place, Err(error));
        }
        outcomes
    }

    async fn schedule(&self, event: &AnyEvent, delay: Duration) -> Result<()> {
        let shared = self.shared();
        shared.open()?;
        if delay > LONGEST {
            return Err(Error::new(ErrorKind::Refused, "delay: must be at most 365 days"));
        }
        let json = self.encode(event)?;
        let shard = &shared.shards[shared.shard_of(event)];
        let mut command = SCHEDULE.command(&[&shard.log, &shard.later, &shard.events]);
        command
            .arg(event.id().as_str())
            .arg(delay.as_nanos().div_ceil(1_000_000) as u64)
            .arg(shared.config.scheduled);
        command.arg(EVENT).arg(Stored::new(event.envelope(), &json));
        let stored = shared.publisher.store(&shared.publishing, &SCHEDULE, &command).await;
        let (kept, confirmed) = stored.map_err(uncertain)?;
        shared.scheduled.notify_one();
        match number(&kept) {
            Some(1) if confirmed => Ok(()),
            Some(1) => Err(unconfirmed()),
            _ => Err(Error::new(ErrorKind::Full, "too many events are scheduled already")),
        }
    }

    async fn cancel(&self, id: &EventId) -> Result<bool> {
        let shared = self.shared();
        shared.open()?;
        for shard in &shared.shards {
            let mut command = CANCEL.command(&[&shard.log, &shard.later, &shard.events]);
            command.arg(id.as_str());
            let removed = CANCEL.run(&shared.commands, &command).await;
            if number(&removed.map_err(|error| transient("cancelling", error))?) == Some(1) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn open(&self, spec: &SubscriptionSpec) -> Result<Membership> {
        let shared = self.shared();
        shared.open()?;
        self.capabilities().check(spec)?;
        shared.settled().await;
        let name = shared.name();
        let group = match spec.mode {
            Mode::Shared => spec.group.to_string(),
            Mode::Broadcast => format!("{}#{name}", spec.group),
        };
        let member = Arc::new(Member::new(shared, (name, group), spec));
        self.join(&member).await?;
        shared.forget(&member.group);
        shared.register(&member);
        let reader = Box::new(RedisReader::new(Arc::clone(&member)));
        Ok(Membership { reader, settler: Arc::new(RedisSettler(member)) })
    }

    async fn forget(&self, group: &Group) -> Result<bool> {
        let shared = self.shared();
        let mut was_there = false;
        for name in self.instances(group).await? {
            shared.forget(&name);
            for shard in 0..shared.shards.len() {
                let answer = FORGET.ask(&shared.commands, &shared.command(&FORGET, (&name, shard))).await;
                match number(&answer.map_err(|error| transient("forgetting the group", error))?) {
                    Some(-1) => {
                        return Err(Error::new(
                            ErrorKind::Conflict,
                            format!("the group {group} has members"),
                        ));
                    }
                    Some(1) => was_there = true,
                    _ => {}
                }
            }
        }
        Ok(was_there)
    }

    async fn backlog(&self, group: &Group) -> Result<Option<Backlog>> {
        let shared = self.shared();
        let mut total: Option<Backlog> = None;
        for name in self.instances(group).await? {
            let mut whole: Option<Backlog> = None;
            for shard in 0..shared.shards.len() {
                let answer = BACKLOG.ask(&shared.commands, &shared.command(&BACKLOG, (&name, shard))).await;
                let answer = answer.map_err(|error| transient("counting the backlog", error))?;
                let Some(one) = backlog(answer) else { continue };
                // Every member joins every shard.
                let members = one.members.max(whole.map_or(0, |whole| whole.members));
                whole = Some(Backlog { members, ..whole.unwrap_or_default().plus(one) });
            }
            total = whole.map(|whole| whole.plus(total.unwrap_or_default())).or(total);
        }
        Ok(total)
    }

    fn dead_letters(&self, group: &Group) -> Arc<dyn DeadLetters> {
        Arc::new(RedisDeadLetters::new(self.shared(), group))
    }

    fn troubles(&self) -> Vec<String> {
        let shared = self.shared();
        let mut troubles: Vec<String> = shared.server.warning.iter().cloned().collect();
        troubles.extend(shared.commands.trouble().into_iter().chain(shared.publishing.trouble()));
        troubles.dedup();
        troubles
    }

    fn warnings(&self) -> Vec<String> {
        lock(&self.shared().alarms).clone()
    }

    async fn close(&self) -> Result<()> {
        let shared = self.shared();
        if shared.close() {
            shared.publisher.close();
            shared.scheduled.notify_one();
        }
        shared.settled().await;
        shared.publishing.retire().await;
        // Whoever looks at what is left makes a connection for that.
        shared.commands.retire().await;
        Ok(())
    }
}

fn backlog(answer: Value) -> Option<Backlog> {
    let counts: Vec<u64> = list(answer)?
        .iter()
        .map(|count| number(count).and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
        .collect();
    let [queued, in_flight, waiting, parked, held_keys, dead, members] = counts[..] else { return None };
    Some(Backlog { queued, in_flight, waiting, parked, held_keys, dead, members, lost: 0 })
}

/// A command whose answer was lost may have been carried out.
fn uncertain(error: redis::RedisError) -> Error {
    match crate::error::is_broken(&error) {
        true => crate::error::unknown(&error),
        false => crate::error::refused(error),
    }
}

impl fmt::Debug for RedisTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisTransport").field(self.shared()).finish()
    }
}
