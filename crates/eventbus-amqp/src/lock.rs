//! Locks on the broker: a queue that is one connection's alone exists for as long as its owner wants, or lives.

use std::sync::Arc;
use std::time::Duration;

use eventbus::{Error, ErrorKind, Result};
use lapin::Channel;
use lapin::options::QueueDeleteOptions;
use lapin::types::ShortString;
use rand::RngExt as _;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::connection::Link;
use crate::error::{is_locked, transient};
use crate::topology::Maker;

/// How long a lock is waited for, at most: others hold it for moments.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long what was read may take to be back, and how often it is looked for.
const BACK: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(2);

/// What keeps others of this process out: within a connection, a lock on the broker excludes nobody.
#[derive(Clone)]
pub(crate) struct Door {
    _guard: Arc<OwnedMutexGuard<()>>,
}

impl Door {
    /// Waits at the door, and closes it until the last clone is gone.
    pub(crate) async fn close(door: &Arc<Mutex<()>>) -> Self {
        Self { _guard: Arc::new(Arc::clone(door).lock_owned().await) }
    }
}

/// A lock that is held, or asked for. Whoever drops it gives it back at once, at whatever point it was; so does the end of
/// its connection.
pub(crate) struct Lock {
    pub(crate) link: Arc<Link>,
    pub(crate) channel: Channel,
    name: ShortString,
    /// A queue that was read under it, and how much lies there again before it is given back.
    pub(crate) back: Option<(ShortString, u32)>,
    /// Opens when the lock is given back, and not before.
    door: Option<Door>,
    /// Whether it is nobody else's, for all that is known.
    is_owned: bool,
    /// Where it is given back, whoever drops it.
    runtime: Handle,
}

impl Lock {
    /// Waits for a lock.
    pub(crate) async fn take(link: &Arc<Link>, name: ShortString, door: &Door) -> Result<Self> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(lock) = Self::ask(link, name.clone(), Some(door.clone())).await? {
                return Ok(lock);
            }
            if Instant::now() >= end {
                let text = format!("somebody else has the lock {name} for too long");
                return Err(Error::new(ErrorKind::NotSent, text));
            }
            let pause = rand::rng().random_range(5..25);
            sleep(Duration::from_millis(pause)).await;
        }
    }

    /// Takes a lock unless somebody else has it.
    pub(crate) async fn try_take(link: &Arc<Link>, name: ShortString) -> Result<Option<Self>> {
        Self::ask(link, name, None).await
    }

    async fn ask(link: &Arc<Link>, name: ShortString, door: Option<Door>) -> Result<Option<Self>> {
        let failed = |error| transient("taking a lock", error);
        let channel = link.channel().await.map_err(failed)?;
        let (link, runtime) = (Arc::clone(link), Handle::current());
        // Its own from now on: nobody knows whether it is when the answer is not awaited.
        let mut lock = Self { link, channel, name, back: None, door, is_owned: true, runtime };
        match lock.maker().exclusive(lock.name.clone()).await {
            Ok(_) => Ok(Some(lock)),
            Err(error) if is_locked(&error) => {
                lock.is_owned = false;
                Ok(None)
            }
            Err(error) => Err(transient(&format!("taking the lock {}", lock.name), error)),
        }
    }

    pub(crate) fn maker(&self) -> Maker<'_> {
        Maker { link: &self.link, channel: &self.channel }
    }

    /// Gives the lock back, and everything that was read on its channel and not acknowledged before.
    pub(crate) async fn release(mut self) {
        if let Some(released) = self.give_back() {
            let _ = released.await;
        }
    }

    /// On a task of its own, which goes on when nobody waits for it.
    fn give_back(&mut self) -> Option<JoinHandle<()>> {
        if !std::mem::take(&mut self.is_owned) {
            return None;
        }
        let (link, channel) = (Arc::clone(&self.link), self.channel.clone());
        let (name, back, door) = (self.name.clone(), self.back.take(), self.door.take());
        let given_back = async move {
            let _ = link.within(channel.close(200, "done".into())).await;
            // Its channel may have ended over something that was not there.
            if let Ok(channel) = link.channel().await {
                if let Some(back) = back {
                    // Before long it is back in any case.
                    let _ = timeout(BACK, returned(&Maker { link: &link, channel: &channel }, back)).await;
                }
                let deleted = channel.queue_delete(name, QueueDeleteOptions::default());
                let _ = link.within(deleted).await;
                let _ = link.within(channel.close(200, "done".into())).await;
            }
            drop(door);
        };
        Some(self.runtime.spawn(given_back))
    }
}

/// Waits until a queue has as much again: the broker takes a moment for that.
async fn returned(maker: &Maker<'_>, (queue, count): (ShortString, u32)) {
    while maker.look(queue.clone()).await.is_ok_and(|queue| queue.message_count() < count) {
        sleep(PAUSE).await;
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        drop(self.give_back());
    }
}
