//! What comes from the queues of a shard, and what it is taken for.

use std::sync::Arc;
use std::time::Duration;

use eventbus::ErrorKind;
use futures::future::FutureExt as _;
use futures::stream::StreamExt as _;
use lapin::message::Delivery;
use tokio::time::Instant;

use super::keys::{Came, Coming};
use super::shard::{Shard, Source};
use super::{Lane, Spot, Standing, Ticket, lane};
use crate::label::{Kept, Stage};
use crate::member::Arrival;
use crate::message::{Message, Original};

/// How many messages are taken in at once.
const MOST: usize = 4096;

impl Shard {
    /// Takes in what has come, in the order in which it was sent.
    pub(super) fn take_in(&mut self, first: (Source, Option<Delivery>)) {
        let (mut next, mut taken) = (Some(first), 0);
        let (mut stale, mut outs) = (Vec::new(), Vec::new());
        while let Some((source, delivery)) = next {
            taken += 1;
            match (source, delivery) {
                (Source::Events(number), None) if number != self.reading.0 => {}
                (_, None) => self.member.fail(ErrorKind::NotSent, "the broker ended the reading of a shard"),
                (Source::Events(_), Some(event)) => self.event(event),
                (source, Some(delivery)) => self.keeping.came(delivery.delivery_tag, (source, delivery)),
            }
            // All that is kept is known before the first event is read.
            while let Some((source, delivery)) = self.keeping.pop() {
                match source {
                    Source::Note => self.note(&delivery, &mut stale),
                    _ => self.kept(delivery, &mut stale, &mut outs),
                }
            }
            next = if taken < MOST { self.streams.next().now_or_never().flatten() } else { None };
        }
        if !stale.is_empty() {
            let desk = Arc::clone(&self.tenure.keeping);
            let finish = async move {
                desk.finish(&stale).await;
            };
            self.jobs.push(finish.boxed());
        }
        self.shift(&outs, Stage::Out);
        self.member.bell.notify_one();
    }

    /// Takes in a note.
    fn note(&mut self, note: &Delivery, stale: &mut Vec<u64>) {
        self.tenure.keeping.came(note.delivery_tag);
        let left = has_left(note);
        self.excused |= left && self.mark.1 > 0;
        match self.note {
            None if !left => self.note = Some(note.delivery_tag),
            _ => stale.push(note.delivery_tag),
        }
    }

    /// Takes in a kept message.
    fn kept(&mut self, delivery: Delivery, stale: &mut Vec<u64>, outs: &mut Vec<Arrival>) {
        let desk = Arc::clone(&self.tenure.keeping);
        desk.came(delivery.delivery_tag);
        let mut message = Message::read(delivery, self.member.shared.config.max_event_size);
        let (tag, label) = (message.tag, message.original.kept());
        let mut state = self.member.state();
        state.moves += 1;
        let place = state.place(message.place);
        let (stage, turn) = label.as_ref().map_or((Stage::Waiting, 0), |label| (label.stage, label.turn));
        if stage == Stage::Mark {
            let id = label.as_ref().map_or(0, |label| label.id);
            self.mark.1 -= u8::from(id == self.mark.0 && self.mark.1 > 0);
            if self.mark.1 == 0 {
                state.shelves[self.number].keys.complete();
            }
            stale.push(tag);
            return;
        }
        let spot = Spot { place, id: label.as_ref().map_or_else(|| message.original.id(), |label| label.id) };
        let lane = match label.as_ref().and_then(|label| label.key.clone()) {
            Some(key) => Lane::Of(key),
            None => lane(&message, spot),
        };
        if self.mark.1 > 0 {
            self.inherited.insert(spot.id);
        }
        let standing = standing(stage, &message, label.as_ref());
        let shelf = &mut state.shelves[self.number];
        let came = shelf.keys.came(&lane, spot, Coming { turn, tag, stage, standing });
        // What it was read as, again and again, is no attempt; that somebody had it and was lost is one.
        message.attempt = message.written;
        let ticket = |turn| Some(Ticket { tenure: Arc::clone(&self.tenure), lane, spot, turn });
        match came {
            Came::Kept => {}
            Came::Stale => stale.push(tag),
            Came::Early => self.early.push(tag),
            Came::Instead(old) => {
                stale.extend(old);
                stale.extend((stage == Stage::Free).then_some(tag));
            }
            Came::Fetched => {
                message.attempt += u32::from(stage == Stage::Out);
                outs.push(Arrival { desk, place, ticket: ticket(turn + 1), message });
            }
            Came::Out => {
                shelf.outs.insert(spot, Arrival { desk, place, ticket: ticket(turn), message });
            }
        }
    }

    /// Takes in an event.
    fn event(&mut self, delivery: Delivery) {
        let desk = Arc::clone(&self.tenure.reading);
        desk.came(delivery.delivery_tag);
        let mut message = Message::read(delivery, self.member.shared.config.max_event_size);
        let mut state = self.member.state();
        state.moves += 1;
        if message.attempt == message.written {
            // What is new was not there when a former owner went; what was comes before it.
            self.inherited.clear();
            self.excused = false;
            self.fresh = true;
        }
        message.attempt -= u32::from(self.excused);
        let is_kept = self.inherited.contains(&message.original.id());
        if is_kept || !self.member.wants(&message) {
            let tag = message.tag;
            let skip = async move {
                desk.finish(&[tag]).await;
            };
            self.jobs.push(skip.boxed());
            return;
        }
        let place = state.place(None);
        let spot = Spot { place, id: message.original.id() };
        let ticket = Ticket { tenure: Arc::clone(&self.tenure), lane: lane(&message, spot), spot, turn: 0 };
        state.shelves[self.number].events.push_back(Arrival { desk, place, ticket: Some(ticket), message });
    }
}

/// Whether a note says that an owner left in peace.
pub(super) fn has_left(note: &Delivery) -> bool {
    let note = Original { properties: note.properties.clone(), ..Original::empty() };
    note.kept().is_some_and(|label| label.stage == Stage::Left)
}

/// How a kept message stands that was not known.
fn standing(stage: Stage, message: &Message, label: Option<&Kept>) -> Standing {
    match stage {
        Stage::Parked => Standing::Parked,
        Stage::Dead => Standing::Dead,
        Stage::Waiting => {
            // The time of day is another one here, perhaps: it makes no delay longer.
            let now = jiff::Timestamp::now().as_millisecond();
            let left = label.map_or(0, |label| label.due.saturating_sub(now));
            let left = Duration::from_millis(u64::try_from(left).unwrap_or(0)).min(message.remaining);
            Standing::Waiting((!left.is_zero()).then(|| Instant::now() + left))
        }
        Stage::Out | Stage::Free | Stage::Mark | Stage::Left => Standing::Waiting(None),
    }
}
