//! What came before: known at once, and stored a moment after it was published.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::filter::Filter;
use super::seen::{Held, Seen};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{Inbound, InboundDigest};
use crate::store::Store;

/// How much may be published and not stored yet before the next one waits.
const QUEUE: usize = 8192;
/// How many are stored together at most, and how many are read together at the start.
const BATCH: usize = 1024;
const PAGE: u32 = 4096;
/// How long it waits when the store cannot be read or written, before it tries again.
const AGAIN: Duration = Duration::from_secs(1);
/// How long what is published waits for others to be stored with: nobody but the same webhook, come again, waits for it.
const GATHER: Duration = Duration::from_millis(50);

/// A webhook that was published, in its turn until it is stored.
type Published = (Inbound, Held);

/// What came before.
pub(super) struct Memory {
    store: Arc<dyn Store>,
    seen: Seen,
    filter: Filter,
    queue: mpsc::Sender<Published>,
    published: Mutex<mpsc::Receiver<Published>>,
}

impl Memory {
    /// Nothing is known of it before [`run`](Self::run) has read what is stored: until then the store is asked.
    pub(super) fn of(store: Arc<dyn Store>, filter: Filter) -> Self {
        let (queue, published) = mpsc::channel(QUEUE);
        Self { store, seen: Seen::default(), filter, queue, published: Mutex::new(published) }
    }

    /// Waits until no other request of this webhook is under way, or published and not stored.
    pub(super) async fn turn(&self, digest: InboundDigest) -> Held {
        self.seen.turn(digest).await
    }

    /// Whether it came before.
    pub(super) async fn came(&self, digest: InboundDigest) -> Result<bool> {
        Ok(self.filter.may_have(digest) && self.store.came(digest).await?)
    }

    /// Remembers that it was published, and gives its turn back once that is stored.
    pub(super) async fn keep(&self, inbound: Inbound, turn: Held) -> Result<()> {
        self.filter.add(inbound.digest);
        let closed = |_| Error::new(ErrorKind::Closed, "the bridge stops");
        self.queue.send((inbound, turn)).await.map_err(closed)
    }

    /// Reads what is stored, and stores what is published until it is told to stop; then the rest.
    pub(super) async fn run(&self, stop: CancellationToken) {
        tokio::join!(stop.run_until_cancelled(self.learn()), self.write(&stop));
    }

    /// Until it is done, the store is asked each time.
    async fn learn(&self) {
        let mut after = None;
        loop {
            let page = match self.store.remembered(after, PAGE).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(%error, "what came in cannot be read");
                    tokio::time::sleep(AGAIN).await;
                    continue;
                }
            };
            page.iter().for_each(|digest| self.filter.add(*digest));
            let Some(last) = page.into_iter().next_back() else { return self.filter.complete() };
            after = Some(last);
        }
    }

    async fn write(&self, stop: &CancellationToken) {
        let (mut published, mut batch) = (self.published.lock().await, Vec::new());
        while stop.run_until_cancelled(published.recv_many(&mut batch, BATCH)).await.is_some() {
            stop.run_until_cancelled(tokio::time::sleep(GATHER)).await;
            self.save(&mut batch, &mut published, stop).await;
        }
        self.save(&mut batch, &mut published, stop).await;
    }

    /// Stores what was taken from the queue, and what is still in it; tries again until it is told to stop.
    async fn save(
        &self,
        batch: &mut Vec<Published>,
        published: &mut mpsc::Receiver<Published>,
        stop: &CancellationToken,
    ) {
        while let Ok(more) = published.try_recv() {
            batch.push(more);
        }
        for some in batch.chunks(BATCH) {
            let mut inbound: Vec<_> = some.iter().map(|(inbound, _)| *inbound).collect();
            // As they are stored, so that each page is changed once.
            inbound.sort_unstable_by_key(|one| one.digest);
            // They are on the bus: whoever sent them must not send them again because of this.
            while let Err(error) = self.store.remember(inbound.clone()).await {
                tracing::error!(%error, "webhooks were published and cannot be remembered");
                if stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await.is_none() {
                    break;
                }
            }
        }
        batch.clear();
    }
}

#[cfg(test)]
mod tests {
    use eventbus::Timestamp;

    use super::*;
    use crate::model::Mode;
    use crate::store::SqliteStore;

    fn inbound(number: usize) -> Inbound {
        let expires_at = Timestamp::now().plus(Duration::from_secs(60));
        Inbound::new(("shop", Mode::Live, &format!("evt_{number}")), expires_at)
    }

    fn memory(folder: &tempfile::TempDir) -> Memory {
        let store = SqliteStore::open(&folder.path().join("s.sqlite"), Timestamp::now()).unwrap();
        Memory::of(Arc::new(store), Filter::new())
    }

    #[tokio::test]
    async fn what_was_published_is_known_also_after_a_stop() {
        let folder = tempfile::tempdir().unwrap();
        let (before, stop) = (memory(&folder), CancellationToken::new());
        let count = PAGE as usize + BATCH;
        let publish = async {
            for one in (0..count).map(inbound) {
                let turn = before.turn(one.digest).await;
                assert!(!before.came(one.digest).await.unwrap());
                before.keep(one, turn).await.unwrap();
            }
            stop.cancel();
        };
        tokio::join!(before.run(stop.clone()), publish);
        before.store.close().await;
        let after = memory(&folder);
        after.learn().await;
        for one in (0..count).map(inbound) {
            assert!(after.came(one.digest).await.unwrap(), "{one:?}");
        }
        assert!(!after.came(inbound(count).digest).await.unwrap());
    }
}
