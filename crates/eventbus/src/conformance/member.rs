//! One member of a group without an engine: it takes and settles by hand, and writes both down.

use std::collections::HashMap;
use std::num::NonZeroU32;

use tokio::time::timeout;

use super::harness::Pace;
use super::ledger::{End, Handling, Ledger};
use crate::event::AnyEvent;
use crate::transport::{Body, Failure, History, Membership, Reason, Received, Settled, Settlement, Token};

/// A member of a group.
pub(super) struct Member {
    group: String,
    name: String,
    ledger: Ledger,
    pace: Pace,
    pub(super) membership: Membership,
    held: HashMap<Token, Handling>,
}

/// A message that was taken.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) token: Token,
    pub(super) attempt: u32,
    pub(super) lost: u32,
    pub(super) event: AnyEvent,
    pub(super) history: Option<History>,
}

impl Member {
    pub(super) fn new(
        (group, name): (String, String),
        ledger: &Ledger,
        pace: Pace,
        membership: Membership,
    ) -> Self {
        Self { group, name, ledger: ledger.clone(), pace, membership, held: HashMap::new() }
    }

    /// Waits for exactly this many messages.
    pub(super) async fn take(&mut self, count: u32) -> Vec<Taken> {
        let mut taken = Vec::new();
        while taken.len() < count as usize {
            let credit = NonZeroU32::new(count - taken.len() as u32).expect("fewer than wanted were taken");
            let received = timeout(self.pace.patience, self.membership.reader.receive(credit)).await;
            let received = received.expect("messages come in time").expect("receiving succeeds");
            assert!(received.len() > 0, "a reader that was not stopped gives at least one message");
            assert!(received.len() <= credit.get() as usize, "a reader gives no more than it was asked for");
            taken.extend(received.map(|received| self.note(received)));
        }
        taken
    }

    fn note(&mut self, received: Received) -> Taken {
        let Received { token, attempt, lost, body, history } = received;
        let event = match body {
            Body::Event(event) => Some(event),
            Body::Undecodable(..) => None,
        };
        let event = event.expect("what was published as an event comes as one");
        self.ledger.lost(&self.group, &event, lost);
        let handling = self.ledger.begin((&self.group, &self.name), &event, attempt);
        let twice = self.held.insert(token, handling);
        assert!(twice.is_none(), "a token names one message at a time");
        Taken { token, attempt, lost, event, history: history.map(|history| *history) }
    }

    /// Settles a message and writes down what that means for it.
    pub(super) async fn settle(&mut self, message: &Taken, settlement: Settlement) -> Settled {
        let end = match &settlement {
            Settlement::Ack => End::Acked,
            Settlement::RetryAfter { .. } => End::Failed,
            Settlement::DeadLetter { .. } => End::Dead,
            Settlement::Return => End::Returned,
        };
        // Written first: the next handing out may come while the answer is on its way.
        if let Some(handling) = self.held.remove(&message.token) {
            handling.end(end);
        }
        let settled = self.membership.settler.settle(&[(message.token, settlement)]).await;
        assert_eq!(settled.len(), 1, "one answer per settlement");
        if settled[0] == Settled::Applied && matches!(end, End::Acked | End::Dead) {
            self.ledger.settled(&self.group, &message.event);
        }
        settled[0]
    }

    /// Settles a message; it must be this member's.
    pub(super) async fn apply(&mut self, message: &Taken, settlement: Settlement) {
        let settled = self.settle(message, settlement).await;
        assert_eq!(settled, Settled::Applied, "the settlement of {} is applied", message.event.id());
    }

    /// Acknowledges messages.
    pub(super) async fn ack(&mut self, messages: &[Taken]) {
        for message in messages {
            self.apply(message, Settlement::Ack).await;
        }
    }

    /// Is lost, as a process that is killed: what it holds is given back.
    pub(super) fn crash(self) {
        let Self { group, name, ledger, membership, held, .. } = self;
        ledger.crash(&group, &name);
        drop((membership, held));
    }

    /// Makes sure that nothing comes for as long as the silence of the harness.
    ///
    /// The member is used up: a reader's future may not be dropped and then asked again.
    pub(super) async fn hears_nothing(mut self) {
        let received = timeout(self.pace.silence, self.membership.reader.receive(NonZeroU32::MAX)).await;
        assert!(received.is_err(), "nothing should come, and this did: {received:?}");
    }
}

impl Taken {
    /// A failure of this message's attempt.
    pub(super) fn failure(&self, reason: Reason, text: &str) -> Box<Failure> {
        Box::new(Failure::now(reason, text, self.attempt))
    }
}

/// The ids of messages, in order.
pub(super) fn ids(messages: &[Taken]) -> Vec<String> {
    messages.iter().map(|message| message.event.id().to_string()).collect()
}
