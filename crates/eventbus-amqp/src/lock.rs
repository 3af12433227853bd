//! Locks on the broker: a queue that is one connection's alone exists for as long as its owner wants, or lives.

use std::sync::Arc;
use std::time::Duration;

use eventbus::{Error, ErrorKind, Result};
use lapin::Channel;
use lapin::options::QueueDeleteOptions;
use lapin::types::ShortString;
use rand::RngExt as _;
use tokio::time::{Instant, sleep};

use crate::connection::Link;
use crate::error::{is_locked, transient};
use crate::topology::Maker;

/// How long a lock is waited for, at most: others hold it for moments.
const PATIENCE: Duration = Duration::from_secs(10);

/// A lock that is held. A connection that ends gives it back; [`release`](Self::release) does so at once.
///
/// Within a connection it excludes nobody: see `Shared::doors`.
pub(crate) struct Lock {
    pub(crate) link: Arc<Link>,
    pub(crate) channel: Channel,
    name: ShortString,
}

impl Lock {
    /// Waits for a lock.
    pub(crate) async fn take(link: &Arc<Link>, name: ShortString) -> Result<Self> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(lock) = Self::try_take(link, name.clone()).await? {
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
        let failed = |error| transient(&format!("taking the lock {name}"), error);
        let channel = link.channel().await.map_err(failed)?;
        match (Maker { link, channel: &channel }).exclusive(name.clone()).await {
            Ok(_) => Ok(Some(Self { link: Arc::clone(link), channel, name })),
            Err(error) if is_locked(&error) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    pub(crate) fn maker(&self) -> Maker<'_> {
        Maker { link: &self.link, channel: &self.channel }
    }

    /// Gives the lock back, and everything that was read on its channel and not acknowledged before.
    pub(crate) async fn release(self) {
        // Its channel may have ended over something that was not there.
        if let Ok(channel) = self.link.channel().await {
            let _ = self.link.within(self.channel.close(200, "done".into())).await;
            let deleted = channel.queue_delete(self.name.clone(), QueueDeleteOptions::default());
            let _ = self.link.within(deleted).await;
            let _ = self.link.within(channel.close(200, "done".into())).await;
        }
    }
}
