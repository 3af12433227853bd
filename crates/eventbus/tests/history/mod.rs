//! A transport that keeps everything: a log, and for each group a local transport that is filled from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eventbus::conformance::{Harness, Pace};
use eventbus::local::{LocalConfig, LocalTransport};
use eventbus::transport::{
    Backlog, Capabilities, Group, Membership, Mode, Publishing, Start, SubscriptionSpec, Transport, WhenFull,
};
use eventbus::{AnyEvent, Error, ErrorKind, Result, Timestamp};
use tokio::sync::Mutex;

#[derive(Debug, Clone, Default)]
pub(crate) struct History(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// In the order they were stored, with the time of that.
    log: Vec<(Timestamp, AnyEvent)>,
    groups: BTreeMap<Group, LocalTransport>,
    instances: u64,
}

impl State {
    /// The events a new group is owed.
    fn past(&self, start: &Start) -> Result<Vec<AnyEvent>> {
        let from = match start {
            Start::Now => self.log.len(),
            Start::Beginning => 0,
            Start::Event(id) => match self.log.iter().position(|(_, event)| event.id() == id) {
                Some(position) => position,
                None => return Err(Error::new(ErrorKind::NotFound, "there is no such event")),
            },
            Start::Time(time) => self.log.partition_point(|(stored, _)| stored < time),
        };
        Ok(self.log[from..].iter().map(|(_, event)| event.clone()).collect())
    }

    /// The group's own name, unless it is one instance of a broadcast.
    fn name(&mut self, spec: &SubscriptionSpec) -> Result<Group> {
        self.instances += 1;
        match spec.mode {
            Mode::Shared => Ok(spec.group.clone()),
            Mode::Broadcast => Group::new(format!("{}.{}", spec.group, self.instances)),
        }
    }
}

#[async_trait]
impl Transport for History {
    fn capabilities(&self) -> Capabilities {
        let retry_delay = Some(Duration::from_secs(3600));
        let minimal = Capabilities::minimal("history");
        Capabilities { key_order: true, broadcast: true, replay: true, retry_delay, ..minimal }
    }

    async fn publish(&self, batch: &[AnyEvent], publishing: Publishing) -> Vec<Result<()>> {
        let mut state = self.0.lock().await;
        let now = Timestamp::now();
        state.log.extend(batch.iter().map(|event| (now, event.clone())));
        for group in state.groups.values() {
            let outcomes = group.publish(batch, publishing).await;
            assert!(outcomes.iter().all(Result::is_ok), "there is room: {outcomes:?}");
        }
        batch.iter().map(|_| Ok(())).collect()
    }

    async fn open(&self, subscription: &SubscriptionSpec) -> Result<Membership> {
        self.capabilities().check(subscription)?;
        let mut state = self.0.lock().await;
        let (name, spec) =
            (state.name(subscription)?, SubscriptionSpec { start: Start::Now, ..subscription.clone() });
        if let Some(group) = state.groups.get(&name) {
            return group.open(&spec).await;
        }
        let (past, group) = (state.past(&subscription.start)?, LocalTransport::new(LocalConfig::new())?);
        let membership = group.open(&spec).await?;
        let publishing = Publishing { deadline: Duration::from_secs(1), when_full: WhenFull::Fail };
        let outcomes = group.publish(&past, publishing).await;
        outcomes.into_iter().collect::<Result<()>>()?;
        state.groups.insert(name, group);
        Ok(membership)
    }

    async fn forget(&self, group: &Group) -> Result<bool> {
        Ok(self.0.lock().await.groups.remove(group).is_some())
    }

    async fn backlog(&self, group: &Group) -> Result<Option<Backlog>> {
        match self.0.lock().await.groups.get(group) {
            Some(transport) => transport.backlog(group).await,
            None => Ok(None),
        }
    }

    async fn close(&self) -> Result<()> {
        for group in self.0.lock().await.groups.values() {
            group.close().await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Harness for History {
    async fn connect(&self) -> Result<Arc<dyn Transport>> {
        Ok(Arc::new(self.clone()))
    }

    /// The clock runs: the time at which an event is stored matters.
    fn pace(&self) -> Pace {
        let millis = Duration::from_millis;
        Pace { unit: millis(20), silence: millis(100), ..Pace::default() }
    }
}
