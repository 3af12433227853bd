//! The messages a member of a watched bus holds: what they are, and which of them are duplicates.

use std::collections::HashMap;

use crate::event::AnyEvent;
use crate::transport::{Body, Received, Settlement, Token};

/// Messages by the token they were handed out under, which is not the one they came under: a duplicate needs its own.
#[derive(Default)]
pub(super) struct Held {
    messages: HashMap<Token, Message>,
    next: u64,
    /// The messages that were duplicated, by the token they came under.
    copies: HashMap<Token, Copies>,
}

struct Message {
    inner: Token,
    event: Option<AnyEvent>,
}

/// A message that was handed out more than once at the same time.
struct Copies {
    open: u32,
    /// Whether one of them has settled it with the transport.
    settled: bool,
}

/// What a settlement comes to.
pub(super) enum Passage {
    /// It goes to the transport, under this token.
    On(Token),
    /// It ends here: another copy settles the message, or has.
    Ends,
    /// There is no such message.
    Unknown,
}

impl Held {
    /// Takes a message in; it is handed out under the token it has afterwards.
    pub(super) fn add(&mut self, mut received: Received) -> Received {
        let event = match &received.body {
            Body::Event(event) => Some(event.clone()),
            Body::Undecodable(..) => None,
        };
        let inner = std::mem::replace(&mut received.token, self.token());
        self.messages.insert(received.token, Message { inner, event });
        received
    }

    /// A second copy of a message that was taken in.
    pub(super) fn duplicate(&mut self, of: &Received) -> Option<Received> {
        let message = self.messages.get(&of.token)?;
        let (inner, event) = (message.inner, message.event.clone()?);
        let token = self.token();
        self.copies.insert(inner, Copies { open: 2, settled: false });
        self.messages.insert(token, Message { inner, event: Some(event.clone()) });
        let (body, history) = (Body::Event(event), of.history.clone());
        Some(Received { token, attempt: of.attempt, lost: 0, body, history })
    }

    fn token(&mut self) -> Token {
        self.next += 1;
        Token(self.next)
    }

    pub(super) fn event(&self, token: Token) -> Option<&AnyEvent> {
        self.messages.get(&token)?.event.as_ref()
    }

    /// The token that a message has with the transport.
    pub(super) fn inner(&self, token: Token) -> Option<Token> {
        self.messages.get(&token).map(|message| message.inner)
    }

    /// Where a settlement goes: the last ack of all copies settles the message, or the first settlement that is none.
    pub(super) fn pass(&mut self, token: Token, settlement: &Settlement) -> Passage {
        let Some(inner) = self.inner(token) else { return Passage::Unknown };
        match self.copies.get_mut(&inner) {
            Some(copies) if copies.settled || (copies.open > 1 && matches!(settlement, Settlement::Ack)) => {
                self.remove(token);
                Passage::Ends
            }
            Some(copies) => {
                copies.settled = true;
                Passage::On(inner)
            }
            None => Passage::On(inner),
        }
    }

    /// A message is settled.
    pub(super) fn remove(&mut self, token: Token) -> Option<AnyEvent> {
        let message = self.messages.remove(&token)?;
        if let Some(copies) = self.copies.get_mut(&message.inner) {
            copies.open -= 1;
            if copies.open == 0 {
                self.copies.remove(&message.inner);
            }
        }
        message.event
    }

    /// A settlement was refused: the message is to be settled again.
    pub(super) fn reopen(&mut self, token: Token) {
        if let Some(copies) = self.inner(token).and_then(|inner| self.copies.get_mut(&inner)) {
            copies.settled = false;
        }
    }

    /// Everything that is held, in the order it came; nothing is afterwards.
    pub(super) fn lose(&mut self) -> Vec<AnyEvent> {
        self.copies.clear();
        let mut messages: Vec<_> = self.messages.drain().collect();
        messages.sort_by_key(|(token, _)| *token);
        messages.into_iter().filter_map(|(_, message)| message.event).collect()
    }
}
