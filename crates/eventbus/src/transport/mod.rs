//! The contract between the engine and a transport, in two traits.
//!
//! A transport moves and keeps messages; it decides nothing. Retry policy, lanes per key, time-outs, idempotency and
//! the decision to dead-letter are the engine's, written once above every transport. Whoever writes a transport
//! implements [`Transport`], [`Reader`], [`Settler`] and [`DeadLetters`], and proves it with the conformance suite
//! (feature `conformance`).

mod capabilities;
mod dead_letters;
mod message;
mod spec;

use std::fmt::Debug;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::event::{AnyEvent, EventId};

pub use capabilities::{Capabilities, Durability};
pub use dead_letters::{DeadLetter, DeadLetters};

use dead_letters::NoDeadLetters;
pub use message::{Batch, Body, Failure, History, Reason, Received, Settled, Settlement, Token, Undecodable};
pub use spec::{Backlog, Group, Mode, Order, Overflow, Publishing, Start, SubscriptionSpec, WhenFull};

/// Moves events from publishers to groups, and keeps them until a group has settled them.
///
/// # Contract
/// - A group exists from the first [`open`](Self::open) of its name and gets every event published after that returned
///   whose address one of its filters matches, at least once; with the capability, also earlier ones from its
///   [`Start`] on. A durable transport keeps it while no member runs.
/// - Members of a group share its messages; groups don't. [`Mode::Broadcast`] gives every member a group of its own.
/// - Memory is bounded: a publisher waits, or is told, when there is no room.
/// - Everything may be called from many tasks at once. Dropping a future of this trait loses no event that was
///   reported as stored.
#[async_trait]
pub trait Transport: Debug + Send + Sync + 'static {
    /// What this transport can do; the engine refuses the rest when a subscription starts.
    fn capabilities(&self) -> Capabilities;

    /// Stores events for every group that wants them; one outcome per event, in order.
    ///
    /// `Ok` only when the transport holds the event as durably as its capabilities claim; an event that no group wants
    /// is `Ok`. One event is stored for all of its groups or for none.
    ///
    /// # Errors
    /// Per event: [`Full`](ErrorKind::Full) and [`NotSent`](ErrorKind::NotSent) (nothing stored),
    /// [`Unknown`](ErrorKind::Unknown) (perhaps stored), [`Refused`](ErrorKind::Refused) (never will be),
    /// [`Closed`](ErrorKind::Closed). Never later than the deadline.
    async fn publish(&self, batch: &[AnyEvent], publishing: Publishing) -> Vec<Result<()>>;

    /// Keeps an event and publishes it when the delay is over.
    ///
    /// # Errors
    /// As [`publish`](Self::publish); [`Unsupported`](ErrorKind::Unsupported) unless the capability is there.
    async fn schedule(&self, event: &AnyEvent, delay: Duration) -> Result<()> {
        let _ = (event, delay);
        Err(self.capabilities().lack("delayed publish"))
    }

    /// Takes back a scheduled event; `false` when there is none with this id, or it has been published already.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) unless the capability is there.
    async fn cancel(&self, id: &EventId) -> Result<bool> {
        let _ = id;
        Err(self.capabilities().lack("delayed publish"))
    }

    /// How many events wait for their time of publication and end with this process.
    ///
    /// Transports whose events outlive the process say none.
    async fn scheduled(&self) -> u64 {
        0
    }

    /// Joins a group, creating it when it is new.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when the group exists with other filters or another order and the transport
    /// cannot change it; [`Unsupported`](ErrorKind::Unsupported) for what the capabilities lack;
    /// [`NotFound`](ErrorKind::NotFound) when the group is new and [`Start::Event`] names an event that the transport
    /// does not have (any more).
    async fn open(&self, subscription: &SubscriptionSpec) -> Result<Membership>;

    /// Removes a group with everything it holds, dead letters included; `false` when there was none.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) while the group has members.
    async fn forget(&self, group: &Group) -> Result<bool>;

    /// What a group holds at this moment; `None` when there is no such group.
    ///
    /// # Errors
    /// Transient ones only.
    async fn backlog(&self, group: &Group) -> Result<Option<Backlog>>;

    /// What is wrong at this moment: a connection that is being made again, a broker that accepts nothing. Cheap; asks
    /// nobody.
    fn troubles(&self) -> Vec<String> {
        Vec::new()
    }

    /// What somebody should look at although it works here: a group that nobody reads and that pins the log. It must not make
    /// whoever publishes unhealthy, or one service that is down takes the others with it. Cheap; asks nobody.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Waits until every group with members has settled all that would be lost with this process.
    ///
    /// Transports whose events outlive the process return at once.
    async fn drained(&self) {}

    /// The dead letters of a group; unless the capability is there, asking for them says
    /// [`Unsupported`](ErrorKind::Unsupported).
    fn dead_letters(&self, group: &Group) -> Arc<dyn DeadLetters> {
        let _ = group;
        Arc::new(NoDeadLetters(self.capabilities()))
    }

    /// Ends everything that was started. Idempotent; afterwards publishing, scheduling, joining and receiving say
    /// [`Closed`](ErrorKind::Closed), while what is left can still be looked at where it still exists.
    ///
    /// # Errors
    /// When something could not be ended; it is closed all the same.
    async fn close(&self) -> Result<()>;
}

/// One member of a group: the half that receives and the half that settles, which work at the same time.
///
/// Two halves, because a settlement must not wait until [`Reader::receive`] has something.
#[derive(Debug)]
pub struct Membership {
    /// Receives messages.
    pub reader: Box<dyn Reader>,
    /// Settles them.
    pub settler: Arc<dyn Settler>,
}

/// Receives messages for one member. It has one owner; dropping it gives everything unsettled back to the group.
#[async_trait]
pub trait Reader: Debug + Send {
    /// Waits for messages and returns at least one and at most `credit` of them.
    ///
    /// Credit is all the flow control there is: the engine asks for no more than it has room for, and a transport
    /// holds no more for it than was asked for. An empty batch means that [`Settler::stop`] was called and that nothing
    /// will follow. The engine never drops this future before it is ready, so it need not be cancel safe.
    ///
    /// For [`Order::PerKey`]: messages of one key come in the order of their events, to one member at a time, and none
    /// comes while its key is held (see [`Settlement`]).
    ///
    /// # Errors
    /// Any error ends this reader; the engine opens a new one with back-off.
    async fn receive(&mut self, credit: NonZeroU32) -> Result<Batch>;
}

/// Settles messages of one member.
#[async_trait]
pub trait Settler: Debug + Send + Sync {
    /// Settles messages; one result per message, in order. Each token is settled once.
    ///
    /// When it returns, an applied settlement is as durable as the transport.
    async fn settle(&self, settlements: &[(Token, Settlement)]) -> Vec<Settled>;

    /// Keeps messages from being given to others for another [lease](Capabilities::lease).
    ///
    /// Transports without a lease say [`Settled::Applied`].
    async fn extend(&self, tokens: &[Token]) -> Vec<Settled> {
        vec![Settled::Applied; tokens.len()]
    }

    /// Stops receiving: a waiting [`Reader::receive`] returns soon, with an empty batch once it has nothing left.
    ///
    /// What was received can still be settled.
    async fn stop(&self);
}
