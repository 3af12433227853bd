//! The transport contract on AMQP.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eventbus::transport::{
    Backlog, Capabilities, DeadLetters, Durability, Group, Membership, Publishing, SubscriptionSpec,
    Transport,
};
use eventbus::{AnyEvent, Error, ErrorKind, EventId, Result};
use tokio::task::AbortHandle;

use crate::backlog::{Probe, backlog};
use crate::config::AmqpConfig;
use crate::dead_letters::AmqpDeadLetters;
use crate::error::transient;
use crate::inbox::Inbox;
use crate::join::{Joined, instances, join, remove};
use crate::keeper;
use crate::later;
use crate::lock::{Door, Lock};
use crate::message::Parcel;
use crate::reader::AmqpReader;
use crate::settler::AmqpSettler;
use crate::shared::Shared;
use crate::wait::LONGEST;

/// The bus on RabbitMQ. A clone is the same transport.
#[derive(Clone)]
pub struct AmqpTransport(Arc<Handle>);

/// Ends the background work with the last clone.
struct Handle {
    shared: Arc<Shared>,
    publishing: AbortHandle,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.close();
        self.shared.consuming.abandon();
        self.shared.publishing.abandon();
        self.shared.ordering.abandon();
        self.shared.keeping.abandon();
        self.publishing.abort();
    }
}

impl AmqpTransport {
    /// Connects, and makes sure that the broker lets this user in.
    ///
    /// # Errors
    /// [`Invalid`](ErrorKind::Invalid) for settings that break a rule; [`NotSent`](ErrorKind::NotSent) when the broker
    /// cannot be reached; [`Refused`](ErrorKind::Refused) when it lets the user not in, or there is no such vhost.
    pub async fn connect(config: AmqpConfig) -> Result<Self> {
        let shared = Shared::connect(config).await?;
        let publishing = tokio::spawn(Arc::clone(&shared.publisher).run(Arc::clone(&shared.publishing)));
        Ok(Self(Arc::new(Handle { shared, publishing: publishing.abort_handle() })))
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.0.shared
    }

    fn parcel(&self, event: &AnyEvent) -> Result<Parcel> {
        let config = &self.shared().config;
        let json = event.to_json()?;
        if json.len() > config.max_event_size {
            let text = format!(
                "the event has {} bytes, more than the {} allowed",
                json.len(),
                config.max_event_size
            );
            return Err(Error::new(ErrorKind::Refused, text));
        }
        Ok(Parcel::event(&config.name, event, json))
    }

    async fn forget_all(&self, group: &Group) -> Result<bool> {
        let shared = self.shared();
        shared.settled().await;
        let mut probe = Probe::new(shared).await?;
        let broadcast = probe.count(instances(shared, group.as_str()).members()).await?;
        probe.done().await;
        if broadcast.is_some_and(|count| count.consumers > 0) {
            return Err(Error::new(ErrorKind::Conflict, format!("the group {group} has members")));
        }
        self.forget_shared(group).await
    }

    async fn forget_shared(&self, group: &Group) -> Result<bool> {
        let shared = self.shared();
        let failed = |error| transient(&format!("forgetting the group {group}"), error);
        let names = shared.bus.group(group.as_str());
        let link = shared.consuming.question().await.map_err(failed)?;
        let lock = Lock::take(&link, names.lock(), &Door::close(&shared.doors).await).await?;
        let mut probe = Probe::new(shared).await?;
        let count = probe.count(names.members()).await?;
        let mut shards = 0;
        while count.is_some() && probe.count(names.shard(shards).kept()).await?.is_some() {
            shards += 1;
        }
        probe.done().await;
        let removed = match count {
            None => Ok(false),
            Some(count) if count.consumers > 0 => {
                Err(Error::new(ErrorKind::Conflict, format!("the group {group} has members")))
            }
            Some(_) => remove(&lock.maker(), &names, shards).await.map(|()| true).map_err(failed),
        };
        lock.release().await;
        removed
    }
}

#[async_trait]
impl Transport for AmqpTransport {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            durability: Durability::Synced,
            key_order: true,
            broadcast: true,
            ephemeral: true,
            delayed_publish: true,
            retry_delay: Some(LONGEST),
            dead_letters: true,
            encodes: true,
            settle_within: Some(self.shared().config.consumer_timeout),
            ..Capabilities::minimal("amqp")
        }
    }

    async fn publish(&self, batch: &[AnyEvent], publishing: Publishing) -> Vec<Result<()>> {
        let (mut parcels, mut refused) = (Vec::with_capacity(batch.len()), Vec::new());
        for (place, event) in batch.iter().enumerate() {
            match self.parcel(event) {
                Ok(parcel) => parcels.push(parcel),
                Err(error) => refused.push((place, error)),
            }
        }
        let mut outcomes = self.shared().publisher.publish(parcels, publishing).await;
        outcomes.iter_mut().for_each(partly);
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
        let parcel = self.parcel(event)?;
        keeper::start(shared);
        later::schedule(shared, (event.id(), &parcel), delay).await
    }

    async fn cancel(&self, id: &EventId) -> Result<bool> {
        let shared = self.shared();
        shared.open()?;
        keeper::start(shared);
        later::cancel(shared, id).await
    }

    async fn open(&self, spec: &SubscriptionSpec) -> Result<Membership> {
        let shared = self.shared();
        shared.open()?;
        self.capabilities().check(spec)?;
        shared.settled().await;
        keeper::start(shared);
        let Joined { member, desk, streams } = join(shared, spec).await?;
        shared.register(&member);
        let inbox = tokio::spawn(Inbox::new(Arc::clone(&member), desk, streams).run());
        let reader = Box::new(AmqpReader::new(Arc::clone(&member), inbox));
        Ok(Membership { reader, settler: Arc::new(AmqpSettler(member)) })
    }

    async fn forget(&self, group: &Group) -> Result<bool> {
        let forgotten = self.forget_all(group).await;
        self.shared().rest().await;
        forgotten
    }

    async fn backlog(&self, group: &Group) -> Result<Option<Backlog>> {
        let shared = self.shared();
        shared.settled().await;
        let mut counted = backlog(shared, group).await;
        if counted.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotSent) {
            // Once more, when the connection broke under it.
            counted = backlog(shared, group).await;
        }
        shared.rest().await;
        counted
    }

    fn dead_letters(&self, group: &Group) -> Arc<dyn DeadLetters> {
        Arc::new(AmqpDeadLetters::new(self.shared(), group))
    }

    fn troubles(&self) -> Vec<String> {
        let shared = self.shared();
        let lines = [&shared.consuming, &shared.publishing, &shared.ordering, &shared.keeping];
        let troubles = lines.map(|line| line.trouble());
        let mut troubles: Vec<String> =
            troubles.into_iter().chain([shared.publisher.trouble()]).flatten().collect();
        troubles.dedup();
        troubles.extend(shared.later.troubles());
        troubles.extend(shared.troubles());
        troubles
    }

    async fn close(&self) -> Result<()> {
        let shared = self.shared();
        if shared.close() {
            shared.later.ended().await;
            shared.publisher.close();
        }
        // What was sent is confirmed in a moment, and what was not is refused by now.
        tokio::join!(shared.publisher.ended(shared.config.response_timeout), shared.settled());
        shared.keeping.retire().await;
        shared.publishing.retire().await;
        // Whoever looks at what is left makes a connection for that.
        shared.consuming.retire().await;
        shared.ordering.retire().await;
        Ok(())
    }
}

/// A broker that refuses an event says so when one queue refused it; others may have it.
fn partly(outcome: &mut Result<()>) {
    if outcome.as_ref().is_err_and(|error| error.kind() == ErrorKind::Full) {
        let text = "a group's queue refused the event, others may have it; publish again with the same id";
        *outcome = Err(Error::new(ErrorKind::Unknown, text));
    }
}

impl fmt::Debug for AmqpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AmqpTransport").field(self.shared()).finish()
    }
}
