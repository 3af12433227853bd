//! What everything of one transport shares: its settings, its connections, who is joining and leaving.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use eventbus::{Error, Result, Timestamp};
use lapin::Channel;
use rand::RngExt as _;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::config::AmqpConfig;
use crate::connection::{Dialler, Line, Link};
use crate::error::transient;
use crate::later::Later;
use crate::member::{Member, lock};
use crate::publisher::Publisher;
use crate::topology::{Bus, Maker};

/// How long the end of a membership is waited for.
const LEAVING: Duration = Duration::from_secs(5);
/// The first instant of dead letters' numbers, in seconds since 1970: 2026.
pub(crate) const EPOCH: u64 = 1_767_225_600;

/// What everything of one transport shares.
pub(crate) struct Shared {
    pub(crate) config: AmqpConfig,
    pub(crate) bus: Bus,
    /// For reading, acknowledging and looking.
    pub(crate) consuming: Arc<Line>,
    pub(crate) publishing: Arc<Line>,
    /// For everything that groups with order per key do: when the broker ends it, nothing is heard of them any more.
    pub(crate) ordering: Arc<Line>,
    /// For scheduled events, read and published on one channel: who is not let read any more publishes none either.
    pub(crate) keeping: Arc<Line>,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) later: Later,
    /// Locks on the broker exclude other connections; this excludes others on the same one.
    pub(crate) doors: Arc<tokio::sync::Mutex<()>>,
    /// The same for dead letters, which are worked on for longer.
    pub(crate) graveyards: Arc<tokio::sync::Mutex<()>>,
    replies: tokio::sync::Mutex<Option<(Arc<Link>, Channel)>>,
    /// Tells this process's life from all others.
    incarnation: String,
    members: AtomicU64,
    tokens: AtomicU64,
    dead: AtomicU64,
    closed: AtomicBool,
    open_members: Mutex<Vec<Weak<Member>>>,
    /// What is wrong, for as long as somebody says so.
    troubles: Mutex<Vec<Weak<str>>>,
    /// Memberships that are ending.
    leaving: AtomicU64,
    left: Notify,
}

impl Shared {
    pub(crate) async fn connect(config: AmqpConfig) -> Result<Arc<Self>> {
        config.check()?;
        let dialler = Arc::new(Dialler::new(&config)?);
        let bus = Bus::new(&config.name);
        let shared = Self {
            consuming: Line::new(&dialler, "consuming"),
            publishing: Line::new(&dialler, "publishing"),
            keeping: Line::new(&dialler, "keeping"),
            ordering: Line::new(&dialler, "ordering"),
            publisher: Arc::new(Publisher::new(bus.clone(), config.unrouted)),
            later: Later::default(),
            doors: Arc::default(),
            graveyards: Arc::default(),
            replies: tokio::sync::Mutex::default(),
            incarnation: format!("{}-{:012x}", std::process::id(), rand::rng().random::<u64>() >> 16),
            members: AtomicU64::new(0),
            // A token of one process means nothing in another.
            tokens: AtomicU64::new(rand::rng().random::<u64>() >> 8),
            dead: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            open_members: Mutex::default(),
            troubles: Mutex::default(),
            leaving: AtomicU64::new(0),
            left: Notify::new(),
            bus,
            config,
        };
        shared.consuming.first().await?;
        shared.examine().await?;
        Ok(Arc::new(shared))
    }

    /// Makes sure of what all groups share.
    async fn examine(&self) -> Result<()> {
        let failed = |error| transient(&format!("setting up the exchange {}", self.bus.exchange()), error);
        let link = self.consuming.reach().await.map_err(failed)?;
        let channel = link.channel().await.map_err(failed)?;
        let maker = Maker { link: &link, channel: &channel };
        maker.bus(&self.bus, self.config.unrouted).await.map_err(failed)?;
        let _ = link.within(channel.close(200, "done".into())).await;
        Ok(())
    }

    /// Says that the transport is closed, once it is.
    pub(crate) fn open(&self) -> Result<()> {
        match self.closed.load(Ordering::SeqCst) {
            true => Err(Error::closed("the AMQP transport")),
            false => Ok(()),
        }
    }

    /// Closes for new work; `false` when that was done before.
    pub(crate) fn close(&self) -> bool {
        let first = !self.closed.swap(true, Ordering::SeqCst);
        self.later.close();
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

    /// Tells what is wrong, until what this gives is dropped.
    pub(crate) fn troubled(&self, text: String) -> Arc<str> {
        tracing::warn!("{text}");
        let trouble = Arc::from(text);
        lock(&self.troubles).push(Arc::downgrade(&trouble));
        trouble
    }

    pub(crate) fn troubles(&self) -> Vec<String> {
        let mut troubles = lock(&self.troubles);
        troubles.retain(|trouble| trouble.strong_count() > 0);
        troubles.iter().filter_map(Weak::upgrade).map(|trouble| trouble.to_string()).collect()
    }

    /// A name no member ever had; names sort by age.
    pub(crate) fn name(&self) -> String {
        let now = Timestamp::now().as_millis();
        format!("{now:013}-{}-{}", self.incarnation, self.members.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn token(&self) -> u64 {
        self.tokens.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of a new dead letter: it grows with time, and no two processes give the same.
    pub(crate) fn dead_number(&self) -> u64 {
        const OWN: u32 = 8;
        let micros = u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or(0);
        let micros = micros.saturating_sub(EPOCH * 1_000_000);
        let next = |last: u64| Some(micros.max(last + 1));
        let last = self.dead.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).unwrap_or(0);
        let own = u64::from(self.incarnation.as_bytes().last().copied().unwrap_or(0))
            ^ u64::from(std::process::id());
        (micros.max(last + 1) << OWN) | (own & 0xff)
    }

    /// A channel to answer questions on.
    pub(crate) async fn replies(&self) -> lapin::Result<(Arc<Link>, Channel)> {
        let mut replies = self.replies.lock().await;
        if let Some((link, channel)) = replies.as_ref()
            && !link.is_down()
            && channel.status().connected()
        {
            return Ok((Arc::clone(link), channel.clone()));
        }
        *replies = None;
        // Not for a question that came too late: nobody would end it.
        let link = self.publishing.reach().await?;
        let channel = link.channel().await?;
        *replies = Some((Arc::clone(&link), channel.clone()));
        Ok((link, channel))
    }

    /// After a question: ends connections that were made for it alone.
    pub(crate) async fn rest(&self) {
        self.consuming.rest().await;
        self.publishing.rest().await;
    }

    /// Waits until memberships that ended in this process have ended on the broker too.
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
        // A broker that does not answer has ended them, or will when it misses their heartbeats.
        let _ = timeout(LEAVING, all_left).await;
    }

    /// Ends something in the background that whoever joins or looks at a group has to wait for.
    pub(crate) fn ending(self: &Arc<Self>, end: impl Future<Output = ()> + Send + 'static) {
        // Without a runtime its connections end by themselves.
        let Ok(runtime) = Handle::try_current() else { return };
        let shared = Arc::clone(self);
        shared.leaving.fetch_add(1, Ordering::SeqCst);
        runtime.spawn(async move {
            if timeout(LEAVING, end).await.is_err() {
                tracing::debug!("the end of a membership was not heard");
            }
            shared.leaving.fetch_sub(1, Ordering::SeqCst);
            shared.left.notify_waiters();
        });
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}
