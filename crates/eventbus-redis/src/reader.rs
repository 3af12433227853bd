//! The receiving half of a member.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use eventbus::transport::{Batch, Reader};
use eventbus::{Error, Result};
use tokio::task::JoinHandle;

use crate::inbox::Inbox;
use crate::member::Member;

/// Receives; when it is dropped, the member leaves its group.
pub(crate) struct RedisReader {
    /// `None` once it is dropped.
    inbox: Option<Inbox>,
    life: JoinHandle<()>,
}

impl RedisReader {
    pub(crate) fn new(member: Arc<Member>) -> Self {
        let life = tokio::spawn(Arc::clone(&member).live());
        Self { inbox: Some(Inbox::new(member)), life }
    }
}

#[async_trait]
impl Reader for RedisReader {
    async fn receive(&mut self, credit: NonZeroU32) -> Result<Batch> {
        let inbox = self.inbox.as_mut().ok_or_else(|| Error::closed("the reader"))?;
        loop {
            inbox.member.check()?;
            if !inbox.is_empty() {
                inbox.give_back_rest(credit).await;
                return Ok(inbox.hand_out(credit));
            }
            let stopped = inbox.member.is_stopped();
            if stopped && inbox.is_idle() {
                return Ok(Vec::new().into());
            }
            if !stopped {
                inbox.claim(credit).await?;
                if !inbox.is_empty() {
                    continue;
                }
                inbox.read(credit);
            }
            inbox.turn().await?;
        }
    }
}

impl Drop for RedisReader {
    fn drop(&mut self) {
        self.life.abort();
        let Some(inbox) = self.inbox.take() else { return };
        inbox.member.mark_gone();
        let shared = Arc::clone(&inbox.member.shared);
        shared.ending(inbox.leave());
    }
}

impl fmt::Debug for RedisReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let member = self.inbox.as_ref().map(|inbox| &inbox.member);
        f.debug_struct("RedisReader").field("member", &member).finish_non_exhaustive()
    }
}
