//! What each settlement is with order per key.
//!
//! What a message becomes is stored first and told to the keys at once, then it is acknowledged where it was. A dead
//! letter is stored before what says that it holds its key: the other way round, a crash could leave a key held by
//! nothing.

use std::sync::Arc;
use std::time::Duration;

use eventbus::ErrorKind;
use eventbus::transport::{Settled, Settlement, Token};
use tokio::time::Instant;

use super::keys::{Lane, Standing};
use super::{About, Tenure, Ticket};
use crate::desk::Desk;
use crate::label::{Dead, Label, Stage, add};
use crate::member::{Flight, Member, State};
use crate::message::Parcel;
use crate::mover::Moved;

/// One settlement.
struct Work {
    at: usize,
    token: u64,
    ticket: Ticket,
    desk: Arc<Desk>,
    tag: u64,
    /// A dead letter.
    letter: Option<Parcel>,
    /// What is kept.
    kept: Option<Parcel>,
    settled: Settled,
}

/// Settles messages.
pub(crate) async fn settle(
    member: &Arc<Member>,
    settlements: &[(Token, Settlement)],
) -> Vec<(usize, Settled)> {
    let (mut works, mut settled) = sort(member, settlements);
    while let Some(shard) = works.first().map(|work| work.ticket.tenure.shard) {
        let (these, others): (Vec<_>, Vec<_>) =
            works.into_iter().partition(|work| work.ticket.tenure.shard == shard);
        settled.extend(carry_out(member, these).await);
        works = others;
    }
    settled
}

/// Looks the messages up, and lets the keys know.
fn sort(member: &Member, settlements: &[(Token, Settlement)]) -> (Vec<Work>, Vec<(usize, Settled)>) {
    let (mut works, mut done) = (Vec::with_capacity(settlements.len()), Vec::new());
    let mut state = member.state();
    for (at, (Token(token), settlement)) in settlements.iter().enumerate() {
        let state = &mut *state;
        let Some(flight) = state.flights.get_mut(token).filter(|flight| !flight.settling) else { continue };
        let Some(ticket) = flight.ticket.clone() else { continue };
        let shelf = &mut state.shelves[ticket.tenure.shard];
        if ticket.turn == 0 && matches!(settlement, Settlement::Return) {
            // It is where it was, for the broker; and from now on for this member too.
            let Some(flight) = state.flights.remove(token) else { continue };
            shelf.landed(&ticket.lane);
            shelf.put_back(flight.back(member.shared.config.max_event_size));
            member.shards[ticket.tenure.shard].notify_one();
            done.push((at, Settled::Applied));
            continue;
        }
        flight.settling = true;
        let (desk, tag, settled) = (Arc::clone(&flight.desk), flight.tag, Settled::Applied);
        let next = Ticket { turn: ticket.turn + 1, ..ticket.clone() };
        let (letter, kept, standing) = becomes(member, flight, &next, settlement);
        if let Some(standing) = standing {
            shelf.keys.put(&next.lane, next.spot, (next.turn, standing));
        }
        flight.kept = kept.is_some() && letter.is_none();
        works.push(Work { at, token: *token, ticket, desk, tag, letter, kept, settled });
    }
    if !done.is_empty() {
        member.bell.notify_one();
    }
    (works, done)
}

/// What a message becomes: a dead letter, something kept, and how that stands.
fn becomes(
    member: &Member,
    flight: &Flight,
    next: &Ticket,
    settlement: &Settlement,
) -> (Option<Parcel>, Option<Parcel>, Option<Standing>) {
    let history = flight.history.as_deref();
    match settlement {
        Settlement::Ack => (None, None, None),
        Settlement::Return => {
            let about = About { attempt: flight.attempt, history, delay: Duration::ZERO };
            (None, Some(next.copy(&flight.original, Stage::Parked, about)), Some(Standing::Parked))
        }
        Settlement::RetryAfter { delay, failure } => {
            let history = add(history, failure);
            let attempt = flight.attempt.saturating_add(1);
            let about = About { attempt, history: Some(&history), delay: *delay };
            let until = (!delay.is_zero()).then(|| Instant::now() + *delay);
            (None, Some(next.copy(&flight.original, Stage::Waiting, about)), Some(Standing::Waiting(until)))
        }
        Settlement::DeadLetter { failure, hold } => {
            let history = add(history, failure);
            let holds = *hold && matches!(next.lane, Lane::Of(_));
            let about = About { attempt: flight.attempt, history: Some(&history), delay: Duration::ZERO };
            let kept = next.kept(Stage::Dead, Duration::ZERO);
            let dead = Dead { id: member.shared.dead_number(), reason: failure.reason, holds };
            let label = about.label(next.spot, &kept);
            let label = Label { dead: Some(dead), ..label };
            let letter = flight.original.labelled(member.names.dead().as_str(), &label);
            let record = holds.then(|| {
                let about = About::default();
                let label = about.label(next.spot, &kept);
                let held = next.tenure.names.held();
                Parcel { body: bytes::Bytes::new(), ..flight.original.labelled(held.as_str(), &label) }
            });
            (Some(letter), record, holds.then_some(Standing::Dead))
        }
    }
}

/// Settles messages of one shard.
async fn carry_out(member: &Arc<Member>, mut works: Vec<Work>) -> Vec<(usize, Settled)> {
    let Some(tenure) = works.first().map(|work| Arc::clone(&work.ticket.tenure)) else { return Vec::new() };
    // There may be no room for another dead letter.
    publish(&tenure, (&mut works, Settled::Refused), |work| work.letter.take()).await;
    publish(&tenure, (&mut works, Settled::Unknown), |work| work.kept.take()).await;
    for desk in [&tenure.keeping, &tenure.reading] {
        let of = |work: &&mut Work| work.settled == Settled::Applied && Arc::ptr_eq(&work.desk, desk);
        let tags: Vec<u64> = works.iter_mut().filter(of).map(|work| work.tag).collect();
        if !desk.finish(&tags).await {
            works.iter_mut().filter(of).for_each(|work| work.settled = Settled::Unknown);
        }
    }
    if works.iter().any(|work| work.settled == Settled::Unknown) {
        member.fail(ErrorKind::NotSent, "a settlement was lost");
    }
    conclude(&mut member.state(), &works);
    member.shards[tenure.shard].notify_one();
    member.bell.notify_one();
    works.into_iter().map(|work| (work.at, work.settled)).collect()
}

/// Publishes what goes somewhere; what could not be stored there stays where it is.
async fn publish(
    tenure: &Tenure,
    (works, refused): (&mut [Work], Settled),
    mut take: impl FnMut(&mut Work) -> Option<Parcel>,
) {
    let (mut parcels, mut moving) = (Vec::new(), Vec::new());
    for work in works.iter_mut().filter(|work| work.settled == Settled::Applied) {
        if let Some(parcel) = take(work) {
            parcels.push(parcel);
            moving.push(work);
        }
    }
    if parcels.is_empty() {
        return;
    }
    let moved = tenure.mover.publish(&parcels).await;
    for (work, moved) in moving.into_iter().zip(moved) {
        work.settled = match moved {
            Moved::Stored => Settled::Applied,
            Moved::Refused => refused,
            _ => Settled::Unknown,
        };
    }
}

fn conclude(state: &mut State, works: &[Work]) {
    state.moves += 1;
    for work in works {
        let Ticket { tenure, lane, spot, turn } = &work.ticket;
        let shelf = &mut state.shelves[tenure.shard];
        let keys = &mut shelf.keys;
        if work.settled == Settled::Refused {
            let Some(flight) = state.flights.get_mut(&work.token) else { continue };
            flight.settling = false;
            keys.end(lane, *spot, turn + 1);
            if *turn > 0 {
                keys.put(lane, *spot, (*turn, Standing::Out));
            }
            continue;
        }
        state.flights.remove(&work.token);
        // Unless it stands there in another way.
        keys.end(lane, *spot, *turn);
        if *turn == 0 {
            shelf.landed(lane);
        }
    }
}
