//! What everything of one transport shares: its settings, its lines, its shards.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventbus::{AnyEvent, Error, Result, Timestamp};
use rand::RngExt as _;
use redis::Cmd;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::config::RedisConfig;
use crate::connection::{Dialler, Line};
use crate::keys::{ShardKeys, shard};
use crate::member::{Member, lock};
use crate::publisher::Publisher;
use crate::script::Lua;
use crate::server::Server;

/// How long the end of a membership is waited for.
const LEAVING: Duration = Duration::from_secs(5);

/// What everything of one transport shares.
pub(crate) struct Shared {
    pub(crate) config: RedisConfig,
    pub(crate) dialler: Arc<Dialler>,
    pub(crate) server: Server,
    /// For everything but publishing and blocking reads.
    pub(crate) commands: Arc<Line>,
    pub(crate) publishing: Arc<Line>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) shards: Vec<ShardKeys>,
    /// Tells this process's life from all others.
    incarnation: String,
    members: AtomicU64,
    closed: AtomicBool,
    /// Rings for every member when the transport is closed.
    open_members: Mutex<Vec<std::sync::Weak<Member>>>,
    /// Memberships that are ending.
    leaving: AtomicU64,
    left: Notify,
    /// Rings when a scheduled event may be due earlier than thought.
    pub(crate) scheduled: Notify,
    /// What pins the logs at this moment.
    pub(crate) alarms: Mutex<Vec<String>>,
    /// Where groups stood that vanished.
    cursors: Mutex<HashMap<(String, usize), String>>,
    /// Spreads events without a key.
    turn: AtomicU64,
}

impl Shared {
    pub(crate) async fn connect(config: RedisConfig) -> Result<Arc<Self>> {
        config.check()?;
        let dialler = Arc::new(Dialler::new(&config)?);
        let answers = Some(config.response_timeout);
        let commands = Arc::new(Line::new(&dialler, answers));
        let server = Server::examine(&commands, &dialler, &config).await?;
        let shards: Vec<ShardKeys> =
            (0..config.shards).map(|number| ShardKeys::new(&config.name, number)).collect();
        Ok(Arc::new(Self {
            publishing: Arc::new(Line::new(&dialler, answers)),
            publisher: Arc::new(Publisher::new(server.confirmation, config.response_timeout / 4)),
            incarnation: format!("{}-{:012x}", std::process::id(), rand::rng().random::<u64>() >> 16),
            members: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            open_members: Mutex::default(),
            leaving: AtomicU64::new(0),
            left: Notify::new(),
            scheduled: Notify::new(),
            alarms: Mutex::default(),
            cursors: Mutex::default(),
            turn: AtomicU64::new(0),
            config,
            dialler,
            server,
            commands,
            shards,
        }))
    }

    /// Says that the transport is closed, once it is.
    pub(crate) fn open(&self) -> Result<()> {
        match self.closed.load(Ordering::SeqCst) {
            true => Err(Error::closed("the Redis transport")),
            false => Ok(()),
        }
    }

    /// Closes for new work; `false` when that was done before.
    pub(crate) fn close(&self) -> bool {
        let first = !self.closed.swap(true, Ordering::SeqCst);
        for member in lock(&self.open_members).drain(..).filter_map(|member| member.upgrade()) {
            member.bell.notify_one();
        }
        first
    }

    pub(crate) fn register(&self, member: &Arc<Member>) {
        let mut members = lock(&self.open_members);
        members.retain(|member| member.strong_count() > 0);
        members.push(Arc::downgrade(member));
    }

    /// A name no member ever had; names sort by age.
    pub(crate) fn name(&self) -> String {
        let now = Timestamp::now().as_millis();
        format!("{now:013}-{}-{}", self.incarnation, self.members.fetch_add(1, Ordering::Relaxed))
    }

    /// The shard an event belongs to.
    pub(crate) fn shard_of(&self, event: &AnyEvent) -> usize {
        let number = match event.key() {
            _ if self.shards.len() == 1 => return 0,
            Some(key) => shard(key.as_str(), self.config.shards),
            None => (self.turn.fetch_add(1, Ordering::Relaxed) % self.shards.len() as u64) as u16,
        };
        usize::from(number)
    }

    /// The command that runs a script of a group in a shard, without a member.
    pub(crate) fn command(&self, lua: &Lua, (group, shard): (&str, usize)) -> Cmd {
        let mut command = lua.command(&self.shards[shard].group(group).0);
        command.arg(group);
        command
    }

    /// Waits until memberships that ended in this process have ended on the server too.
    pub(crate) async fn settled(&self) {
        let all_left = async {
            loop {
                let left = self.left.notified();
                tokio::pin!(left);
                left.as_mut().enable();
                if self.leaving.load(Ordering::SeqCst) == 0 {
                    return;
                }
                left.await;
            }
        };
        // A server that does not answer ends the lease by itself.
        let _ = timeout(LEAVING, all_left).await;
    }

    /// Notes where a group stood, so that it can be made again from there.
    pub(crate) fn remember(&self, group: &str, shard: usize, cursor: String) {
        lock(&self.cursors).insert((group.to_owned(), shard), cursor);
    }

    /// Where a group stood, if it vanished in this process's life.
    pub(crate) fn cursor(&self, group: &str, shard: usize) -> String {
        lock(&self.cursors).get(&(group.to_owned(), shard)).cloned().unwrap_or_default()
    }

    /// Forgets it, because the group is there, or is not to be any more.
    pub(crate) fn forget(&self, group: &str) {
        lock(&self.cursors).retain(|(of, _), _| of != group);
    }
}

impl Shared {
    /// Ends something in the background that whoever joins or looks at a group has to wait for.
    pub(crate) fn ending(self: &Arc<Self>, end: impl Future<Output = ()> + Send + 'static) {
        // Without a runtime the leases end by themselves.
        let Ok(runtime) = Handle::try_current() else { return };
        let shared = Arc::clone(self);
        shared.leaving.fetch_add(1, Ordering::SeqCst);
        runtime.spawn(async move {
            if timeout(LEAVING, end).await.is_err() {
                tracing::debug!("the end of a membership was not heard; its lease ends it");
            }
            shared.leaving.fetch_sub(1, Ordering::SeqCst);
            shared.left.notify_waiters();
        });
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("config", &self.config)
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}
