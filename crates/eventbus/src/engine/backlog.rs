//! Messages that were received and have not started yet, batch by batch as they came.

use std::collections::VecDeque;

use crate::event::AnyEvent;
use crate::transport::{Batch, Body, Received, Token};

/// A message between its receipt and its start.
pub(crate) struct Message {
    pub(crate) received: Received,
    /// The receive that brought it.
    pub(crate) receive: u64,
    /// The event once more, in a subscription with order, when it has a key.
    pub(crate) keyed: Option<AnyEvent>,
}

impl Message {
    pub(crate) fn event(&self) -> Option<&AnyEvent> {
        match &self.received.body {
            Body::Event(event) => Some(event),
            Body::Undecodable(_) => None,
        }
    }
}

/// The messages of a few receives, oldest first.
#[derive(Default)]
pub(crate) struct Backlog {
    /// A message that was put back.
    first: Option<Message>,
    batches: VecDeque<(u64, Batch)>,
    len: usize,
}

impl Backlog {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn push(&mut self, receive: u64, batch: Batch) {
        self.len += batch.len();
        self.batches.push_back((receive, batch));
    }

    /// Puts a message back to the front.
    pub(crate) fn put_back(&mut self, message: Message) {
        self.len += 1;
        self.first = Some(message);
    }

    pub(crate) fn pop(&mut self) -> Option<Message> {
        if let Some(first) = self.first.take() {
            self.len -= 1;
            return Some(first);
        }
        loop {
            let (receive, batch) = self.batches.front_mut()?;
            if let Some(received) = batch.next() {
                self.len -= 1;
                return Some(Message { received, receive: *receive, keyed: None });
            }
            self.batches.pop_front();
        }
    }

    /// The tokens of what waits here, as far as there are any.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = Token> {
        let first = self.first.iter().map(|message| message.received.token);
        first.chain(self.batches.iter().flat_map(|(_, batch)| batch.tokens()))
    }

    pub(crate) fn drain(&mut self) -> Vec<Message> {
        std::iter::from_fn(|| self.pop()).collect()
    }
}
