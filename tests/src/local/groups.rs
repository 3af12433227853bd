//! Models of one group: members that take, settle and leave while messages come, come back and are due.

use std::collections::HashMap;
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use super::queue::{Like, Member, Queues, event, number, retry};
use super::sync::{Arc, Mutex, lock};
use crate::event::step;
use crate::transport::{Backlog, Order, Received, Settled, Settlement, Token};

/// What happened to the messages of a group.
#[derive(Default)]
struct Ledger {
    /// Who has which event.
    holders: HashMap<String, usize>,
    /// The acknowledged events, in the order of their acks.
    acked: Vec<(String, u32)>,
}

/// The messages of a group, and how many there are.
struct Work {
    ledger: Mutex<Ledger>,
    events: usize,
    order: Order,
}

impl Work {
    /// A message was handed to a member: nobody else may have it.
    fn held(&self, member: usize, received: &Received) {
        let id = event(received).id().to_string();
        let before = lock(&self.ledger).holders.insert(id, member);
        assert_eq!(before, None, "a message has one member at a time");
    }

    /// A member gives a message up, whatever becomes of it.
    fn given_up(&self, received: &Received) {
        lock(&self.ledger).holders.remove(event(received).id().as_str());
    }

    /// Settles a message in some way; tells whether all are acknowledged now.
    fn settle(&self, member: &Member, received: &Received) -> bool {
        let event = event(received).clone();
        let settlement = match thread_rng().gen_range(0..6) {
            // Not for ever: what was tried often enough succeeds.
            0 if received.attempt < 3 => retry(Duration::ZERO),
            1 | 2 if received.attempt < 3 => retry(Duration::from_secs(1)),
            3 if self.order == Order::None && received.attempt < 3 => Settlement::Return,
            _ => Settlement::Ack,
        };
        let acks = matches!(settlement, Settlement::Ack);
        self.given_up(received);
        if acks {
            let key = event.key().map(ToString::to_string).unwrap_or_default();
            lock(&self.ledger).acked.push((key, number(&event)));
        }
        let settled = member.settle(&[(received.token, settlement)]);
        assert_eq!(settled, [Settled::Applied], "the message was this member's");
        let again = member.settle(&[(received.token, Settlement::Ack)]);
        assert_eq!(again, [Settled::Lost], "a token settles once");
        acks && lock(&self.ledger).acked.len() == self.events
    }

    /// Takes and settles until everything is acknowledged; `patience` is after how many messages the member leaves,
    /// with what it then holds.
    fn run(&self, member: &Member, name: usize, patience: usize) {
        let mut left = patience;
        while let Some(batch) = member.receive(2) {
            let mut batch: Vec<Received> = batch.collect();
            batch.iter().for_each(|received| self.held(name, received));
            if left < batch.len() {
                batch.iter().for_each(|received| self.given_up(received));
                return member.leave();
            }
            left -= batch.len();
            if self.order == Order::None && thread_rng().gen_bool(0.5) {
                batch.reverse();
            }
            for received in self.allowed(member, batch) {
                if self.settle(member, &received) {
                    member.close();
                }
            }
        }
        member.leave();
    }

    /// The engine's part for order per key: one message of a key at a time, the others of the batch go back.
    fn allowed(&self, member: &Member, batch: Vec<Received>) -> Vec<Received> {
        if self.order == Order::None {
            return batch;
        }
        let mut kept: Vec<Received> = Vec::new();
        for received in batch {
            if kept.iter().any(|other| event(other).key() == event(&received).key()) {
                self.given_up(&received);
                member.settle(&[(received.token, Settlement::Return)]);
            } else {
                kept.push(received);
            }
        }
        kept
    }
}

fn model(order: Order) {
    let queues = Queues::new();
    let group = queues.create("g", Like::of("#").order(order).capacity(2));
    let work = Arc::new(Work { ledger: Mutex::default(), events: 4, order });
    let members: Vec<_> = [2, usize::MAX]
        .into_iter()
        .enumerate()
        .map(|(name, patience)| {
            let (work, member) = (Arc::clone(&work), Member::join(&group));
            thread::spawn(move || work.run(&member, name, patience))
        })
        .collect();
    let wheel = Arc::clone(&queues.wheel);
    let timekeeper = thread::spawn(move || wheel.turn());
    for number in 0..2 {
        for key in ["a", "b"] {
            queues.publish(&step(key, number));
        }
    }
    members.into_iter().for_each(|member| member.join().expect("a member that ends"));
    queues.wheel.end();
    timekeeper.join().expect("a timekeeper that ends");
    let acked = &lock(&work.ledger).acked;
    for key in ["a", "b"] {
        let mut numbers: Vec<u32> =
            acked.iter().filter(|(of, _)| of == key).map(|(_, number)| *number).collect();
        if order == Order::None {
            numbers.sort_unstable();
        }
        assert_eq!(numbers, [0, 1], "each event is acknowledged once: {acked:?}");
    }
    assert_eq!(group.backlog(), Backlog::default(), "nothing is left anywhere");
}

/// Two members share; one leaves with what it holds. Messages are retried at once and later, and returned: each is
/// acknowledged once, none is with two members at once, and a full group's publisher goes on.
pub fn a_message_is_with_one_member_and_never_lost() {
    model(Order::None);
}

/// As above with order per key: the second member takes over when the first leaves, and no event of a key is
/// acknowledged before an earlier one.
pub fn a_key_keeps_its_order_across_retries_and_members() {
    model(Order::PerKey);
}

/// A batch that was handed out stays whole while its member settles a part and leaves: the rest comes back counted.
pub fn what_a_member_left_with_comes_back_counted() {
    let queues = Queues::new();
    let group = queues.create("g", Like::of("#"));
    (0..3).for_each(|number| queues.publish(&step("a", number)));
    let leaver = Member::join(&group);
    let tokens: Vec<Token> = leaver.receive(3).expect("open").map(|received| received.token).collect();
    let stranger = Member::join(&group);
    assert_eq!(stranger.settle(&[(tokens[0], Settlement::Ack)]), [Settled::Lost], "another member's token");
    stranger.leave();
    let settler = {
        let (leaver, token) = (leaver.clone(), tokens[1]);
        thread::spawn(move || leaver.settle(&[(token, Settlement::Ack)]))
    };
    let heir = {
        let member = Member::join(&group);
        thread::spawn(move || {
            let mut seen = Vec::new();
            while seen.len() < 2 {
                seen.extend(
                    member.receive(1).expect("open").map(|received| (received.attempt, received.token)),
                );
            }
            let rest = seen.iter().map(|(_, token)| (*token, Settlement::Ack)).collect::<Vec<_>>();
            assert!(member.settle(&rest).iter().all(|settled| *settled == Settled::Applied));
            seen.into_iter().map(|(attempt, _)| attempt).collect::<Vec<_>>()
        })
    };
    leaver.leave();
    let settled = settler.join().expect("a settlement that ends");
    assert_eq!(heir.join().expect("a member that ends"), [2, 2]);
    let left = group.backlog();
    let expected = if settled == [Settled::Applied] { 0 } else { 1 };
    assert_eq!((left.queued, left.in_flight), (expected, 0), "{settled:?}");
}
