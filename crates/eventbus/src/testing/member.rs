//! A member of a watched bus: it receives and settles through another, and may die between a handler and its ack.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::fault::{FaultKind, Script};
use super::held::{Held, Passage};
use super::record::Record;
use super::reorder::shuffle;
use crate::error::{Error, ErrorKind, Result};
use crate::transport::{
    Batch, Body, Group, Membership, Order, Reader, Received, Settled, Settlement, Settler, SubscriptionSpec,
    Token,
};

/// What both halves of a member share.
struct Member {
    group: Group,
    order: Order,
    script: Arc<Script>,
    record: Arc<Record>,
    held: Mutex<Held>,
    /// The inner reader while nobody receives from it. Dropping it is how the member dies.
    reader: Mutex<Option<Box<dyn Reader>>>,
    settler: Arc<dyn Settler>,
    dead: AtomicBool,
    /// Tells a waiting receive that the member died.
    death: Notify,
    /// Tells the settlement that killed the member that the inner reader is gone.
    gone: Notify,
}

struct WatchedReader(Arc<Member>);

struct WatchedSettler(Arc<Member>);

/// Puts a watch around a membership.
pub(super) fn watch(
    membership: Membership,
    subscription: &SubscriptionSpec,
    script: &Arc<Script>,
    record: &Arc<Record>,
) -> Membership {
    let member = Arc::new(Member {
        group: subscription.group.clone(),
        order: subscription.order,
        script: Arc::clone(script),
        record: Arc::clone(record),
        held: Mutex::default(),
        reader: Mutex::new(Some(membership.reader)),
        settler: membership.settler,
        dead: AtomicBool::new(false),
        death: Notify::new(),
        gone: Notify::new(),
    });
    Membership {
        reader: Box::new(WatchedReader(Arc::clone(&member))),
        settler: Arc::new(WatchedSettler(member)),
    }
}

#[async_trait]
impl Reader for WatchedReader {
    async fn receive(&mut self, credit: NonZeroU32) -> Result<Batch> {
        let member = &*self.0;
        let Some(mut reader) = lock(&member.reader).take() else { return Err(died()) };
        let received = tokio::select! {
            biased;
            () = member.death.notified() => None,
            received = reader.receive(member.ask(credit)) => Some(received),
        };
        let mut resting = lock(&member.reader);
        match received {
            Some(received) if !member.dead.load(Ordering::SeqCst) => {
                *resting = Some(reader);
                drop(resting);
                received.map(|batch| member.take_in(batch, credit).into())
            }
            _ => {
                drop(resting);
                drop(reader);
                member.gone.notify_one();
                Err(died())
            }
        }
    }
}

impl Drop for WatchedReader {
    /// The settler may live on; the inner reader must not.
    fn drop(&mut self) {
        lock(&self.0.reader).take();
        self.0.gone.notify_one();
    }
}

#[async_trait]
impl Settler for WatchedSettler {
    async fn settle(&self, settlements: &[(Token, Settlement)]) -> Vec<Settled> {
        let member = &*self.0;
        if member.dead.load(Ordering::SeqCst) {
            return vec![Settled::Lost; settlements.len()];
        }
        let crash = settlements.iter().position(|(token, settlement)| member.is_fatal(*token, settlement));
        let mut settled = member.settle(&settlements[..crash.unwrap_or(settlements.len())]).await;
        if let Some((token, _)) = crash.and_then(|crash| settlements.get(crash)) {
            member.die(*token).await;
            settled.resize(settlements.len(), Settled::Lost);
        }
        settled
    }

    async fn extend(&self, tokens: &[Token]) -> Vec<Settled> {
        let inner: Vec<Option<Token>> = {
            let held = lock(&self.0.held);
            tokens.iter().map(|token| held.inner(*token)).collect()
        };
        let known: Vec<Token> = inner.iter().flatten().copied().collect();
        let mut extended = self.0.settler.extend(&known).await.into_iter();
        inner.iter().map(|inner| inner.and_then(|_| extended.next()).unwrap_or(Settled::Lost)).collect()
    }

    async fn stop(&self) {
        self.0.settler.stop().await;
    }
}

impl Member {
    /// How many messages to ask for: half the credit while duplicates are to come, because they take some too.
    fn ask(&self, credit: NonZeroU32) -> NonZeroU32 {
        match self.script.is_armed(FaultKind::Duplicate, &self.group) {
            true => NonZeroU32::new(credit.get() / 2).unwrap_or(credit),
            false => credit,
        }
    }

    /// Takes a batch in, with duplicates where there is room for them, in any order.
    fn take_in(&self, batch: Batch, credit: NonZeroU32) -> Vec<Received> {
        let mut room = usize::try_from(credit.get()).unwrap_or(usize::MAX).saturating_sub(batch.len());
        let mut held = lock(&self.held);
        let mut taken = Vec::with_capacity(batch.len());
        for received in batch {
            let received = held.add(received);
            let copy = if room > 0 { self.duplicate(&mut held, &received) } else { None };
            room -= usize::from(copy.is_some());
            taken.push(received);
            taken.extend(copy);
        }
        let order = self.order;
        if self.script.reorders(&self.group, |seed, takes_part| shuffle(&mut taken, order, seed, takes_part))
        {
            let events = taken.iter().filter_map(|received| held.event(received.token).cloned()).collect();
            self.script.note(FaultKind::Reorder, Some(&self.group), events);
        }
        taken
    }

    fn duplicate(&self, held: &mut Held, received: &Received) -> Option<Received> {
        let Body::Event(event) = &received.body else { return None };
        if !self.script.strikes(FaultKind::Duplicate, Some(&self.group), event) {
            return None;
        }
        self.script.note(FaultKind::Duplicate, Some(&self.group), vec![event.clone()]);
        held.duplicate(received)
    }

    /// Tells whether the member dies before it can settle this message.
    fn is_fatal(&self, token: Token, settlement: &Settlement) -> bool {
        let held = lock(&self.held);
        let event = held.event(token).filter(|_| matches!(settlement, Settlement::Ack));
        event.is_some_and(|event| self.script.strikes(FaultKind::CrashBeforeAck, Some(&self.group), event))
    }

    /// Settles what is this member's, and records what is acknowledged.
    async fn settle(&self, settlements: &[(Token, Settlement)]) -> Vec<Settled> {
        let mut settled = vec![Settled::Lost; settlements.len()];
        let (mut places, mut passed) = (Vec::new(), Vec::new());
        for (place, (token, settlement)) in settlements.iter().enumerate() {
            let mut held = lock(&self.held);
            let acked = held.event(*token).filter(|_| matches!(settlement, Settlement::Ack));
            // Before the transport knows: nobody who then finds the bus quiet may miss it here.
            acked.inspect(|event| self.record.handled(&self.group, event));
            match held.pass(*token, settlement) {
                Passage::On(inner) => {
                    places.push(place);
                    passed.push((inner, settlement.clone()));
                }
                Passage::Ends => settled[place] = Settled::Applied,
                Passage::Unknown => {}
            }
        }
        let results = if passed.is_empty() { Vec::new() } else { self.settler.settle(&passed).await };
        for (place, result) in places.into_iter().zip(results) {
            settled[place] = result;
            self.conclude(&settlements[place], result);
        }
        settled
    }

    /// The transport has said what became of a settlement.
    fn conclude(&self, (token, settlement): &(Token, Settlement), result: Settled) {
        let mut held = lock(&self.held);
        if result == Settled::Refused {
            return held.reopen(*token);
        }
        let event = held.remove(*token);
        if let (Settlement::Ack, Some(event), true) = (settlement, event, result != Settled::Applied) {
            self.record.not_handled(&self.group, &event);
        }
    }

    /// Dies over a message: the inner reader goes, and with it everything the member holds.
    async fn die(&self, token: Token) {
        let events = {
            let mut held = lock(&self.held);
            let first = held.remove(token);
            first.into_iter().chain(held.lose()).collect()
        };
        self.script.note(FaultKind::CrashBeforeAck, Some(&self.group), events);
        self.dead.store(true, Ordering::SeqCst);
        let resting = lock(&self.reader).take();
        if resting.is_none() {
            self.death.notify_one();
            self.gone.notified().await;
        }
    }
}

fn died() -> Error {
    Error::new(ErrorKind::NotSent, "the member died: a scripted fault")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for WatchedReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lock(&self.0.reader).fmt(f)
    }
}

impl fmt::Debug for WatchedSettler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.settler.fmt(f)
    }
}
