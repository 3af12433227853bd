//! Shuffling a batch of messages: any order that the transport's contract allows.

use std::collections::{HashMap, VecDeque};

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;

use crate::event::{AnyEvent, Key};
use crate::transport::{Body, Order, Received};

/// How often a shuffle is drawn again when it came out as it went in.
const DRAWS: u32 = 16;

/// Shuffles the messages that take part; tells whether anything changed.
pub(super) fn shuffle(
    batch: &mut Vec<Received>,
    order: Order,
    seed: u64,
    takes_part: &dyn Fn(&AnyEvent) -> bool,
) -> bool {
    let mut random = StdRng::seed_from_u64(seed);
    let places: Vec<usize> =
        (0..batch.len()).filter(|&at| event(&batch[at]).is_some_and(takes_part)).collect();
    let unchanged: Vec<usize> = (0..batch.len()).collect();
    for _ in 0..DRAWS {
        let mut drawn = places.clone();
        drawn.shuffle(&mut random);
        let mut from = unchanged.clone();
        places.iter().zip(drawn).for_each(|(&place, moved)| from[place] = moved);
        if order == Order::PerKey {
            from = keep_keys(batch, &from);
        }
        if from != unchanged {
            arrange(batch, &from);
            return true;
        }
    }
    false
}

/// Gives each key's places to its messages in their old order.
fn keep_keys(batch: &[Received], from: &[usize]) -> Vec<usize> {
    let mut of_key: HashMap<&Key, VecDeque<usize>> = HashMap::new();
    for (at, received) in batch.iter().enumerate() {
        if let Some(key) = key(received) {
            of_key.entry(key).or_default().push_back(at);
        }
    }
    let next = |&at: &usize| key(&batch[at]).and_then(|key| of_key.get_mut(key)?.pop_front()).unwrap_or(at);
    from.iter().map(next).collect()
}

/// Puts the message at `from[n]` into place `n`. The number of lost events stays where it was: it is told first.
fn arrange(batch: &mut Vec<Received>, from: &[usize]) {
    let lost: Vec<u32> = batch.iter().map(|received| received.lost).collect();
    let mut left: Vec<Option<Received>> = batch.drain(..).map(Some).collect();
    batch.extend(from.iter().filter_map(|&at| left[at].take()));
    batch.iter_mut().zip(lost).for_each(|(received, lost)| received.lost = lost);
}

fn event(received: &Received) -> Option<&AnyEvent> {
    match &received.body {
        Body::Event(event) => Some(event),
        Body::Undecodable(..) => None,
    }
}

fn key(received: &Received) -> Option<&Key> {
    event(received).and_then(AnyEvent::key)
}
