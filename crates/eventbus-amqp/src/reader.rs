//! The receiving half of a member.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use eventbus::Result;
use eventbus::transport::{Batch, Reader};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use crate::member::Member;
use crate::order;

/// Receives; when it is dropped, the member leaves its group.
pub(crate) struct AmqpReader {
    member: Arc<Member>,
    /// Whoever reads the queues; `None` once this is dropped.
    inbox: Option<JoinHandle<()>>,
}

impl AmqpReader {
    pub(crate) fn new(member: Arc<Member>, inbox: JoinHandle<()>) -> Self {
        Self { member, inbox: Some(inbox) }
    }
}

#[async_trait]
impl Reader for AmqpReader {
    async fn receive(&mut self, credit: NonZeroU32) -> Result<Batch> {
        let member = &self.member;
        member.work.notify_one();
        loop {
            member.check()?;
            let kept_back = {
                let mut state = member.state();
                state.credit = credit.get() as usize;
                let is_over = state.emptied;
                let most = credit.get() as usize;
                let (next, kept_back) = match member.shards.is_empty() {
                    true => state.next(most),
                    false => (order::next(member, &mut state, most), None),
                };
                if is_over && next.is_empty() {
                    return Ok(Vec::new().into());
                }
                if !next.is_empty() {
                    state.credit = 0;
                    let received: Vec<_> =
                        next.into_iter().map(|next| member.take(&mut state, next)).collect();
                    return Ok(received.into());
                }
                kept_back
            };
            tokio::select! {
                () = member.bell.notified() => {}
                () = sleep_until(kept_back.unwrap_or_else(Instant::now)), if kept_back.is_some() => {}
            }
        }
    }
}

impl Drop for AmqpReader {
    fn drop(&mut self) {
        self.member.leave();
        if let Some(inbox) = self.inbox.take() {
            self.member.shared.ending(async move { drop(inbox.await) });
        }
    }
}

impl fmt::Debug for AmqpReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpReader").field("member", &self.member).finish_non_exhaustive()
    }
}
