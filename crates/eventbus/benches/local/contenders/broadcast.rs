//! One `tokio::sync::broadcast` channel that every receiver filters, with a gate so that it loses nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use eventbus::AnyEvent;
use tokio::sync::Notify;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::task::JoinHandle;

use crate::load::{Contender, Groups, Handle, Load, Wants};

/// What the channel holds: two blocks.
const CAPACITY: u64 = 1_024;
/// The publisher looks at the receivers' progress once per block.
const BLOCK: u64 = CAPACITY / 2;

pub(crate) struct Broadcast {
    sender: broadcast::Sender<AnyEvent>,
    sent: AtomicU64,
    gate: Arc<Gate>,
    receivers: Vec<JoinHandle<()>>,
}

/// Holds the publisher back until the slowest receiver has left the block before the last.
struct Gate {
    receivers: usize,
    /// How many receivers have left a block; blocks take turns.
    left: [AtomicUsize; 4],
    opened: Notify,
}

impl Gate {
    fn place(&self, block: u64) -> &AtomicUsize {
        &self.left[(block % 4) as usize]
    }

    fn leave(&self, block: u64) {
        if self.place(block).fetch_add(1, Ordering::AcqRel) + 1 == self.receivers {
            self.opened.notify_one();
        }
    }

    async fn enter(&self, block: u64) {
        let Some(before) = block.checked_sub(2) else { return };
        while self.place(before).load(Ordering::Acquire) < self.receivers {
            self.opened.notified().await;
        }
        self.place(before).store(0, Ordering::Release);
    }
}

impl Contender for Broadcast {
    async fn start<H: Handle>(groups: &Groups, handler: impl Fn(usize) -> H + Send + Sync) -> Self {
        let (sender, _) = broadcast::channel(CAPACITY as usize);
        let gate = Gate { receivers: groups.wants.len(), left: Default::default(), opened: Notify::new() };
        let gate = Arc::new(gate);
        let receiver = |(number, wants): (usize, &Wants)| {
            let receiver =
                Receiver { wants: wants.clone(), handler: handler(number), gate: Arc::clone(&gate) };
            tokio::spawn(receiver.run(sender.subscribe()))
        };
        let receivers = groups.wants.iter().enumerate().map(receiver).collect();
        Self { sender, sent: AtomicU64::new(0), gate, receivers }
    }

    async fn send(&self, event: &AnyEvent) {
        let position = self.sent.fetch_add(1, Ordering::Relaxed);
        if position.is_multiple_of(BLOCK) {
            self.gate.enter(position / BLOCK).await;
        }
        assert!(self.sender.send(event.clone()).is_ok(), "receivers live as long as the channel");
    }

    async fn publish(&self, load: &Load) {
        for _ in 0..load.rounds {
            for event in load.pool.iter() {
                self.send(event).await;
            }
        }
    }

    async fn stop(self) {
        drop(self.sender);
        for receiver in self.receivers {
            receiver.await.expect("receivers do not panic");
        }
    }
}

struct Receiver<H> {
    wants: Wants,
    handler: H,
    gate: Arc<Gate>,
}

impl<H: Handle> Receiver<H> {
    async fn run(self, mut events: broadcast::Receiver<AnyEvent>) {
        let mut position = 0_u64;
        loop {
            match events.recv().await {
                Ok(event) if self.wants.matches(&event) => {
                    (self.handler)(event).await.expect("the handler does not fail");
                }
                Ok(_) => {}
                Err(error) => return assert_eq!(error, RecvError::Closed, "the gate prevents loss"),
            }
            position += 1;
            if position.is_multiple_of(BLOCK) {
                self.gate.leave(position / BLOCK - 1);
            }
        }
    }
}
