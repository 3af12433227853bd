//! A model of order per key: the lanes and a group of the local transport, which work at the same time.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::mpsc::{Receiver, Sender, channel};
use shuttle::thread;

use super::lanes::{Admission, Lanes};
use super::queue::{Like, Member, Queues, event, number, retry};
use super::sync::{Arc, Mutex, lock};
use crate::event::{Key, step};
use crate::transport::{Backlog, Order, Received, Settled, Settlement, Token};

const KEYS: [&str; 2] = ["a", "b"];
const EACH: u32 = 3;
/// How many handlers run at once, and how many messages are held.
const CONCURRENCY: usize = 2;
const PREFETCH: usize = 4;

/// What wakes the driver.
enum Happening {
    Incoming(Vec<Received>),
    Settled,
    Finished(Received, Outcome),
    Closed,
}

/// How a handler ended.
enum Outcome {
    Done,
    Failed,
}

/// What handlers did, by key.
#[derive(Default)]
struct Ledger {
    running: HashMap<Key, u32>,
    done: HashMap<Key, Vec<u32>>,
}

/// The engine's driver, with threads in the place of futures: what it decides, and in which order, is the same.
struct Driver {
    member: Member,
    lanes: Lanes<Received>,
    ledger: Arc<Mutex<Ledger>>,
    sender: Sender<Happening>,
    happenings: Receiver<Happening>,
    /// With the number of the receive that brought each.
    backlog: VecDeque<(u64, Received)>,
    promoted: VecDeque<Received>,
    settlements: Vec<(Token, Settlement)>,
    receives: u64,
    batches: u64,
    running: usize,
    receiving: bool,
    settling: bool,
}

impl Driver {
    fn new(member: Member) -> Self {
        let (sender, happenings) = channel();
        Self {
            member,
            lanes: Lanes::default(),
            ledger: Arc::default(),
            sender,
            happenings,
            backlog: VecDeque::new(),
            promoted: VecDeque::new(),
            settlements: Vec::new(),
            receives: 0,
            batches: 0,
            running: 0,
            receiving: false,
            settling: false,
        }
    }

    /// Works until every event is done, its settlement applied, and the group closed.
    fn run(mut self) -> Arc<Mutex<Ledger>> {
        loop {
            self.start_all();
            self.receive();
            self.settle();
            match self.happenings.recv().expect("this driver holds a sender") {
                Happening::Incoming(batch) => {
                    self.receiving = false;
                    self.backlog.extend(batch.into_iter().map(|received| (self.receives, received)));
                }
                Happening::Settled => {
                    self.settling = false;
                    self.lanes.settled(self.batches, self.receives);
                }
                Happening::Finished(received, outcome) => self.conclude(&received, &outcome),
                Happening::Closed => return self.ledger,
            }
            if self.is_done() {
                self.member.close();
            }
        }
    }

    fn is_done(&self) -> bool {
        let settled = !self.settling && self.settlements.is_empty() && self.running == 0;
        settled && lock(&self.ledger).done.values().map(Vec::len).sum::<usize>() == KEYS.len() * EACH as usize
    }

    fn receive(&mut self) {
        let held = self.backlog.len() + self.promoted.len() + self.lanes.queued() + self.running;
        let credit = PREFETCH.saturating_sub(held);
        if self.receiving || credit == 0 {
            return;
        }
        self.receiving = true;
        self.receives += 1;
        let (member, sender) = (self.member.clone(), self.sender.clone());
        thread::spawn(move || {
            let happening = member
                .receive(credit)
                .map_or(Happening::Closed, |batch| Happening::Incoming(batch.collect()));
            sender.send(happening)
        });
    }

    fn settle(&mut self) {
        if self.settling || self.settlements.is_empty() {
            return;
        }
        self.settling = true;
        self.batches += 1;
        let (batch, member, sender) =
            (std::mem::take(&mut self.settlements), self.member.clone(), self.sender.clone());
        thread::spawn(move || {
            assert!(member.settle(&batch).iter().all(|settled| *settled == Settled::Applied));
            sender.send(Happening::Settled)
        });
    }

    fn start_all(&mut self) {
        while self.running < CONCURRENCY {
            if let Some(received) = self.promoted.pop_front() {
                self.start(received);
                continue;
            }
            let Some((receive, received)) = self.backlog.pop_front() else { return };
            match self.lanes.admit(&key(&received), receive, received) {
                Admission::Run(received) => self.start(received),
                Admission::Queued => {}
                Admission::Return(received) => self.give_back(&received),
            }
        }
    }

    fn start(&mut self, received: Received) {
        self.lanes.occupy(&key(&received));
        self.running += 1;
        let (ledger, sender) = (Arc::clone(&self.ledger), self.sender.clone());
        thread::spawn(move || {
            let (key, number) = (key(&received), number(event(&received)));
            let other = lock(&ledger).running.insert(key.clone(), number);
            assert_eq!(other, None, "{key} runs {number} and another at once");
            let outcome = match received.attempt >= 3 || thread_rng().gen_bool(0.6) {
                true => Outcome::Done,
                false => Outcome::Failed,
            };
            let mut ledger = lock(&ledger);
            ledger.running.remove(&key);
            if let Outcome::Done = outcome {
                ledger.done.entry(key).or_default().push(number);
            }
            drop(ledger);
            sender.send(Happening::Finished(received, outcome))
        });
    }

    fn conclude(&mut self, received: &Received, outcome: &Outcome) {
        self.running -= 1;
        let key = key(received);
        if let Outcome::Done = outcome {
            self.settlements.push((received.token, Settlement::Ack));
            self.promoted.extend(self.lanes.advance(&key));
            return;
        }
        let delay = Duration::from_secs(thread_rng().gen_range(0..2));
        self.settlements.push((received.token, retry(delay)));
        // The settlement above goes with the batch after the one that is under way.
        let back = self.lanes.hold(&key, self.batches + 1);
        back.iter().for_each(|received| self.give_back(received));
    }

    fn give_back(&mut self, received: &Received) {
        self.settlements.push((received.token, Settlement::Return));
    }
}

fn key(received: &Received) -> Key {
    event(received).key().cloned().expect("every event of the model has a key")
}

/// Handlers finish and fail in any order, while receives and settlements are under way: never two messages of a key run
/// at once, each key is done in order across its retries, and nothing is lost.
pub fn a_key_runs_one_at_a_time_and_in_order_across_retries() {
    let queues = Queues::new();
    let group = queues.create("g", Like::of("#").order(Order::PerKey).capacity(3));
    let driver = Driver::new(Member::join(&group));
    let wheel = Arc::clone(&queues.wheel);
    let timekeeper = thread::spawn(move || wheel.turn());
    let publisher = {
        let queues = Arc::clone(&queues);
        thread::spawn(move || {
            (0..EACH).for_each(|number| KEYS.iter().for_each(|key| queues.publish(&step(key, number))));
        })
    };
    let driver = thread::spawn(move || driver.run());
    publisher.join().expect("a publisher that ends");
    let ledger = driver.join().expect("a driver that ends");
    queues.wheel.end();
    timekeeper.join().expect("a timekeeper that ends");
    for (key, done) in &lock(&ledger).done {
        assert!(done.iter().copied().eq(0..EACH), "{key} was done in the order {done:?}");
    }
    assert_eq!(group.backlog(), Backlog { members: 1, ..Backlog::default() }, "nothing is left anywhere");
}
