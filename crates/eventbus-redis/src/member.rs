//! One member of a group: what it holds, which shards it reads, and its sign of life.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use eventbus::transport::{Body, History, Order, Received, SubscriptionSpec, Token};
use eventbus::{AnyEvent, Error, ErrorKind, Result};
use futures::future::join_all;
use redis::{Cmd, RedisError, RedisResult, Value};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::connection::Line;
use crate::keys::ShardKeys;
use crate::message::{Entry, EntryId, bytes, list, number};
use crate::script;
use crate::shard::{Shard, ShardState, Skipped, acknowledge};
use crate::shared::Shared;

/// How long a read waits for events before it is asked again, at most.
pub(crate) const BLOCK: Duration = Duration::from_secs(1);
/// How often a member shows that it lives and looks for what is due, at least.
const POLL: Duration = Duration::from_millis(250);

/// Which of a group's two streams an entry lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stream {
    /// The shard's events.
    Log,
    /// The group's own: messages that come again.
    Again,
}

impl Stream {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Again => "again",
        }
    }
}

/// A message that the engine holds.
pub(crate) struct Flight {
    pub(crate) shard: usize,
    pub(crate) stream: Stream,
    pub(crate) id: EntryId,
    pub(crate) attempt: u32,
    pub(crate) history: Option<Box<History>>,
    /// The order key, in a group with order.
    pub(crate) key: Option<Arc<str>>,
    /// Whether a settlement is under way.
    pub(crate) settling: bool,
}

/// A member of a group.
pub(crate) struct Member {
    pub(crate) shared: Arc<Shared>,
    /// Unique for ever: what died under another name is taken over, what lives under it is its own.
    pub(crate) name: String,
    /// The group as Redis knows it.
    pub(crate) group: String,
    pub(crate) spec: SubscriptionSpec,
    /// What must be the same for all members of the group, as text.
    pub(crate) what: String,
    pub(crate) ordered: bool,
    pub(crate) shards: Vec<Shard>,
    flights: Mutex<HashMap<u64, Flight>>,
    tokens: AtomicU64,
    stopped: AtomicBool,
    gone: AtomicBool,
    vanished: AtomicBool,
    /// Another member has a shard that was this one's.
    ousted: AtomicBool,
    /// Tokens below this are of messages that others may have taken over.
    doubtful: AtomicU64,
    /// Rings when there is something to do for the reader.
    pub(crate) bell: Notify,
    /// Rings when a beat is due earlier than thought.
    sooner: Notify,
    due: Mutex<Option<Instant>>,
    /// When the lease was last renewed.
    renewed: Mutex<Instant>,
    /// One settlement at a time where order matters.
    pub(crate) settling: tokio::sync::Mutex<()>,
}

impl Member {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        (name, group): (String, String),
        spec: &SubscriptionSpec,
    ) -> Self {
        let ordered = spec.order == Order::PerKey;
        let shard =
            |keys: &ShardKeys| Shard::new(keys.group(&group), Line::new(&shared.dialler, None), spec.order);
        Self {
            shards: shared.shards.iter().map(shard).collect(),
            shared: Arc::clone(shared),
            name,
            group,
            spec: spec.clone(),
            what: describe(spec),
            ordered,
            flights: Mutex::default(),
            tokens: AtomicU64::new(1),
            stopped: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            vanished: AtomicBool::new(false),
            ousted: AtomicBool::new(false),
            doubtful: AtomicU64::new(0),
            bell: Notify::new(),
            sooner: Notify::new(),
            due: Mutex::default(),
            renewed: Mutex::new(Instant::now()),
            settling: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn flights(&self) -> MutexGuard<'_, HashMap<u64, Flight>> {
        lock(&self.flights)
    }

    /// Notes a message as held, and makes it one for the engine.
    pub(crate) fn take(&self, shard: usize, stream: Stream, entry: Entry) -> Received {
        let token = self.tokens.fetch_add(1, Ordering::Relaxed);
        let key = match &entry.body {
            Body::Event(event) if self.ordered => event.key().map(|key| Arc::from(key.as_str())),
            _ => None,
        };
        let Entry { id, attempt, history, body, .. } = entry;
        let flight = Flight { shard, stream, id, attempt, history: history.clone(), key, settling: false };
        self.flights().insert(token, flight);
        Received { token: Token(token), attempt, lost: 0, body, history }
    }

    /// Tells whether the group wants an event.
    pub(crate) fn wants(&self, event: &AnyEvent) -> bool {
        self.spec.wants(event)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.bell.notify_one();
    }

    /// Whether this member has left its group: what it held is somebody else's.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::SeqCst)
    }

    pub(crate) fn mark_gone(&self) {
        self.gone.store(true, Ordering::SeqCst);
    }

    /// The group is not there any more.
    pub(crate) fn vanish(&self) {
        self.vanished.store(true, Ordering::SeqCst);
        self.bell.notify_one();
    }

    /// A shard of this member's is another one's by now.
    pub(crate) fn oust(&self) {
        self.ousted.store(true, Ordering::SeqCst);
        self.bell.notify_one();
    }

    /// Says what ends the reader.
    pub(crate) fn check(&self) -> Result<()> {
        self.shared.open()?;
        if self.ousted.load(Ordering::SeqCst) {
            let text =
                format!("another member of {} took over while this one could not be heard", self.group);
            return Err(Error::new(ErrorKind::NotSent, text));
        }
        if !self.vanished.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.remember();
        Err(Error::new(ErrorKind::NotFound, format!("the group {} vanished from the server", self.group)))
    }

    /// Notes how far the group has come, as far as this member knows: everything before is settled.
    fn remember(&self) {
        let flights = self.flights();
        for (number, shard) in self.shards.iter().enumerate() {
            let open =
                flights.values().filter(|flight| flight.shard == number && flight.stream == Stream::Log);
            let oldest = open.map(|flight| flight.id.before()).min();
            let cursor = oldest.unwrap_or_else(|| lock(&shard.state).last);
            self.shared.remember(&self.group, number, cursor.to_string());
        }
    }

    /// The first token of the messages that nobody can have taken over since they came.
    pub(crate) fn doubtful(&self) -> u64 {
        self.doubtful.load(Ordering::SeqCst)
    }

    /// Tells whether nobody can have taken over this member's messages yet, as far as this process's clock says.
    pub(crate) fn is_current(&self) -> bool {
        lock(&self.renewed).elapsed() < self.shared.config.lease
    }

    /// The command that runs a group's script in a shard.
    pub(crate) fn command(&self, lua: &script::Lua, shard: usize, arguments: impl FnOnce(&mut Cmd)) -> Cmd {
        let mut command = lua.command(&self.shards[shard].keys.0);
        command.arg(&self.group).arg(&self.name);
        arguments(&mut command);
        command
    }

    /// Runs a group's script in a shard.
    pub(crate) async fn run(
        &self,
        lua: &script::Lua,
        shard: usize,
        arguments: impl FnOnce(&mut Cmd),
    ) -> RedisResult<Value> {
        let command = self.command(lua, shard, arguments);
        lua.run(&self.shared.commands, &command).await
    }

    /// Something will be due after this delay.
    pub(crate) fn expect(&self, delay: Duration) {
        let at = Instant::now() + delay + Duration::from_millis(1);
        let mut due = lock(&self.due);
        if due.is_none_or(|due| at < due) {
            *due = Some(at);
            drop(due);
            self.sooner.notify_one();
        }
    }

    /// Shows that the member lives, for as long as it does.
    pub(crate) async fn live(self: Arc<Self>) {
        loop {
            let next = Instant::now() + POLL.min(self.shared.config.lease / 4);
            *lock(&self.due) = None;
            self.beat().await;
            loop {
                let due = lock(&self.due).map_or(next, |due| due.min(next));
                tokio::select! {
                    () = tokio::time::sleep_until(due) => break,
                    () = self.sooner.notified() => {}
                }
            }
        }
    }

    async fn beat(&self) {
        let began = Instant::now();
        let mut renewed = true;
        for beat in join_all((0..self.shards.len()).map(|shard| self.beat_shard(shard))).await {
            if let Err(error) = beat {
                renewed = false;
                tracing::debug!(group = %self.group, %error, "a sign of life was not heard");
            }
        }
        if renewed && !self.vanished.load(Ordering::SeqCst) {
            *lock(&self.renewed) = began;
        }
        self.flush_skipped().await;
    }

    /// Shows life in one shard.
    async fn beat_shard(&self, shard: usize) -> RedisResult<()> {
        let before = lock(&self.shards[shard].state).clone();
        let want = match &before {
            _ if !self.ordered => "",
            state if state.dropping && !state.reading && self.holds_nothing(shard) => "drop",
            state if state.own => "keep",
            state if state.mine && !self.is_stopped() => "take",
            _ => "keep",
        };
        let lease = u64::try_from(self.shared.config.lease.as_millis()).unwrap_or(u64::MAX);
        let answer = self.run(&script::BEAT, shard, |command| {
            command.arg(lease).arg(want).arg(&self.what);
        });
        let Some(told) = Told::read(answer.await?) else {
            self.vanish();
            return Ok(());
        };
        if told.lapsed {
            self.doubtful.store(self.tokens.load(Ordering::SeqCst), Ordering::SeqCst);
        }
        if self.ordered && before.own && !told.own && want != "drop" {
            // What waits here for its turn may run there already.
            self.oust();
        }
        if let Ok(due) = u64::try_from(told.due) {
            self.expect(Duration::from_millis(due));
        }
        if self.ordered && told.own && !before.own {
            self.load_held(shard).await?;
        }
        self.heed(shard, &before, told);
        Ok(())
    }

    /// Acts on what the server told of a shard.
    fn heed(&self, shard: usize, before: &ShardState, told: Told) {
        let unseen = told.pending > self.known(shard);
        let mut state = lock(&self.shards[shard].state);
        if !unseen {
            state.unseen = None;
        } else if state.unseen.get_or_insert_with(Instant::now).elapsed() >= self.shared.config.lease {
            // A read that was given up arrived later.
            state.unseen = None;
            if state.claim.is_none() {
                state.search();
            }
        }
        state.mine = self.is_mine(shard, told.names);
        if self.ordered && state.own && !state.mine {
            state.dropping = true;
        }
        if self.ordered && told.own != state.own {
            state.own = told.own;
            state.dropping = false;
            state.search();
        }
        if (told.orphans || told.lapsed) && state.claim.is_none() {
            state.search();
        }
        if state.own != before.own || state.dropping != before.dropping || state.claim.is_some() {
            self.bell.notify_one();
        }
    }

    /// Learns which keys are held, before the first message of a shard is read.
    async fn load_held(&self, shard: usize) -> RedisResult<()> {
        let shard = &self.shards[shard];
        let keys = self.shared.commands.query(redis::cmd("HKEYS").arg(shard.keys.bound())).await?;
        let keys = list(keys).unwrap_or_default().into_iter().filter_map(bytes);
        // What is being settled at this moment may be known here already and not there yet.
        lock(&shard.held).extend(keys.filter_map(|key| String::from_utf8(key).ok()));
        Ok(())
    }

    /// Whether a shard is this member's part: they are dealt out in turn, the oldest member first. Names sort by age.
    fn is_mine(&self, shard: usize, names: Vec<Value>) -> bool {
        let mut names: Vec<Vec<u8>> = names.into_iter().filter_map(bytes).collect();
        names.sort();
        !names.is_empty() && names[shard % names.len()] == self.name.as_bytes()
    }

    /// How many messages of a shard this member knows that it has.
    fn known(&self, shard: usize) -> usize {
        let skipped = lock(&self.shards[shard].skipped).len();
        self.flights().values().filter(|flight| flight.shard == shard).count() + skipped
    }

    /// Whether nothing of a shard is held.
    fn holds_nothing(&self, shard: usize) -> bool {
        !self.flights().values().any(|flight| flight.shard == shard)
    }

    /// Entries the group does not want.
    pub(crate) fn skip(&self, shard: usize, id: EntryId) {
        lock(&self.shards[shard].skipped).push(id);
    }

    /// How many of them are not acknowledged yet.
    pub(crate) fn skipped(&self) -> usize {
        self.shards.iter().map(|shard| lock(&shard.skipped).len()).sum()
    }

    /// Acknowledges them, unless the group may want something else by now.
    pub(crate) async fn flush_skipped(&self) {
        if !self.is_current() || self.vanished.load(Ordering::SeqCst) {
            return;
        }
        for shard in &self.shards {
            let mut skipped = Skipped { of: shard, ids: std::mem::take(&mut *lock(&shard.skipped)) };
            if skipped.ids.is_empty() {
                continue;
            }
            let command = acknowledge(&shard.keys, &self.group, &skipped.ids);
            if self.shared.commands.query(&command).await.is_ok() {
                skipped.ids.clear();
            }
        }
    }

    /// Keys that are not held any more.
    pub(crate) fn free(&self, shard: usize, keys: Vec<Value>) {
        let mut held = lock(&self.shards[shard].held);
        for key in keys.into_iter().filter_map(bytes).filter_map(|key| String::from_utf8(key).ok()) {
            held.remove(&key);
        }
    }

    /// What the server reports of a group that is gone is told to the reader.
    pub(crate) fn note(&self, error: &RedisError) {
        if crate::error::is_vanished(error) {
            self.vanish();
        }
    }
}

/// What the server answers to a sign of life.
struct Told {
    /// Whether the lease had ended.
    lapsed: bool,
    /// Whether the shard is this member's.
    own: bool,
    /// In how many ms something is due; negative for nothing.
    due: i64,
    /// Whether lost members left messages.
    orphans: bool,
    /// How many messages are pending for this member.
    pending: usize,
    /// Who lives, in a group with order.
    names: Vec<Value>,
}

impl Told {
    /// Reads the answer; `None` when the group vanished.
    fn read(answer: Value) -> Option<Self> {
        let mut told = list(answer)?;
        let names = told.pop().and_then(list)?;
        let told: Vec<i64> = told.iter().filter_map(number).collect();
        let [lapsed, own, due, orphans, pending] = told[..] else { return None };
        let pending = usize::try_from(pending).unwrap_or(0);
        Some(Self { lapsed: lapsed == 1, own: own == 1, due, orphans: orphans == 1, pending, names })
    }
}

/// What must be the same for all members of a group, as text.
fn describe(spec: &SubscriptionSpec) -> String {
    let order = if spec.order == Order::PerKey { "per key" } else { "none" };
    let filters = spec.filters.iter().map(|filter| {
        let source = filter.only_source().map_or("*", |source| source.as_str());
        format!("{source} {}", filter.pattern())
    });
    std::iter::once(format!("order {order}")).chain(filters).collect::<Vec<_>>().join("\n")
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name, self.group)
    }
}
