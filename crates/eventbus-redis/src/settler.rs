//! Settling: acknowledgements in one `XACK` per shard, everything else in one script per shard, both at once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eventbus::transport::{Failure, History, Settled, Settlement, Settler, Token};
use futures::future::join_all;
use redis::{Cmd, RedisResult, Value};
use tokio::time::{Instant, timeout_at};

use crate::error::{is_broken, is_vanished};
use crate::member::{Member, Stream, lock};
use crate::message::{EntryId, list, number, write_history};
use crate::script::{Lua, SETTLE};
use crate::shard::acknowledge;

/// How long a settlement is tried again while the member stops.
const HURRY: Duration = Duration::from_secs(1);

/// The settling half of a member.
pub(crate) struct RedisSettler(pub(crate) Arc<Member>);

/// What is to be done in one shard: places in the batch, with the arguments.
#[derive(Default)]
struct Work {
    acks: Vec<(usize, EntryId)>,
    others: Vec<(usize, Other)>,
}

/// A settlement that a script carries out.
struct Other {
    kind: &'static str,
    stream: Stream,
    id: EntryId,
    key: Option<Arc<str>>,
    attempt: u32,
    history: String,
    detail: String,
}

impl RedisSettler {
    /// Sorts settlements by shard; what is not this member's is lost.
    fn sort(&self, settlements: &[(Token, Settlement)], settled: &mut [Settled]) -> Vec<Work> {
        let member = &self.0;
        let mut works: Vec<Work> = member.shards.iter().map(|_| Work::default()).collect();
        // Whoever may have lost its messages has every settlement checked by the server.
        let sure = member.is_current().then(|| member.doubtful());
        let mut flights = member.flights();
        for (place, (token, settlement)) in settlements.iter().enumerate() {
            let Some(flight) = flights.get_mut(&token.0).filter(|flight| !flight.settling) else { continue };
            flight.settling = true;
            settled[place] = Settled::Unknown;
            let work = &mut works[flight.shard];
            let quick = sure.is_some_and(|doubtful| token.0 >= doubtful);
            if quick && flight.stream == Stream::Log && matches!(settlement, Settlement::Ack) {
                work.acks.push((place, flight.id));
                continue;
            }
            let (kind, detail, failure) = describe(settlement);
            let history = failure.map(|failure| add(flight.history.as_deref(), failure));
            let history = write_history(history.as_ref().or(flight.history.as_deref()));
            let attempt = flight.attempt + u32::from(kind == "retry");
            let (stream, id, key) = (flight.stream, flight.id, flight.key.clone());
            if let (true, Some(key)) = (kind != "ack", &key) {
                // Known as held before the server knows, so that nothing slips through in between.
                lock(&member.shards[flight.shard].held).insert(key.to_string());
            }
            work.others.push((place, Other { kind, stream, id, key, attempt, history, detail }));
        }
        works
    }

    async fn carry_out(&self, shard: usize, work: &Work) -> Vec<(usize, Settled)> {
        let (acks, others) =
            tokio::join!(self.acknowledge(shard, &work.acks), self.script(shard, &work.others));
        acks.into_iter().chain(others).collect()
    }

    async fn acknowledge(&self, shard: usize, acks: &[(usize, EntryId)]) -> Vec<(usize, Settled)> {
        if acks.is_empty() {
            return Vec::new();
        }
        let ids: Vec<EntryId> = acks.iter().map(|(_, id)| *id).collect();
        let command = acknowledge(&self.0.shards[shard].keys, &self.0.group, &ids);
        let (answer, tries) = self.insist(None, &command).await;
        let count = answer.as_ref().ok().and_then(number).and_then(|count| usize::try_from(count).ok());
        let settled = match (&answer, count) {
            (Err(error), _) if is_vanished(error) => Settled::Lost,
            (Err(_), _) => Settled::Unknown,
            // A second try counts nothing that the first did.
            (Ok(_), _) if tries > 1 => Settled::Applied,
            (Ok(_), Some(count)) if count == ids.len() => Settled::Applied,
            (Ok(_), Some(0)) => Settled::Lost,
            // Some were somebody else's meanwhile, and the server does not say which.
            (Ok(_), _) => Settled::Unknown,
        };
        acks.iter().map(|(place, _)| (*place, settled)).collect()
    }

    async fn script(&self, shard: usize, others: &[(usize, Other)]) -> Vec<(usize, Settled)> {
        if others.is_empty() {
            return Vec::new();
        }
        let most = self.0.shared.config.dead_letters;
        let command = self.0.command(&SETTLE, shard, |command| {
            command.arg(most);
            for (_, other) in others {
                command.arg(other.kind).arg(other.stream.name()).arg(other.id.to_string());
                command.arg(other.key.as_deref().unwrap_or_default());
                command.arg(other.attempt).arg(&other.history).arg(&other.detail);
            }
        });
        let (answer, tries) = self.insist(Some(&SETTLE), &command).await;
        let lost = answer.as_ref().err().is_some_and(is_vanished);
        let mut parts = answer.ok().and_then(list).unwrap_or_default().into_iter();
        let results = parts.next().and_then(list).unwrap_or_default();
        self.0.free(shard, parts.next().and_then(list).unwrap_or_default());
        let outcome = |place: usize| match results.get(place).and_then(number) {
            Some(1) => Settled::Applied,
            Some(2) => Settled::Refused,
            // It is not there any more because the first try applied it, or because it is somebody else's.
            Some(0) if tries > 1 => Settled::Unknown,
            Some(0) => Settled::Lost,
            Some(_) => {
                tracing::error!(group = %self.0.group, id = %others[place].1.id, "an entry that was pending is gone");
                Settled::Lost
            }
            None if lost => Settled::Lost,
            None => Settled::Unknown,
        };
        others.iter().enumerate().map(|(index, (place, _))| (*place, outcome(index))).collect()
    }

    /// Runs a command again for as long as the connection is what fails and the messages are this member's.
    async fn insist(&self, lua: Option<&Lua>, command: &Cmd) -> (RedisResult<Value>, u32) {
        let member = &self.0;
        let end = Instant::now() + member.shared.config.lease;
        let mut tries = 0;
        loop {
            tries += 1;
            let end = if member.is_stopped() { end.min(Instant::now() + HURRY) } else { end };
            let line = &member.shared.commands;
            let run = async {
                match lua {
                    Some(lua) => lua.run(line, command).await,
                    None => line.query(command).await,
                }
            };
            let answer = match timeout_at(end, run).await {
                Ok(answer) => answer,
                Err(_) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
            };
            match &answer {
                Err(error) if is_broken(error) && Instant::now() < end && !member.is_gone() => {}
                Err(error) => {
                    member.note(error);
                    return (answer, tries);
                }
                Ok(_) => return (answer, tries),
            }
        }
    }

    /// Forgets what is settled; what may not be is looked up on the server.
    fn conclude(&self, outcomes: &[(u64, Settled)]) {
        let mut flights = self.0.flights();
        for (token, settled) in outcomes {
            match settled {
                Settled::Refused => {
                    if let Some(flight) = flights.get_mut(token) {
                        flight.settling = false;
                    }
                }
                _ => drop(flights.remove(token)),
            }
        }
        drop(flights);
        if outcomes.iter().any(|(_, settled)| *settled == Settled::Unknown) {
            self.0.shards.iter().for_each(|shard| lock(&shard.state).search());
            self.0.bell.notify_one();
        }
    }
}

fn describe(settlement: &Settlement) -> (&'static str, String, Option<&Failure>) {
    match settlement {
        Settlement::Ack => ("ack", String::new(), None),
        Settlement::Return => ("return", String::new(), None),
        Settlement::RetryAfter { delay, failure } => {
            // Up, so that nothing is early.
            let millis = delay.as_nanos().div_ceil(1_000_000);
            ("retry", millis.to_string(), Some(failure))
        }
        Settlement::DeadLetter { failure, hold } => ("dead", u8::from(*hold).to_string(), Some(failure)),
    }
}

fn add(history: Option<&History>, failure: &Failure) -> History {
    let mut history = history.cloned().unwrap_or_default();
    history.push(failure.clone());
    history
}

impl RedisSettler {
    /// Gives messages back that nobody saw, also after the member is gone.
    pub(crate) async fn give_back(&self, unseen: &[(Token, Settlement)]) {
        if !unseen.is_empty() {
            self.apply(unseen).await;
        }
    }

    async fn apply(&self, settlements: &[(Token, Settlement)]) -> Vec<Settled> {
        let mut settled = vec![Settled::Lost; settlements.len()];
        let order = match self.0.ordered {
            true => Some(self.0.settling.lock().await),
            false => None,
        };
        let works = self.sort(settlements, &mut settled);
        let busy =
            works.iter().enumerate().filter(|(_, work)| !work.acks.is_empty() || !work.others.is_empty());
        let outcomes = join_all(busy.map(|(shard, work)| self.carry_out(shard, work))).await.concat();
        outcomes.iter().for_each(|(place, outcome)| settled[*place] = *outcome);
        self.conclude(
            &outcomes.iter().map(|(place, outcome)| (settlements[*place].0.0, *outcome)).collect::<Vec<_>>(),
        );
        drop(order);
        settled
    }
}

#[async_trait]
impl Settler for RedisSettler {
    async fn settle(&self, settlements: &[(Token, Settlement)]) -> Vec<Settled> {
        if self.0.is_gone() {
            return vec![Settled::Lost; settlements.len()];
        }
        let settled = self.apply(settlements).await;
        let retries = settlements.iter().filter_map(|(_, settlement)| match settlement {
            Settlement::RetryAfter { delay, .. } => Some(*delay),
            _ => None,
        });
        if let Some(soonest) = retries.min() {
            self.0.expect(soonest);
        }
        settled
    }

    async fn stop(&self) {
        self.0.stop();
    }
}

impl fmt::Debug for RedisSettler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisSettler").field(&self.0).finish()
    }
}
