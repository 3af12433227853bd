//! What was taken back, for as long as somebody may ask again or a message of it may still come.

use std::collections::{HashMap, HashSet, VecDeque};

/// For how long what was taken back is remembered, so that whoever asks again is told the same.
pub(crate) const REMEMBERED: i64 = 60_000;

/// How many plans that are done with are remembered: a copy of one may still come.
const MANY: usize = 1 << 16;

/// How many are looked at at once, to forget them.
const FEW: usize = 4096;

/// Something that was taken back.
#[derive(Debug)]
struct Grave {
    tag: u64,
    by: String,
    until: i64,
}

/// What was taken back, and what else is done with.
#[derive(Debug, Default)]
pub(crate) struct Graves {
    /// By the number of the plan.
    graves: HashMap<i64, Grave>,
    /// By time, and by the name of the request.
    fading: VecDeque<(i64, i64)>,
    dug_by: HashMap<String, i64>,
    /// The numbers of plans that are done with, and the same by age.
    numbers: HashSet<i64>,
    aging: VecDeque<i64>,
}

impl Graves {
    pub(crate) fn len(&self) -> usize {
        self.graves.len()
    }

    /// Whether a plan is done with. A message of it came: there may be more of it.
    pub(crate) fn covers(&mut self, number: i64, now: i64) -> bool {
        if let Some(grave) = self.graves.get_mut(&number) {
            grave.until = now + REMEMBERED;
            self.fading.push_back((grave.until, number));
            return true;
        }
        self.numbers.contains(&number)
    }

    /// The last message that is known of a plan is acknowledged.
    pub(crate) fn done(&mut self, number: i64) {
        if self.numbers.insert(number) {
            self.aging.push_back(number);
        }
        if self.aging.len() > MANY
            && let Some(oldest) = self.aging.pop_front()
        {
            self.numbers.remove(&oldest);
        }
    }

    /// Whether something was taken back for this request.
    pub(crate) fn was_dug_by(&self, name: &str) -> bool {
        self.dug_by.contains_key(name)
    }

    /// A plan was taken back; gives the message that said so before.
    pub(crate) fn dig(&mut self, number: i64, (tag, by): (u64, String), now: i64) -> Option<u64> {
        let until = now + REMEMBERED;
        let other = self.graves.insert(number, Grave { tag, by: by.clone(), until });
        if let Some(other) = &other {
            self.dug_by.remove(&other.by);
        }
        self.dug_by.insert(by, number);
        self.fading.push_back((until, number));
        other.map(|other| other.tag)
    }

    /// Forgets what was taken back long ago, and as many more as are said, the oldest first; none whose event is still there.
    /// Gives the messages that said so.
    pub(crate) fn fade(&mut self, (now, excess): (i64, usize), is_there: impl Fn(i64) -> bool) -> Vec<u64> {
        let mut faded = Vec::new();
        for _ in 0..self.fading.len().min(FEW) {
            let is_over = |(until, _): &(i64, i64)| *until <= now || faded.len() < excess;
            let Some((until, number)) = self.fading.front().copied().filter(is_over) else { break };
            self.fading.pop_front();
            let Some(grave) = self.graves.get(&number).filter(|grave| grave.until <= until) else { continue };
            if is_there(number) {
                self.fading.push_back((until.max(now + REMEMBERED), number));
            } else {
                faded.push(grave.tag);
                self.dug_by.remove(&grave.by);
                self.graves.remove(&number);
            }
        }
        faded
    }
}
