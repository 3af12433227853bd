//! What a member has asked for and has got: a read in every shard at once, each on a connection of its own, none ever
//! dropped before it is answered.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use eventbus::Result;
use eventbus::transport::{Batch, Body, Received, Settlement};
use redis::{RedisResult, Value};
use tokio::time::sleep;

use crate::error::{is_broken, is_vanished, transient};
use crate::member::{BLOCK, Member, Stream, lock};
use crate::message::{Entry, EntryId, again_entry, bytes, list, log_entry, number};
use crate::reading::{Answer, Reading};
use crate::script::{CLAIM, LEAVE, SETTLE};
use crate::settler::RedisSettler;
use crate::shard::Claiming;

/// How often a blocked read is asked to end after a stop.
const UNBLOCK: Duration = Duration::from_millis(20);
/// How many unwanted entries are gathered before they are acknowledged at once.
const SKIPPED: usize = 512;

/// What a member has asked for, and what it has got and not given to the engine yet.
pub(crate) struct Inbox {
    pub(crate) member: Arc<Member>,
    lanes: Vec<Lane>,
    buffer: VecDeque<Received>,
}

/// Shards that are read together, on one connection: each by itself in a group with order, whose members have each
/// shard for themselves; all of them otherwise, so that no read waits for messages that another member could have.
struct Lane {
    shards: Vec<usize>,
    read: Option<Reading>,
}

/// An entry, with the stream it came from.
type Found = (Stream, Entry);

impl Inbox {
    pub(crate) fn new(member: Arc<Member>) -> Self {
        let all = 0..member.shards.len();
        let lane = |shards| Lane { shards, read: None };
        let lanes = match member.ordered {
            true => all.map(|shard| lane(vec![shard])).collect(),
            false => vec![lane(all.collect())],
        };
        Self { member, lanes, buffer: VecDeque::new() }
    }

    /// Takes over what lost members left, and what this one never saw, before anything newer.
    pub(crate) async fn claim(&mut self, credit: NonZeroU32) -> Result<()> {
        let idle = self.lanes.iter().filter(|lane| lane.read.is_none());
        for shard in idle.flat_map(|lane| lane.shards.clone()).collect::<Vec<_>>() {
            // Page by page, at once: nothing newer is read before the last.
            loop {
                let room = (credit.get() as usize).saturating_sub(self.buffer.len());
                if room == 0 || self.member.is_stopped() {
                    return Ok(());
                }
                let claim = lock(&self.member.shards[shard].state).begin_claim();
                let Some(claim) = claim else { break };
                let claimed = self.claim_shard(shard, claim, room).await;
                lock(&self.member.shards[shard].state).reading = false;
                match claimed {
                    Ok(()) => {}
                    Err(error) if is_vanished(&error) => {
                        self.member.vanish();
                        break;
                    }
                    Err(error) if is_broken(&error) => break,
                    Err(error) => return Err(transient("taking over messages", error)),
                }
            }
        }
        Ok(())
    }

    async fn claim_shard(&mut self, shard: usize, (search, from): Claiming, room: usize) -> RedisResult<()> {
        let known: Vec<String> = {
            let flights = self.member.flights();
            let of_shard = flights.values().filter(|flight| flight.shard == shard);
            of_shard.map(|flight| format!("{}{}", flight.stream.name(), flight.id)).collect()
        };
        let answer = self.member.run(&CLAIM, shard, |command| {
            command.arg(u8::from(self.member.ordered)).arg(&from.0).arg(&from.1).arg(room);
            for id in &known {
                command.arg(id);
            }
        });
        let mut parts = list(answer.await?).unwrap_or_default().into_iter();
        let (log, again) = (parts.next().and_then(text), parts.next().and_then(text));
        let gone = parts.next().as_ref().and_then(number).unwrap_or(0);
        if gone > 0 {
            tracing::error!(group = %self.member.group, gone, "entries that were pending are not in the log any more");
        }
        let (log, again) = (log.unwrap_or_default(), again.unwrap_or_default());
        let done = log.is_empty() && again.is_empty();
        lock(&self.member.shards[shard].state).claimed(search, (!done).then_some((log, again)));
        let mut found = Vec::new();
        for message in parts.next().and_then(list).unwrap_or_default() {
            let mut message = list(message).unwrap_or_default().into_iter();
            let name = message.next().and_then(bytes).unwrap_or_default();
            let id = message.next().and_then(bytes).unwrap_or_default();
            let times = message.next().as_ref().and_then(number).unwrap_or(1);
            let stream = if name == b"log" { Stream::Log } else { Stream::Again };
            let times = u32::try_from(times).unwrap_or(u32::MAX);
            found.extend(self.entry(stream, &id, (times, message.next().and_then(list).unwrap_or_default())));
        }
        self.absorb(shard, found).await
    }

    fn entry(&self, stream: Stream, id: &[u8], (times, fields): (u32, Vec<Value>)) -> Option<Found> {
        let (id, largest) = (EntryId::parse(id)?, self.member.shared.config.max_event_size);
        let entry = match stream {
            Stream::Log => log_entry(id, times, fields, largest),
            Stream::Again => again_entry(id, times, fields, largest)?,
        };
        Some((stream, entry))
    }

    /// Begins a read in every lane that has none. Each may bring as much as was asked for, as nobody else could take it
    /// meanwhile, or it is the only one.
    pub(crate) fn read(&mut self, credit: NonZeroU32) {
        for lane in self.lanes.iter_mut().filter(|lane| lane.read.is_none()) {
            let begin = |shard: &usize| lock(&self.member.shards[*shard].state).begin_read();
            let shards: Vec<usize> = lane.shards.iter().copied().filter(begin).collect();
            if !shards.is_empty() {
                let each = credit.get() / u32::try_from(shards.len()).unwrap_or(1);
                lane.read = Some(Reading::begin(&self.member, shards, each.max(1)));
            }
        }
    }

    /// Waits until a read is answered, or there is something else to look at.
    async fn wait(&mut self) -> Option<(Vec<usize>, Answer)> {
        let member = Arc::clone(&self.member);
        let lanes = &mut self.lanes;
        let answered = std::future::poll_fn(|context| {
            for lane in lanes.iter_mut() {
                let Some(read) = &mut lane.read else { continue };
                if let Poll::Ready(answer) = read.answer.as_mut().poll(context) {
                    return Poll::Ready(lane.read.take().map(|read| (read.shards, answer)));
                }
            }
            Poll::Pending
        });
        tokio::select! {
            biased;
            answered = answered => answered,
            () = member.bell.notified() => None,
        }
    }

    /// Takes in what a read brought.
    async fn answered(&mut self, shards: &[usize], answer: Answer) -> Result<()> {
        let taken = self.take_in(shards, answer).await;
        for shard in shards {
            // Only now: until here messages were under way that nothing else knows of.
            lock(&self.member.shards[*shard].state).reading = false;
        }
        taken
    }

    async fn take_in(&mut self, shards: &[usize], (connection, answer): Answer) -> Result<()> {
        let owns = |shard: &usize| lock(&self.member.shards[*shard].state).own;
        match answer {
            Ok(answer) if self.member.is_current() && shards.iter().all(owns) => {
                for (shard, found) in self.entries(shards, answer) {
                    let absorbed = self.absorb(shard, found).await;
                    self.forgive(&[shard], absorbed)?;
                }
                Ok(())
            }
            // Others may have taken these over while this process stood still: whose they are is looked up.
            Ok(_) => self.search(shards),
            Err(error) => {
                if is_broken(&error) {
                    self.member.shards[shards[0]].line.broken(connection.number, &error).await;
                }
                self.forgive(shards, Err(error))
            }
        }
    }

    fn search(&self, shards: &[usize]) -> Result<()> {
        shards.iter().for_each(|shard| lock(&self.member.shards[*shard].state).search());
        Ok(())
    }

    /// After a lost connection, what may have been handed out without being seen is looked up; the rest is an error.
    fn forgive(&self, shards: &[usize], result: RedisResult<()>) -> Result<()> {
        let Err(error) = result else { return Ok(()) };
        self.member.note(&error);
        self.search(shards)?;
        if is_broken(&error) || is_vanished(&error) { Ok(()) } else { Err(transient("receiving", error)) }
    }

    /// The entries of an answer to `XREADGROUP`, by shard; those that come again first, in the order of the log.
    fn entries(&self, shards: &[usize], answer: Value) -> Vec<(usize, Vec<Found>)> {
        let mut found: Vec<(usize, Vec<Found>)> = shards.iter().map(|shard| (*shard, Vec::new())).collect();
        for stream in list(answer).unwrap_or_default() {
            let mut stream = list(stream).unwrap_or_default().into_iter();
            let name = stream.next().and_then(bytes).unwrap_or_default();
            let is_of = |(shard, _): &&mut (usize, Vec<Found>)| {
                let keys = &self.member.shards[*shard].keys;
                [keys.log(), keys.again()].iter().any(|key| key.as_bytes() == name)
            };
            let Some((shard, found)) = found.iter_mut().find(is_of) else { continue };
            let is_log = self.member.shards[*shard].keys.log().as_bytes() == name;
            let which = if is_log { Stream::Log } else { Stream::Again };
            for entry in stream.next().and_then(list).unwrap_or_default() {
                let mut entry = list(entry).unwrap_or_default().into_iter();
                let (id, fields) = (entry.next().and_then(bytes), entry.next().and_then(list));
                found.extend(id.zip(fields).and_then(|(id, fields)| self.entry(which, &id, (1, fields))));
            }
        }
        for (_, found) in &mut found {
            found.sort_by_key(|(stream, entry)| (*stream == Stream::Log, entry.place));
        }
        found
    }

    /// Sorts out what the group does not want, parks what waits behind a held key, and keeps the rest for the engine.
    async fn absorb(&mut self, shard: usize, found: Vec<Found>) -> RedisResult<()> {
        let newest =
            found.iter().filter(|(stream, _)| *stream == Stream::Log).map(|(_, entry)| entry.id).max();
        if let Some(newest) = newest {
            let mut state = lock(&self.member.shards[shard].state);
            state.last = state.last.max(newest);
        }
        let mut wanted = Vec::with_capacity(found.len());
        for (stream, entry) in found {
            match &entry.body {
                Body::Event(event) if stream == Stream::Log && !self.member.wants(event) => {
                    self.member.skip(shard, entry.id);
                }
                _ => wanted.push((stream, entry)),
            }
        }
        if self.member.skipped() > SKIPPED {
            self.member.flush_skipped().await;
        }
        if self.member.ordered {
            wanted = park(&self.member, shard, wanted).await?;
        }
        for (stream, entry) in wanted {
            self.buffer.push_back(self.member.take(shard, stream, entry));
        }
        Ok(())
    }

    pub(crate) fn hand_out(&mut self, credit: NonZeroU32) -> Batch {
        let count = self.buffer.len().min(credit.get() as usize);
        self.buffer.drain(..count).collect::<Vec<_>>().into()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Whether no read is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.lanes.iter().all(|lane| lane.read.is_none())
    }

    /// Waits for one thing to happen: an answer, a ring of the bell, or a while; reads that are to end are told so.
    pub(crate) async fn turn(&mut self) -> Result<()> {
        let ends = self.ending();
        let pause = if ends.is_empty() { BLOCK } else { UNBLOCK };
        unblock(&Arc::clone(&self.member), ends).await;
        let answered = tokio::select! {
            answered = self.wait() => answered,
            () = sleep(pause) => None,
        };
        match answered {
            Some((shards, answer)) => self.answered(&shards, answer).await,
            None => Ok(()),
        }
    }

    /// Where less was asked for than there are shards, each was asked for one all the same: what that brought too much
    /// goes back at once, because other members may have time for it.
    pub(crate) async fn give_back_rest(&mut self, credit: NonZeroU32) {
        let credit = credit.get() as usize;
        if !self.member.ordered && credit < self.member.shards.len() && credit < self.buffer.len() {
            let rest = self.buffer.split_off(credit);
            give_back(&self.member, rest).await;
        }
    }

    /// The member's last act: what it never gave to the engine goes back uncounted, then it is gone.
    pub(crate) async fn leave(mut self) {
        while !self.is_idle() {
            if self.turn().await.is_err() {
                break;
            }
        }
        let unseen = std::mem::take(&mut self.buffer);
        give_back(&self.member, unseen).await;
        self.member.flush_skipped().await;
        let all = (0..self.member.shards.len()).map(|shard| self.member.run(&LEAVE, shard, |_| {}));
        for left in futures::future::join_all(all).await {
            if let Err(error) = left {
                tracing::debug!(group = %self.member.group, %error, "leaving was not heard; the lease ends the membership");
            }
        }
    }

    /// The clients on the server whose reads are to end.
    fn ending(&self) -> Vec<i64> {
        let over = self.member.is_stopped() || self.member.is_gone();
        let ends = |read: &&Reading| {
            over || read.shards.iter().any(|shard| lock(&self.member.shards[*shard].state).wants_quiet())
        };
        let reads = self.lanes.iter().filter_map(|lane| lane.read.as_ref()).filter(ends);
        // One whose client is not known ends by itself, soon.
        reads.map(|read| read.client().unwrap_or_default()).collect()
    }
}

/// Parks messages whose keys are held by earlier ones; gives the others.
async fn park(member: &Member, shard: usize, found: Vec<Found>) -> RedisResult<Vec<Found>> {
    let is_held = |(_, entry): &Found| match &entry.body {
        Body::Event(event) => {
            event.key().is_some_and(|key| lock(&member.shards[shard].held).contains(key.as_str()))
        }
        Body::Undecodable(_) => false,
    };
    let held: Vec<bool> = found.iter().map(is_held).collect();
    if !held.contains(&true) {
        return Ok(found);
    }
    // While no settlement is under way, keys that turn out to be free can be forgotten.
    let quiet = member.settling.try_lock().ok();
    let answer = member.run(&SETTLE, shard, |command| {
        command.arg(u64::MAX);
        for ((stream, entry), _) in found.iter().zip(&held).filter(|(_, held)| **held) {
            let Body::Event(event) = &entry.body else { continue };
            let key = event.key().map_or("", |key| key.as_str());
            let history = crate::message::write_history(entry.history.as_deref());
            command.arg("park").arg(stream.name()).arg(entry.id.to_string()).arg(key);
            command.arg(entry.attempt).arg(history).arg("");
        }
    });
    const DELIVER: i64 = 4;
    let mut parts = list(answer.await?).unwrap_or_default().into_iter();
    let mut results = parts.next().and_then(list).unwrap_or_default().into_iter();
    if quiet.is_some() {
        member.free(shard, parts.next().and_then(list).unwrap_or_default());
    }
    let mut stays = |held: bool| !held || results.next().as_ref().and_then(number) == Some(DELIVER);
    Ok(found.into_iter().zip(held).filter(|(_, held)| stays(*held)).map(|(found, _)| found).collect())
}

/// Gives messages back that the engine never saw.
async fn give_back(member: &Arc<Member>, unseen: VecDeque<Received>) {
    let unseen: Vec<_> = unseen.into_iter().map(|received| (received.token, Settlement::Return)).collect();
    RedisSettler(Arc::clone(member)).give_back(&unseen).await;
}

/// Asks the server to answer blocked reads now.
async fn unblock(member: &Member, clients: Vec<i64>) {
    for client in clients.into_iter().filter(|client| *client != 0) {
        // Who may not do so waits for the end of the block.
        let _ = member.shared.commands.query(redis::cmd("CLIENT").arg("UNBLOCK").arg(client)).await;
    }
}

fn text(value: Value) -> Option<String> {
    bytes(value).and_then(|bytes| String::from_utf8(bytes).ok())
}
