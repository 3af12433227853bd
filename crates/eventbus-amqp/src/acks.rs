//! Which messages of a channel are finished: a pure state machine that says what to acknowledge.

use std::collections::VecDeque;

/// The messages of one channel, by their delivery tags, which count up without a gap.
#[derive(Debug)]
pub(crate) struct Acks {
    /// The tag of the first of them.
    first: u64,
    open: VecDeque<State>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Finished; the broker was not told yet.
    Finished,
    /// Nothing to tell.
    Told,
}

/// An acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ack {
    /// Of this message and all before it.
    UpTo(u64),
    /// Of this message alone.
    One(u64),
}

impl Acks {
    pub(crate) fn new() -> Self {
        Self { first: 1, open: VecDeque::new() }
    }

    /// A message came.
    pub(crate) fn came(&mut self, tag: u64) {
        while self.first + (self.open.len() as u64) <= tag {
            self.open.push_back(State::Open);
        }
    }

    /// The tag of the message that comes next.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.open.len() as u64
    }

    /// How many messages from this tag on are not finished.
    pub(crate) fn open(&self, from: u64) -> usize {
        let from = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.open.iter().skip(from).filter(|state| **state == State::Open).count()
    }

    /// A message came that needs no acknowledgement.
    pub(crate) fn passed(&mut self, tag: u64) {
        self.came(tag);
        self.set(tag, State::Told);
        self.advance();
    }

    fn set(&mut self, tag: u64, state: State) {
        if let Some(open) = tag.checked_sub(self.first).and_then(|index| self.open.get_mut(index as usize)) {
            *open = state;
        }
    }

    /// Removes what is finished at the front; gives the last tag there that the broker was not told of: it takes no other
    /// for an acknowledgement of several.
    fn advance(&mut self) -> Option<u64> {
        let mut last = None;
        while let Some(state) = self.open.front().filter(|state| **state != State::Open) {
            if *state == State::Finished {
                last = Some(self.first);
            }
            self.open.pop_front();
            self.first += 1;
        }
        last
    }

    /// Messages are finished: all up to the first unfinished one are acknowledged at once, others one by one.
    pub(crate) fn finish(&mut self, tags: &[u64]) -> Vec<Ack> {
        tags.iter().for_each(|tag| self.set(*tag, State::Finished));
        let mut acks: Vec<Ack> = self.advance().map(Ack::UpTo).into_iter().collect();
        let first = self.first;
        for tag in tags.iter().filter(|tag| **tag >= first) {
            self.set(*tag, State::Told);
            acks.push(Ack::One(*tag));
        }
        acks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(count: u64) -> Acks {
        let mut acks = Acks::new();
        (1..=count).for_each(|tag| acks.came(tag));
        acks
    }

    #[test]
    fn a_finished_beginning_is_acknowledged_at_once() {
        let mut acks = came(5);
        assert_eq!(acks.finish(&[2, 1, 3]), [Ack::UpTo(3)]);
        assert_eq!(acks.finish(&[4, 5]), [Ack::UpTo(5)]);
    }

    #[test]
    fn nothing_is_acknowledged_past_an_unfinished_message() {
        let mut acks = came(5);
        assert_eq!(acks.finish(&[1, 3, 5]), [Ack::UpTo(1), Ack::One(3), Ack::One(5)]);
        assert_eq!(acks.finish(&[2]), [Ack::UpTo(2)]);
        // 3 and 5 were told already: the broker would not know them.
        assert_eq!(acks.finish(&[4]), [Ack::UpTo(4)]);
        acks.came(6);
        assert_eq!(acks.finish(&[6]), [Ack::UpTo(6)]);
    }

    #[test]
    fn what_needs_no_acknowledgement_is_passed_over() {
        let mut acks = came(1);
        acks.passed(3);
        assert_eq!(acks.finish(&[1]), [Ack::UpTo(1)]);
        assert_eq!(acks.finish(&[2]), [Ack::UpTo(2)]);
        acks.came(4);
        assert_eq!(acks.finish(&[4]), [Ack::UpTo(4)]);
    }
}
