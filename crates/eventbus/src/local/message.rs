//! What the local transport keeps of a message: where it stands, how often it was tried, and who has it now.

use std::collections::VecDeque;
use std::mem;

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

/// What a member is handed: messages one by one, then pieces of the log whose messages are made when they are taken, so
/// that each event is touched once.
pub(super) struct Handed {
    pub(super) member: u64,
    ones: VecDeque<Received>,
    pieces: VecDeque<Piece>,
    len: usize,
    /// Dropped events that the first message tells of.
    pub(super) lost: u32,
}

/// Entries of one segment, as a mask.
struct Piece {
    segment: Arc<Segment<AnyEvent>>,
    pending: u64,
    token: u64,
}

impl Handed {
    pub(super) fn new(member: u64) -> Self {
        Self { member, ones: VecDeque::new(), pieces: VecDeque::new(), len: 0, lost: 0 }
    }

    /// The message that is taken first.
    pub(super) fn first(&self) -> Option<Token> {
        let piece = self.pieces.front();
        let logged = piece.map(|piece| Token(piece.token | u64::from(piece.pending.trailing_zeros())));
        self.ones.front().map(|one| one.token).or(logged)
    }
}

impl Iterator for Handed {
    type Item = Received;

    fn next(&mut self) -> Option<Received> {
        let lost = mem::take(&mut self.lost);
        if let Some(one) = self.ones.pop_front() {
            self.len -= 1;
            return Some(Received { lost, ..one });
        }
        let piece = self.pieces.front_mut()?;
        let offset = piece.pending.trailing_zeros();
        piece.pending &= piece.pending - 1;
        let body = Body::Event(piece.segment.entry(offset as usize).clone());
        let token = Token(piece.token | u64::from(offset));
        if piece.pending == 0 {
            self.pieces.pop_front();
        }
        self.len -= 1;
        Some(Received { token, attempt: 1, lost, body, history: None })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len, Some(self.len))
    }
}

impl ExactSizeIterator for Handed {}

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

    /// Hands out entries of the log; those in the mask `parked` were kept back.
    pub(super) fn hand_run(&mut self, run: Run<AnyEvent>, parked: u64, to: &mut Handed) {
        let all = if run.len == 64 { u64::MAX } else { (1 << run.len) - 1 } << run.from;
        let pending = all & !parked;
        if pending == 0 {
            return;
        }
        let content = Content::Run { segment: Arc::clone(&run.segment), pending };
        let token = self.insert(to.member, content);
        let len = pending.count_ones() as usize;
        self.len += len;
        to.len += len;
        to.pieces.push_back(Piece { segment: run.segment, pending, token });
    }

    /// Hands out a message that was in the log before.
    pub(super) fn hand_one(&mut self, stored: Stored, to: &mut Handed) {
        let (attempt, body, history) =
            (stored.attempt, Body::Event(stored.event.clone()), stored.history.clone());
        let token = Token(self.insert(to.member, Content::One(stored)));
        self.len += 1;
        to.len += 1;
        to.ones.push_back(Received { token, attempt, lost: 0, body, history });
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
        let slots: Vec<usize> =
            self.slots.iter().filter(|(_, slot)| slot.member == member).map(|(at, _)| at).collect();
        let mut taken = Vec::new();
        for slot in slots {
            match self.slots.remove(slot).content {
                Content::One(one) => taken.push(one),
                Content::Run { segment, pending } => {
                    taken.extend(
                        (0..64).filter(|bit| pending & (1 << bit) != 0).map(|bit| stored(&segment, bit)),
                    );
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
