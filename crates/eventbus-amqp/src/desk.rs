//! A channel that messages are read on and acknowledged on, with what of them is open.

use std::sync::{Arc, Mutex};

use futures::StreamExt as _;
use futures::future::{FutureExt as _, join_all};
use futures::stream::{BoxStream, once};
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::{FieldTable, ShortString};
use tokio::runtime::Handle;

use crate::acks::{Ack, Acks};
use crate::connection::Link;
use crate::member::lock;
use crate::topology::Maker;

/// The consumers by which a member is counted, and asked.
pub(crate) const MEMBER: &str = "member";
pub(crate) const ASK: &str = "ask";

/// A channel of one member.
pub(crate) struct Desk {
    pub(crate) link: Arc<Link>,
    pub(crate) channel: Channel,
    acks: Mutex<Acks>,
    /// Closed while nothing may be acknowledged.
    gate: tokio::sync::Mutex<()>,
    /// Where the channel is ended, whoever drops it.
    runtime: Handle,
}

/// Whether what is read has to be acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settling {
    /// It stays the broker's until it is acknowledged; at most this many are unacknowledged.
    Needed(u16),
    /// The broker forgets it when it is sent.
    Needless,
}

/// What becomes of a message that is not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requeue {
    /// It comes again.
    Yes,
    /// It goes where its queue sends what it does away with.
    No,
}

/// What comes of a queue: what lies in it, then its end.
pub(crate) type Deliveries<T> = BoxStream<'static, (T, Option<Delivery>)>;

impl Desk {
    pub(crate) async fn open(link: &Arc<Link>) -> lapin::Result<Arc<Self>> {
        let channel = link.channel().await?;
        Ok(Arc::new(Self {
            link: Arc::clone(link),
            channel,
            acks: Mutex::new(Acks::new()),
            gate: tokio::sync::Mutex::default(),
            runtime: Handle::current(),
        }))
    }

    /// Reads a queue; what comes is marked with `mark`. A stream that
    /// ended, for whatever reason, says so once.
    pub(crate) async fn consume<T: Copy + Send + 'static>(
        &self,
        (queue, tag): (ShortString, ShortString),
        settling: Settling,
        mark: T,
    ) -> lapin::Result<Deliveries<T>> {
        let no_ack = settling == Settling::Needless;
        if let Settling::Needed(prefetch) = settling {
            self.link.within(self.channel.basic_qos(prefetch, BasicQosOptions::default())).await?;
        }
        let options = BasicConsumeOptions { no_ack, ..BasicConsumeOptions::default() };
        let consuming = self.channel.basic_consume(queue, tag, options, FieldTable::default());
        let consumer = self.link.within(consuming).await?;
        // An error is an end too: whoever polls the stream again would wait for ever.
        let read = consumer.map(Result::ok).take_while(|read| std::future::ready(read.is_some()));
        let ended = once(std::future::ready(None));
        Ok(read.chain(ended).map(move |read| (mark, read)).boxed())
    }

    pub(crate) async fn cancel(&self, tags: impl Iterator<Item = ShortString>) -> lapin::Result<()> {
        let cancelled = tags.map(|tag| self.channel.basic_cancel(tag, BasicCancelOptions::default()));
        let cancelled = self.link.within(async { Ok(join_all(cancelled).await) }).await?;
        cancelled.into_iter().collect()
    }

    /// Notes what was read.
    pub(crate) fn came(&self, tag: u64) {
        lock(&self.acks).came(tag);
    }

    /// Notes what was read and needs no acknowledgement.
    pub(crate) fn passed(&self, tag: u64) {
        lock(&self.acks).passed(tag);
    }

    /// Lets nobody acknowledge.
    pub(crate) async fn pause(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.gate.lock().await
    }

    /// How many messages from this tag on are not finished.
    pub(crate) fn open_from(&self, tag: u64) -> usize {
        lock(&self.acks).open(tag)
    }

    /// The tag of the message that comes next.
    pub(crate) fn next(&self) -> u64 {
        lock(&self.acks).next()
    }

    /// Lets nobody acknowledge, and waits until everything has come that the broker sends without that.
    ///
    /// A queue counts what is on its way to a consumer that is cancelled as lost with it. While nothing is acknowledged,
    /// a consumer has no room or its queue nothing left.
    pub(crate) async fn calm(
        &self,
        queues: &[ShortString],
    ) -> lapin::Result<tokio::sync::MutexGuard<'_, ()>> {
        let gate = self.gate.lock().await;
        let maker = Maker { link: &self.link, channel: &self.channel };
        let looked = join_all(queues.iter().map(|queue| maker.look(queue.clone()))).await;
        looked.into_iter().try_for_each(|looked| looked.map(drop))?;
        // What the queues had sent to the channel by then, the channel has sent on when it answers this.
        self.link.within(self.channel.basic_qos(1, BasicQosOptions::default())).await?;
        Ok(gate)
    }

    /// Whether the channel is of no use any more.
    pub(crate) fn is_over(&self) -> bool {
        self.link.is_down() || !self.channel.status().connected()
    }

    /// Acknowledges messages, in as few words as possible; tells whether that was sent.
    pub(crate) async fn finish(&self, tags: &[u64]) -> bool {
        if tags.is_empty() {
            return true;
        }
        let mut sending = Vec::new();
        let _gate = self.gate.lock().await;
        {
            // Under the lock, so that they are sent in this order.
            let mut acks = lock(&self.acks);
            for ack in acks.finish(tags) {
                let (tag, multiple) = match ack {
                    Ack::UpTo(tag) => (tag, true),
                    Ack::One(tag) => (tag, false),
                };
                let mut sent = Box::pin(self.channel.basic_ack(tag, BasicAckOptions { multiple }));
                // The first poll puts it in the queue.
                match (&mut sent).now_or_never() {
                    Some(Ok(())) => {}
                    Some(Err(_)) => return false,
                    None => sending.push(sent),
                }
            }
        }
        let sent = self.link.within(async { Ok(join_all(sending).await) }).await;
        sent.is_ok_and(|sent| sent.iter().all(Result::is_ok)) && !self.is_over()
    }

    /// Gives messages back at once; from now on the broker counts them as lost, until 4.3.
    pub(crate) async fn reject(&self, tags: &[u64]) {
        let options = BasicNackOptions { multiple: false, requeue: true };
        for tag in tags {
            lock(&self.acks).passed(*tag);
            let _ = self.link.within(self.channel.basic_nack(*tag, options)).await;
        }
    }

    /// Gives many messages back at once, or has their queue do away with them.
    pub(crate) async fn turn_away(&self, messages: &[(u64, Requeue)]) -> lapin::Result<()> {
        if messages.is_empty() {
            return Ok(());
        }
        let sent = messages.iter().map(|(tag, requeue)| {
            lock(&self.acks).passed(*tag);
            let options = BasicNackOptions { multiple: false, requeue: *requeue == Requeue::Yes };
            self.channel.basic_nack(*tag, options)
        });
        let sent = self.link.within(async { Ok(join_all(sent).await) }).await?;
        sent.into_iter().collect()
    }

    /// Ends the channel of a member. It is counted no more when this returns: a queue finds out only in its own time that a
    /// channel has ended, and whoever counts before would wait for this member's answer.
    pub(crate) async fn depart(&self) {
        let _ = self.cancel([MEMBER, ASK].into_iter().map(ShortString::from)).await;
        self.close().await;
    }

    /// Makes sure that the broker has read every acknowledgement, then ends the channel: what is not acknowledged goes
    /// back. A channel that is closed right behind an acknowledgement may swallow it.
    pub(crate) async fn close(&self) {
        let flushed = self.channel.basic_qos(1, BasicQosOptions::default());
        if self.link.within(flushed).await.is_ok() {
            let _ = self.link.within(self.channel.close(200, "done".into())).await;
        }
    }
}

impl Drop for Desk {
    /// A channel that nobody ended ends now, even where an answer is under way that nobody waits for: its consumers count.
    fn drop(&mut self) {
        if !self.is_over() {
            let (link, channel) = (Arc::clone(&self.link), self.channel.clone());
            self.runtime.spawn(async move {
                let _ = link.within(channel.close(200, "done".into())).await;
            });
        }
    }
}
