//! One member of a local group: its reader and its settler.

use std::fmt;
use std::future::poll_fn;
use std::num::NonZeroU32;

use async_trait::async_trait;

use super::bell::Sleeper;
use super::group::GroupQueue;
use super::sync::{Arc, AtomicBool, Ordering};
use crate::error::{Error, Result};
use crate::transport::{Batch, Reader, Settled, Settlement, Settler, Token};

/// What reader and settler of one member share.
pub(super) struct Member {
    number: u64,
    group: Arc<GroupQueue>,
    sleeper: Arc<Sleeper>,
    stopped: AtomicBool,
}

/// The receiving half. When it goes, the member has left, and what it held goes back to the group.
pub(super) struct LocalReader {
    member: Arc<Member>,
    left: Box<dyn Fn(usize) + Send + Sync>,
}

/// The settling half.
pub(super) struct LocalSettler(Arc<Member>);

/// Joins a group; `left` is told how many members are left when this one has gone.
pub(super) fn join(
    group: Arc<GroupQueue>,
    left: impl Fn(usize) + Send + Sync + 'static,
) -> (LocalReader, LocalSettler) {
    let sleeper = Sleeper::new();
    let number = group.join(&sleeper);
    let member = Arc::new(Member { number, group, sleeper, stopped: AtomicBool::new(false) });
    (LocalReader { member: Arc::clone(&member), left: Box::new(left) }, LocalSettler(member))
}

#[async_trait]
impl Reader for LocalReader {
    async fn receive(&mut self, credit: NonZeroU32) -> Result<Batch> {
        let Member { number, group, sleeper, stopped } = &*self.member;
        let credit = usize::try_from(credit.get()).unwrap_or(usize::MAX);
        let attempt = || match stopped.load(Ordering::SeqCst) {
            _ if group.is_closed() => Some(Err(Error::closed("the local transport"))),
            true => Some(Ok(Vec::new().into())),
            false => group.take(*number, credit).map(Ok),
        };
        poll_fn(|context| group.bell().poll(sleeper, context, attempt)).await
    }
}

impl Drop for LocalReader {
    fn drop(&mut self) {
        let left = self.member.group.leave(self.member.number, &self.member.sleeper);
        (self.left)(left);
    }
}

#[async_trait]
impl Settler for LocalSettler {
    async fn settle(&self, settlements: &[(Token, Settlement)]) -> Vec<Settled> {
        self.0.group.settle(self.0.number, settlements)
    }

    async fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
        self.0.group.bell().rouse(&self.0.sleeper);
    }
}

impl fmt::Debug for LocalReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalReader({}#{})", self.member.group.name, self.member.number)
    }
}

impl fmt::Debug for LocalSettler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalSettler({}#{})", self.0.group.name, self.0.number)
    }
}
