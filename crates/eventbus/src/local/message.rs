//! What the local transport keeps of a message: where it stands, how often it was tried, and who has it now.

use slab::Slab;

use super::log::{Run, Segment};
use super::sync::Arc;
use crate::event::AnyEvent;
use crate::transport::{Body, History, Received, Token};

/// A message outside the log: returned, waiting, parked or dead.
#[derive(Debug)]
pub(super) struct Stored {
    /// Its place in the log, which is its place in the order of the group.
    pub(super) position: u64,
    pub(super) event: AnyEvent,
    /// The number of its next attempt.
    pub(super) attempt: u32,
    pub(super) history: Option<Box<History>>,
}

/// The messages that members hold.
///
/// Entries of the log that a member took together share one slot and a mask; others have a slot each. A token names
/// slot, slot's generation and offset, so that settling twice is noticed.
#[derive(Default)]
pub(super) struct InFlight {
    slots: Slab<Slot>,
    generation: u64,
    len: usize,
}

struct Slot {
    generation: u64,
    member: u64,
    content: Content,
}

enum Content {
    Run { segment: Arc<Segment<AnyEvent>>, pending: u64 },
    One(Stored),
}

const OFFSET_BITS: u32 = 6;
const SLOT_BITS: u32 = 26;
const GENERATION_BITS: u32 = u64::BITS - OFFSET_BITS - SLOT_BITS;

impl InFlight {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Hands out entries of the log; those at `parked` offsets were kept back.
    pub(super) fn hand_run(&mut self, member: u64, run: &Run<AnyEvent>, parked: u64, into: &mut Vec<Received>) {
        let all = if run.len == 64 { u64::MAX } else { (1 << run.len) - 1 } << run.from;
        let pending = all & !parked;
        if pending == 0 {
            return;
        }
        let content = Content::Run { segment: Arc::clone(&run.segment), pending };
        let token = self.insert(member, content);
        self.len += pending.count_ones() as usize;
        for offset in run.from..run.from + run.len {
            if pending & (1 << offset) != 0 {
                let body = Body::Event(run.segment.entry(offset).clone());
                into.push(Received { token: Token(token | offset as u64), attempt: 1, lost: 0, body, history: None });
            }
        }
    }

    /// Hands out a message that was in the log before.
    pub(super) fn hand_one(&mut self, member: u64, stored: Stored, into: &mut Vec<Received>) {
        let (attempt, body, history) = (stored.attempt, Body::Event(stored.event.clone()), stored.history.clone());
        let token = Token(self.insert(member, Content::One(stored)));
        self.len += 1;
        into.push(Received { token, attempt, lost: 0, body, history });
    }

    fn insert(&mut self, member: u64, content: Content) -> u64 {
        self.generation = (self.generation + 1) % (1 << GENERATION_BITS);
        let generation = self.generation;
        let slot = self.slots.insert(Slot { generation, member, content });
        generation << (OFFSET_BITS + SLOT_BITS) | (slot as u64) << OFFSET_BITS
    }

    /// Takes a message back for good, without looking at it; `false` when the member does not have it.
    pub(super) fn finish(&mut self, member: u64, token: Token) -> bool {
        let Some((slot, offset)) = self.find(member, token) else { return false };
        let done = match &mut self.slots[slot].content {
            Content::Run { pending, .. } => {
                *pending &= !(1 << offset);
                *pending == 0
            }
            Content::One(_) => true,
        };
        if done {
            self.slots.remove(slot);
        }
        self.len -= 1;
        true
    }

    /// Takes a message back to do something with it; `None` when the member does not have it.
    pub(super) fn take(&mut self, member: u64, token: Token) -> Option<Stored> {
        let (slot, offset) = self.find(member, token)?;
        if let Content::Run { segment, .. } = &self.slots[slot].content {
            let stored = stored(segment, offset);
            self.finish(member, token);
            return Some(stored);
        }
        self.len -= 1;
        match self.slots.remove(slot).content {
            Content::One(stored) => Some(stored),
            Content::Run { .. } => None,
        }
    }

    /// Takes back everything a member has.
    pub(super) fn take_all(&mut self, member: u64) -> Vec<Stored> {
        let slots: Vec<usize> = self.slots.iter().filter(|(_, slot)| slot.member == member).map(|(at, _)| at).collect();
        let mut taken = Vec::new();
        for slot in slots {
            match self.slots.remove(slot).content {
                Content::One(one) => taken.push(one),
                Content::Run { segment, pending } => {
                    taken.extend((0..64).filter(|bit| pending & (1 << bit) != 0).map(|bit| stored(&segment, bit)));
                }
            }
        }
        self.len -= taken.len();
        taken
    }

    fn find(&self, member: u64, token: Token) -> Option<(usize, usize)> {
        let offset = (token.0 & ((1 << OFFSET_BITS) - 1)) as usize;
        let slot = ((token.0 >> OFFSET_BITS) & ((1 << SLOT_BITS) - 1)) as usize;
        let found = self.slots.get(slot)?;
        let same = found.generation == token.0 >> (OFFSET_BITS + SLOT_BITS) && found.member == member;
        let held = match &found.content {
            Content::Run { pending, .. } => pending & (1 << offset) != 0,
            Content::One(_) => offset == 0,
        };
        (same && held).then_some((slot, offset))
    }
}

fn stored(segment: &Segment<AnyEvent>, offset: usize) -> Stored {
    let (position, event) = (segment.position(offset), segment.entry(offset).clone());
    Stored { position, event, attempt: 1, history: None }
}
