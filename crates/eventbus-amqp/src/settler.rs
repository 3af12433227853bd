//! The settling half of a member: what each settlement is on AMQP.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eventbus::ErrorKind;
use eventbus::transport::{Failure, Settled, Settlement, Settler, Token};

use crate::desk::Desk;
use crate::label::{Dead, Label, add};
use crate::member::{Flight, Member};
use crate::message::Parcel;
use crate::mover::Moved;
use crate::order;
use crate::waiting::Waits;

/// For how long a member that stops is waited for until it does not read any more.
const HURRY: Duration = Duration::from_millis(500);

/// Settles messages.
pub(crate) struct AmqpSettler(pub(crate) Arc<Member>);

/// One settlement: where its message is, and where it goes, where that is anywhere.
struct Work {
    at: usize,
    token: u64,
    desk: Arc<Desk>,
    tag: u64,
    parcel: Option<Parcel>,
    settled: Settled,
}

impl AmqpSettler {
    /// Looks the messages up.
    fn sort(&self, settlements: &[(Token, Settlement)]) -> Vec<Work> {
        let member = &self.0;
        let mut works = Vec::with_capacity(settlements.len());
        let mut state = member.state();
        for (at, (Token(token), settlement)) in settlements.iter().enumerate() {
            let Some(flight) = state.flights.get_mut(token).filter(|flight| !flight.settling) else {
                continue;
            };
            flight.settling = true;
            let (place, desk, tag) = (flight.place, Arc::clone(&flight.desk), flight.tag);
            let parcel = match settlement {
                Settlement::Ack => None,
                Settlement::Return => Some(self.returned(flight)),
                Settlement::RetryAfter { delay, failure } => {
                    let (parcel, time) = self.retried(flight, *delay, failure);
                    if time > 0 {
                        state.waits(place, Duration::from_millis(time));
                    }
                    Some(parcel)
                }
                Settlement::DeadLetter { failure, .. } => Some(self.buried(flight, failure)),
            };
            if matches!(settlement, Settlement::Return) && !member.is_stopped() {
                state.goes_back(place);
            }
            works.push(Work { at, token: *token, desk, tag, parcel, settled: Settled::Applied });
        }
        works
    }

    fn returned(&self, flight: &Flight) -> Parcel {
        let history = flight.history.as_deref();
        let label = Label { attempt: flight.attempt, place: flight.place, history, ..Label::default() };
        flight.original.labelled(self.0.names.again().as_str(), &label)
    }

    fn retried(&self, flight: &Flight, delay: Duration, failure: &Failure) -> (Parcel, u64) {
        let history = add(flight.history.as_deref(), failure);
        let (time, remaining) = Waits::next(&self.0, delay).unwrap_or((0, delay));
        let queue = if time == 0 { self.0.names.again() } else { self.0.names.wait(time) };
        let attempt = flight.attempt.saturating_add(1);
        let label =
            Label { attempt, place: flight.place, history: Some(&history), remaining, ..Label::default() };
        (flight.original.labelled(queue.as_str(), &label), time)
    }

    fn buried(&self, flight: &Flight, failure: &Failure) -> Parcel {
        let history = add(flight.history.as_deref(), failure);
        let dead = Dead { id: self.0.shared.dead_number(), reason: failure.reason, holds: false };
        let (attempt, place) = (flight.attempt, flight.place);
        let label = Label { attempt, place, history: Some(&history), dead: Some(dead), ..Label::default() };
        flight.original.labelled(self.0.names.dead().as_str(), &label)
    }

    /// Publishes what goes somewhere; what could not be stored there stays where it is.
    async fn publish(&self, works: &mut [Work]) {
        let parcels: Vec<Parcel> = works.iter_mut().filter_map(|work| work.parcel.take()).collect();
        if parcels.is_empty() {
            return;
        }
        let moving: Vec<usize> =
            (0..works.len()).filter(|index| works[*index].settled == Settled::Unknown).collect();
        let moved = {
            let _flow = self.0.flow.read().await;
            self.0.mover.publish(&parcels).await
        };
        for (index, moved) in moving.into_iter().zip(moved) {
            works[index].settled = match moved {
                Moved::Stored => Settled::Applied,
                Moved::Refused => Settled::Refused,
                Moved::Unknown(_) => Settled::Unknown,
                Moved::Missing => {
                    let text = format!("a queue of the group {} vanished", self.0.spec.group);
                    self.0.fail(ErrorKind::NotFound, text);
                    Settled::Unknown
                }
            };
        }
    }

    /// Acknowledges what is done, and gives back at once what nobody knows of.
    async fn acknowledge(&self, works: &mut [Work]) {
        let Some(desk) = works.first().map(|work| Arc::clone(&work.desk)) else { return };
        let of =
            |settled: Settled| works.iter().filter(move |work| work.settled == settled).map(|work| work.tag);
        let (done, doubtful): (Vec<u64>, Vec<u64>) =
            (of(Settled::Applied).collect(), of(Settled::Unknown).collect());
        if !desk.finish(&done).await {
            for work in works.iter_mut().filter(|work| work.settled == Settled::Applied) {
                work.settled = Settled::Unknown;
            }
        }
        desk.reject(&doubtful).await;
    }

    async fn carry_out(self, mut works: Vec<Work>) -> Vec<Work> {
        for work in works.iter_mut().filter(|work| work.parcel.is_some()) {
            work.settled = Settled::Unknown;
        }
        self.publish(&mut works).await;
        self.acknowledge(&mut works).await;
        self.conclude(&works);
        works
    }

    fn conclude(&self, works: &[Work]) {
        let mut state = self.0.state();
        state.moves += 1;
        for work in works {
            match work.settled {
                Settled::Refused => {
                    if let Some(flight) = state.flights.get_mut(&work.token) {
                        flight.settling = false;
                    }
                }
                _ => drop(state.flights.remove(&work.token)),
            }
        }
    }
}

#[async_trait]
impl Settler for AmqpSettler {
    async fn settle(&self, settlements: &[(Token, Settlement)]) -> Vec<Settled> {
        let mut settled = vec![Settled::Lost; settlements.len()];
        if self.0.is_gone() {
            return settled;
        }
        if !self.0.shards.is_empty() {
            let (member, settlements) = (Arc::clone(&self.0), settlements.to_vec());
            let settling = tokio::spawn(async move { order::settle(&member, &settlements).await });
            for (at, this) in settling.await.unwrap_or_default() {
                settled[at] = this;
            }
            return settled;
        }
        let works = self.sort(settlements);
        // On a task of its own: whoever waits for it may stop polling in the middle, while locks are held.
        let carried_out = tokio::spawn(Self(Arc::clone(&self.0)).carry_out(works));
        for work in carried_out.await.unwrap_or_default() {
            settled[work.at] = work.settled;
        }
        settled
    }

    async fn stop(&self) {
        let emptied = self.0.empty.notified();
        tokio::pin!(emptied);
        emptied.as_mut().enable();
        self.0.stop();
        // What is given back from now on does not come here again.
        if !self.0.has_failed() && !self.0.state().emptied {
            let _ = tokio::time::timeout(HURRY, emptied).await;
        }
    }
}

impl fmt::Debug for AmqpSettler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AmqpSettler").field(&self.0).finish()
    }
}
