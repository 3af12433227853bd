//! The transport of a watched bus: it forwards everything, records it, and lets faults strike.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::fault::{FaultKind, Script};
use super::member::watch;
use super::record::Record;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{AnyEvent, EventId};
use crate::transport::{
    Backlog, Capabilities, DeadLetters, Group, Membership, Publishing, SubscriptionSpec, Transport,
};

/// A transport inside another that watches it.
#[derive(Debug)]
pub(super) struct Scripted {
    inner: Arc<dyn Transport>,
    script: Arc<Script>,
    record: Arc<Record>,
}

impl Scripted {
    pub(super) fn new(inner: Arc<dyn Transport>, script: Arc<Script>, record: Arc<Record>) -> Self {
        Self { inner, script, record }
    }

    /// Tells whether a fault of publishing strikes an event, and notes it.
    fn strikes(&self, kind: FaultKind, event: &AnyEvent) -> bool {
        let strikes = self.script.strikes(kind, None, event);
        if strikes {
            self.script.note(kind, None, vec![event.clone()]);
        }
        strikes
    }

    /// An event was stored: what its publisher is told.
    fn confirm(&self, event: &AnyEvent) -> Result<()> {
        match self.strikes(FaultKind::LoseConfirm, event) {
            true => Err(Error::new(ErrorKind::Unknown, "the confirm was lost: a scripted fault")),
            false => Ok(()),
        }
    }
}

fn refused() -> Error {
    Error::new(ErrorKind::NotSent, "the event was not sent: a scripted fault")
}

#[async_trait]
impl Transport for Scripted {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn publish(&self, batch: &[AnyEvent], publishing: Publishing) -> Vec<Result<()>> {
        // What follows a refused event is not tried, so that nothing overtakes it.
        let refusal = batch.iter().position(|event| self.strikes(FaultKind::RefusePublish, event));
        let (tried, left) = batch.split_at(refusal.unwrap_or(batch.len()));
        let mut outcomes = match tried {
            [] => Vec::new(),
            _ => self.inner.publish(tried, publishing).await,
        };
        for (event, outcome) in tried.iter().zip(&mut outcomes).filter(|(_, outcome)| outcome.is_ok()) {
            self.record.published(event);
            *outcome = self.confirm(event);
        }
        outcomes.extend(left.iter().map(|_| Err(refused())));
        outcomes
    }

    async fn schedule(&self, event: &AnyEvent, delay: Duration) -> Result<()> {
        if self.strikes(FaultKind::RefusePublish, event) {
            return Err(refused());
        }
        self.inner.schedule(event, delay).await?;
        self.record.scheduled(event, delay);
        self.confirm(event)
    }

    async fn cancel(&self, id: &EventId) -> Result<bool> {
        let cancelled = self.inner.cancel(id).await?;
        if cancelled {
            self.record.cancelled(id);
        }
        Ok(cancelled)
    }

    async fn scheduled(&self) -> u64 {
        self.inner.scheduled().await
    }

    async fn open(&self, subscription: &SubscriptionSpec) -> Result<Membership> {
        let membership = self.inner.open(subscription).await?;
        Ok(watch(membership, subscription, &self.script, &self.record))
    }

    async fn forget(&self, group: &Group) -> Result<bool> {
        self.inner.forget(group).await
    }

    async fn backlog(&self, group: &Group) -> Result<Option<Backlog>> {
        self.inner.backlog(group).await
    }

    fn troubles(&self) -> Vec<String> {
        self.inner.troubles()
    }

    fn warnings(&self) -> Vec<String> {
        self.inner.warnings()
    }

    async fn drained(&self) {
        self.inner.drained().await;
    }

    fn dead_letters(&self, group: &Group) -> Arc<dyn DeadLetters> {
        self.inner.dead_letters(group)
    }

    async fn close(&self) -> Result<()> {
        self.record.closed();
        self.inner.close().await
    }
}
