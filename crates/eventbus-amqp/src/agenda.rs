//! What is published when, and what was taken back: a pure state machine of whoever keeps the queue of what is published
//! later. It reads no clock; all times are in ms since 1970.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use crate::entry::{Entry, Held, State, Why, may_be_out};
use crate::graves::Graves;
use crate::message::Original;
use crate::plan::{Answer, Plan, Request, Stone};

/// How many bytes of bodies are kept; those of other events are in the queue alone until shortly before their time.
const KEPT: usize = 64 << 20;
/// How long before its time such an event comes again with its body, in ms.
const SOON: i64 = 1000;
/// How many bytes of bodies come again before their time, and how many events.
const LARGE: usize = 16 << 20;
const MOST: usize = 4096;
/// How long an event lies in one place, at most: then it goes to the end of the queue. A broker ends the channel of a
/// reader that holds a message for half an hour, and keeps the log of a queue from its oldest message on.
const OLD: i64 = 15 * 60_000;
/// How many messages are held until what was taken back is forgotten early: a broker lets 65,535 be held.
pub(crate) const CROWDED: usize = 64_000;
/// How many are moved at once.
const FEW: usize = 256;

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Act {
    /// A message is done with.
    Ack(u64),
    /// A message goes back to its queue, and comes again.
    Return(u64),
    /// An event goes to the end of its queue.
    Renew(Plan, Box<Original>),
    /// It is written down that a plan was taken back.
    Bury(Stone),
    /// A request is answered.
    Answer(Request, Answer),
}

/// What is planned.
#[derive(Debug)]
pub(crate) struct Agenda {
    /// How long an event lies in one place.
    old: i64,
    /// By the number of the plan.
    entries: HashMap<i64, Entry>,
    /// The plan of each event that can be replaced and taken back.
    ids: HashMap<String, i64>,
    /// What waits, by time, place and number.
    order: BTreeSet<(i64, i64, i64)>,
    /// Those of them whose bodies are in the queue alone.
    asleep: BTreeSet<(i64, i64, i64)>,
    /// Those that were refused, on their way again or not.
    refused: HashSet<i64>,
    /// Since when messages lie where they are, by number.
    ages: VecDeque<(i64, i64)>,
    graves: Graves,
    /// Requests whose graves are being dug, by the number of the plan.
    mourners: HashMap<i64, Vec<(u64, Request)>>,
    /// Requests that came before everything had been read.
    early: Option<Vec<(u64, Request)>>,
    /// The bodies that are here, and that come again.
    held: Held,
    acts: Vec<Act>,
}

impl Agenda {
    /// For a reader that may hold a message for so long, in ms, until the broker ends its channel.
    pub(crate) fn new(limit: i64) -> Self {
        Self {
            old: OLD.min(limit / 3),
            entries: HashMap::new(),
            ids: HashMap::new(),
            order: BTreeSet::new(),
            asleep: BTreeSet::new(),
            refused: HashSet::new(),
            ages: VecDeque::new(),
            graves: Graves::default(),
            mourners: HashMap::new(),
            early: Some(Vec::new()),
            held: Held::default(),
            acts: Vec::new(),
        }
    }

    /// Whether everything has been read that was there; nothing is published or taken back before.
    pub(crate) fn is_read(&self) -> bool {
        self.early.is_none()
    }

    /// How many events are planned.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many messages are held.
    pub(crate) fn messages(&self) -> usize {
        let requests = self.early.as_ref().map_or(0, Vec::len);
        let requests = requests + self.mourners.values().map(Vec::len).sum::<usize>();
        self.entries.len() + self.graves.len() + requests
    }

    /// What is to be done, in order.
    pub(crate) fn acts(&mut self) -> Vec<Act> {
        std::mem::take(&mut self.acts)
    }

    /// An event came.
    pub(crate) fn event(&mut self, tag: u64, (plan, original): (Plan, Box<Original>), now: i64) {
        let number = plan.number;
        if self.entries.contains_key(&number) {
            self.came_again(tag, (plan, original), now);
        } else if self.graves.covers(number, now) || !self.makes_room(&plan) {
            self.acts.push(Act::Ack(tag));
        } else {
            self.ids.insert(plan.id.clone(), number);
            let mut entry = Entry::new(plan, tag, (original.size(), now));
            let place = entry.spot();
            self.order.insert(place);
            if self.held.kept < KEPT {
                entry.hold(Why::HasRoom, &mut self.held);
                entry.body = Some(original);
            } else {
                self.asleep.insert(place);
            }
            self.entries.insert(number, entry);
            self.age(number);
        }
    }

    /// An event that was given back, or its copy at the end of the queue.
    fn came_again(&mut self, tag: u64, (plan, original): (Plan, Box<Original>), now: i64) {
        let number = plan.number;
        let Some(entry) = self.entries.get_mut(&number) else { return };
        if entry.state == State::Gone {
            self.entries.remove(&number);
            self.graves.covers(number, now);
            self.graves.done(number);
            self.acts.push(Act::Ack(tag));
            return;
        }
        entry.since = now;
        let old = entry.tag.replace(tag);
        if old.is_some() {
            entry.is_copied = false;
            entry.may_be_out |= may_be_out(&plan, now);
        } else {
            entry.release(&mut self.held);
        }
        self.acts.extend(old.map(Act::Ack));
        if entry.state != State::Waits {
            return;
        }
        if entry.held == Some(Why::HasRoom) {
            self.age(number);
            return;
        }
        if entry.plan.due <= now + SOON {
            entry.hold(Why::IsNear, &mut self.held);
            entry.body = Some(original);
        } else if old.is_none() {
            // Its time may come before the copy does.
            entry.hold(Why::IsNear, &mut self.held);
            entry.body = Some(original.clone());
            entry.is_copied = true;
            self.acts.push(Act::Renew(entry.plan.clone(), original));
        } else {
            entry.release(&mut self.held);
            self.asleep.insert(entry.spot());
            self.age(number);
        }
    }

    /// The plan that came last for an event is the one that counts. Tells whether that is this one.
    fn makes_room(&mut self, plan: &Plan) -> bool {
        let Some(other) = self.ids.get(&plan.id).copied() else { return true };
        // What comes again comes in any order, and a copy comes later than what it is a copy of.
        let is_older = self.entries.get(&other).is_some_and(|other| plan.place < other.plan.place);
        if is_older && (plan.is_copy || !self.is_read()) {
            return false;
        }
        self.drop(other);
        true
    }

    fn age(&mut self, number: i64) {
        let Some(entry) = self.entries.get(&number) else { return };
        // Others are gone before that.
        if entry.plan.due > entry.since + self.old {
            self.ages.push_back((entry.since, number));
        }
    }

    /// Takes an event out of all that can be published, replaced and taken back.
    fn retire(&mut self, number: i64, state: State) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        let place = entry.spot();
        self.order.remove(&place);
        self.asleep.remove(&place);
        if self.ids.get(&entry.plan.id) == Some(&number) {
            self.ids.remove(&entry.plan.id);
        }
        entry.state = state;
        if state != State::IsPublished {
            self.refused.remove(&number);
        }
    }

    /// An event is done with.
    fn drop(&mut self, number: i64) {
        self.retire(number, State::Gone);
        self.finish(number);
    }

    /// Acknowledges an event, and remembers it for as long as it may come again.
    fn finish(&mut self, number: i64) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        entry.release(&mut self.held);
        entry.state = State::Gone;
        self.refused.remove(&number);
        if let Some(tag) = entry.tag.take() {
            self.acts.push(Act::Ack(tag));
            if !entry.is_copied {
                self.entries.remove(&number);
                self.graves.done(number);
            }
        }
    }

    /// A request came. What is due is not taken back: whoever kept the queue before may have published it.
    pub(crate) fn request(&mut self, tag: u64, request: Request, now: i64) {
        if let Some(early) = &mut self.early {
            early.push((tag, request));
            return;
        }
        if self.graves.was_dug_by(&request.name) {
            return self.answer(tag, request, Answer::TakenBack);
        }
        let asked = |(_, other): &(u64, Request)| other.name == request.name;
        if let Some(mourners) = self.mourners.values_mut().find(|mourners| mourners.iter().any(asked)) {
            mourners.push((tag, request));
            return;
        }
        let number = self.ids.get(&request.id).copied();
        let entry = number.and_then(|number| self.entries.get(&number));
        match entry.filter(|entry| entry.plan.due > now && !entry.may_be_out).map(|entry| entry.plan.number) {
            None => self.answer(tag, request, Answer::NotThere),
            Some(number) => {
                self.retire(number, State::IsBuried);
                let stone = Stone { id: request.id.clone(), number, by: request.name.clone() };
                self.acts.push(Act::Bury(stone));
                self.mourners.insert(number, vec![(tag, request)]);
            }
        }
    }

    fn answer(&mut self, tag: u64, request: Request, answer: Answer) {
        self.acts.extend([Act::Answer(request, answer), Act::Ack(tag)]);
    }

    /// It came that a plan was taken back: from now on nobody publishes it, whoever keeps the queue.
    pub(crate) fn stone(&mut self, tag: u64, stone: Stone, now: i64) {
        let Stone { number, by, .. } = stone;
        self.acts.extend(self.graves.dig(number, (tag, by), now).map(Act::Ack));
        if self.entries.get(&number).is_some_and(|entry| entry.state != State::IsPublished) {
            self.drop(number);
        }
        for (tag, request) in self.mourners.remove(&number).unwrap_or_default() {
            self.answer(tag, request, Answer::TakenBack);
        }
    }

    /// Everything has been read that was there.
    pub(crate) fn read(&mut self, now: i64) {
        for (tag, request) in self.early.take().unwrap_or_default() {
            self.request(tag, request, now);
        }
    }

    /// Time has passed: bodies are fetched, old messages moved, what was taken back forgotten.
    pub(crate) fn tick(&mut self, now: i64) {
        if self.is_read() {
            self.fetch(now);
            self.renew(now);
            self.fade(now);
        }
    }

    /// Has those come again whose time is near, the next one in any case.
    fn fetch(&mut self, now: i64) {
        while let Some(place) = self.asleep.first().copied()
            && place.0 <= now + SOON
            && (self.has_room() || self.order.first() == Some(&place))
        {
            self.recall(place);
        }
    }

    /// Whether there is room for bodies that come again.
    fn has_room(&self) -> bool {
        self.held.near < LARGE && self.held.count < MOST
    }

    /// Has an event come again with its body.
    fn recall(&mut self, place: (i64, i64, i64)) {
        let (_, _, number) = place;
        if let Some(entry) = self.entries.get_mut(&number).filter(|_| self.asleep.remove(&place))
            && let Some(tag) = entry.tag.take()
        {
            entry.hold(Why::IsNear, &mut self.held);
            self.acts.push(Act::Return(tag));
        }
    }

    /// Has those come again that have lain in one place for long, to move them.
    fn renew(&mut self, now: i64) {
        let end = now - self.old;
        let old = |(since, _): &(i64, i64)| *since <= end;
        for _ in 0..FEW {
            let Some((since, number)) = self.ages.front().copied().filter(old) else { return };
            self.ages.pop_front();
            let is_there = |entry: &&mut Entry| entry.since == since && entry.state == State::Waits;
            let has_room = self.has_room();
            let Some(entry) = self.entries.get_mut(&number).filter(is_there) else { continue };
            if let Some(original) = entry.body.clone() {
                entry.is_copied = true;
                self.acts.push(Act::Renew(entry.plan.clone(), original));
            } else if has_room {
                let place = entry.spot();
                self.recall(place);
            } else {
                self.ages.push_front((since, number));
                return;
            }
        }
    }

    /// Forgets what was taken back long ago, and more where there is hardly room to read on; none whose event is not gone.
    fn fade(&mut self, now: i64) {
        let excess = self.messages().saturating_sub(CROWDED);
        let faded = self.graves.fade((now, excess), |number| self.entries.contains_key(&number));
        self.acts.extend(faded.into_iter().map(Act::Ack));
    }

    /// Takes the events whose time has come, in order.
    pub(crate) fn due(&mut self, now: i64) -> Vec<(i64, Box<Original>)> {
        let mut due = Vec::new();
        while self.is_read()
            && due.len() < MOST
            && let Some((time, _, number)) = self.order.first().copied()
            && time <= now
            && let Some(original) = self.entries.get_mut(&number).and_then(|entry| entry.body.take())
        {
            self.retire(number, State::IsPublished);
            due.push((number, original));
        }
        due
    }

    /// An event was published.
    pub(crate) fn published(&mut self, number: i64) {
        self.finish(number);
    }

    /// An event was not published, for all that is known: it is tried again.
    pub(crate) fn failed(&mut self, number: i64, original: Box<Original>) {
        let Some(entry) = self.entries.get_mut(&number) else { return };
        entry.state = State::Waits;
        entry.body = Some(original);
        self.order.insert(entry.spot());
    }

    /// An event was refused by somebody who wants it: it is tried again after a pause, and holds up no other.
    pub(crate) fn refused(&mut self, number: i64, original: Box<Original>, now: i64) {
        if let Some(entry) = self.entries.get_mut(&number) {
            entry.rest(now);
            self.refused.insert(number);
            self.failed(number, original);
        }
    }

    /// Whether events wait that were refused.
    pub(crate) fn is_refused(&self) -> bool {
        !self.refused.is_empty()
    }

    /// When the next event is due.
    pub(crate) fn next(&self) -> Option<i64> {
        self.order.first().map(|(due, _, _)| *due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::SKEW;
    use crate::graves::REMEMBERED;

    const NOW: i64 = 1_800_000_000_000;
    const HOUR: i64 = 3_600_000;
    const NONE: [i64; 0] = [];

    fn event(id: &str, (number, due): (i64, i64)) -> (Plan, Box<Original>) {
        sized(id, (number, due), 10)
    }

    fn sized(id: &str, (number, due): (i64, i64), size: usize) -> (Plan, Box<Original>) {
        let plan = Plan { id: id.to_owned(), number, due, place: number, is_copy: false, was_read: false };
        let body = vec![0; size].into();
        let route = "shop.parcel".to_owned();
        (plan, Box::new(Original { properties: Default::default(), route, body }))
    }

    fn request(id: &str, name: &str) -> Request {
        Request { id: id.to_owned(), name: name.to_owned(), answers: "answers".to_owned() }
    }

    fn stone(id: &str, number: i64, by: &str) -> Stone {
        Stone { id: id.to_owned(), number, by: by.to_owned() }
    }

    /// One that has read everything.
    fn read() -> Agenda {
        let mut agenda = Agenda::new(2 * HOUR);
        agenda.read(NOW);
        agenda
    }

    /// What is to be done, as text.
    fn acts(agenda: &mut Agenda) -> String {
        let told = |act| match act {
            Act::Ack(tag) => format!("ack {tag}"),
            Act::Return(tag) => format!("return {tag}"),
            Act::Renew(plan, _) => format!("renew {}", plan.number),
            Act::Bury(stone) => format!("bury {} by {}", stone.number, stone.by),
            Act::Answer(request, answer) => format!("{} {}", request.name, answer == Answer::TakenBack),
        };
        agenda.acts().into_iter().map(told).collect::<Vec<_>>().join(", ")
    }

    fn due(agenda: &mut Agenda, now: i64) -> Vec<i64> {
        agenda.tick(now);
        agenda.due(now).into_iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn events_go_out_by_time_and_then_by_place() {
        let mut agenda = read();
        let all = [("a", 1, 30), ("b", 2, 10), ("c", 3, 10), ("d", 5, 20), ("e", 4, 20)];
        for (tag, (id, number, after)) in (1..).zip(all) {
            agenda.event(tag, event(id, (number, NOW + after)), NOW);
        }
        assert_eq!(due(&mut agenda, NOW + 9), NONE);
        assert_eq!(due(&mut agenda, NOW + 20), [2, 3, 4, 5]);
        assert_eq!(acts(&mut agenda), "", "nothing is acknowledged before it is published");
        [4, 2].into_iter().for_each(|number| agenda.published(number));
        assert_eq!(acts(&mut agenda), "ack 5, ack 2");
        agenda.failed(3, event("c", (3, NOW + 10)).1);
        assert_eq!(due(&mut agenda, NOW + 30), [3, 1], "what failed is tried again");
    }

    /// Each try reaches those again that did not refuse the event.
    #[test]
    fn what_is_refused_rests_for_longer_each_time_and_holds_up_no_other() {
        let mut agenda = read();
        agenda.event(1, event("a", (1, NOW)), NOW);
        agenda.event(2, event("b", (2, NOW + 1)), NOW);
        assert_eq!(due(&mut agenda, NOW), [1]);
        let mut now = NOW;
        for pause in [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000] {
            agenda.refused(1, event("a", (1, NOW)).1, now);
            assert!(agenda.is_refused());
            if now == NOW {
                assert_eq!(due(&mut agenda, NOW + 1), [2]);
                agenda.published(2);
            }
            assert_eq!(agenda.next(), Some(now + pause));
            assert_eq!(due(&mut agenda, now + pause - 1), NONE);
            now += pause;
            assert_eq!(due(&mut agenda, now), [1]);
            assert!(agenda.is_refused(), "until it has gone");
        }
        agenda.published(1);
        assert_eq!((acts(&mut agenda).as_str(), agenda.is_refused()), ("ack 2, ack 1", false));
    }

    #[test]
    fn nothing_goes_out_or_is_answered_before_everything_was_read() {
        let mut agenda = Agenda::new(2 * HOUR);
        agenda.request(1, request("a", "r"), NOW);
        agenda.event(2, event("b", (2, NOW)), NOW);
        assert_eq!(due(&mut agenda, NOW + 1), NONE);
        agenda.event(3, event("a", (1, NOW + HOUR)), NOW);
        assert_eq!(acts(&mut agenda), "");
        agenda.read(NOW + 1);
        assert_eq!(acts(&mut agenda), "bury 1 by r");
        assert_eq!(due(&mut agenda, NOW + 1), [2]);
    }

    #[test]
    fn an_answer_waits_until_it_is_written_down() {
        let mut agenda = read();
        agenda.event(1, event("a", (7, NOW + 50)), NOW);
        agenda.request(2, request("a", "r"), NOW);
        agenda.request(3, request("a", "r"), NOW);
        agenda.request(4, request("a", "other"), NOW);
        assert_eq!(acts(&mut agenda), "bury 7 by r, other false, ack 4");
        assert_eq!(due(&mut agenda, NOW + 60), NONE, "it is not published meanwhile");
        agenda.stone(5, stone("a", 7, "r"), NOW);
        assert_eq!(acts(&mut agenda), "ack 1, r true, ack 2, r true, ack 3");
        agenda.request(6, request("a", "r"), NOW);
        assert_eq!(acts(&mut agenda), "r true, ack 6", "whoever asks again is told the same");
        agenda.tick(NOW + REMEMBERED);
        assert_eq!(acts(&mut agenda), "ack 5");
    }

    /// Acknowledgements die with a broker; what was written down does not. What comes again comes in any order.
    #[test]
    fn what_was_taken_back_stays_so_for_the_next_keeper() {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut agenda = Agenda::new(2 * HOUR);
            for (tag, what) in (1..).zip(order) {
                match what {
                    0 => agenda.event(tag, event("a", (7, NOW + 50)), NOW),
                    1 => agenda.request(tag, request("a", "r"), NOW),
                    _ => agenda.stone(tag, stone("a", 7, "r"), NOW),
                }
            }
            agenda.read(NOW);
            let done = acts(&mut agenda);
            assert!(done.contains("r true") && !done.contains("bury"), "{order:?}: {done}");
            assert_eq!(due(&mut agenda, NOW + HOUR / 100), NONE, "{order:?}");
            // Planned again after that, it is another plan.
            agenda.event(4, event("a", (8, NOW + 60)), NOW);
            assert_eq!(due(&mut agenda, NOW + 60), [8]);
        }
    }

    #[test]
    fn what_is_due_or_unknown_is_not_taken_back() {
        let mut agenda = Agenda::new(2 * HOUR);
        agenda.event(1, event("a", (7, NOW)), NOW);
        agenda.read(NOW);
        agenda.request(2, request("a", "r"), NOW);
        agenda.request(3, request("b", "s"), NOW);
        assert_eq!(acts(&mut agenda), "r false, ack 2, s false, ack 3");
        assert_eq!(due(&mut agenda, NOW), [7]);
    }

    /// The clock of whoever kept the queue before may have been ahead.
    #[test]
    fn what_another_may_have_published_is_not_taken_back() {
        let again = |id, (number, due)| {
            let (plan, original) = event(id, (number, due));
            (Plan { was_read: true, ..plan }, original)
        };
        let mut agenda = Agenda::new(HOUR);
        agenda.event(1, again("near", (1, NOW + SKEW)), NOW);
        agenda.event(2, again("far", (2, NOW + SKEW + 1)), NOW);
        agenda.event(3, event("new", (3, NOW + SKEW)), NOW);
        agenda.event(4, copy("copied", (4, NOW + SKEW)), NOW);
        agenda.event(5, again("copied", (4, NOW + SKEW)), NOW);
        agenda.read(NOW);
        [(6, "near"), (7, "far"), (8, "new"), (9, "copied")]
            .into_iter()
            .for_each(|(tag, id)| agenda.request(tag, request(id, id), NOW + 1));
        assert_eq!(
            acts(&mut agenda),
            "ack 4, near false, ack 6, bury 2 by far, bury 3 by new, copied false, ack 9"
        );
        assert_eq!(due(&mut agenda, NOW + SKEW), [1, 4]);
    }

    #[test]
    fn the_last_plan_of_an_event_counts() {
        let mut agenda = read();
        agenda.event(1, event("a", (9, NOW + 10)), NOW);
        agenda.event(2, event("a", (8, NOW + 20)), NOW);
        assert_eq!(acts(&mut agenda), "ack 1", "what came last, whatever the clocks say");
        assert_eq!(due(&mut agenda, NOW + 30), [8]);
        for order in [[1, 2], [2, 1]] {
            let mut agenda = Agenda::new(2 * HOUR);
            for number in order {
                agenda.event(number as u64, event("a", (number, NOW + 10 * number)), NOW);
            }
            agenda.read(NOW);
            assert_eq!((acts(&mut agenda).as_str(), due(&mut agenda, NOW + 30)), ("ack 1", vec![2]));
        }
    }

    #[test]
    fn bodies_beyond_the_room_come_again_shortly_before_their_time() {
        let mut agenda = read();
        let large = |number| sized(&format!("{number}"), (number, NOW + HOUR / 10 + number), KEPT);
        (1..=2).for_each(|number| agenda.event(number as u64, large(number), NOW));
        agenda.tick(NOW + HOUR / 10 - SOON - 1);
        assert_eq!(acts(&mut agenda), "");
        let near = NOW + HOUR / 10 - SOON + 2;
        agenda.tick(near);
        assert_eq!(acts(&mut agenda), "return 2");
        assert_eq!(due(&mut agenda, NOW + HOUR / 10 + 2), [1], "the other is awaited");
        agenda.event(3, large(2), near);
        assert_eq!(due(&mut agenda, NOW + HOUR / 10 + 2), [2]);
        (1..=2).for_each(|number| agenda.published(number));
        assert_eq!(acts(&mut agenda), "ack 1, ack 3");
        assert_eq!((agenda.len(), agenda.held.kept, agenda.held.near, agenda.held.count), (0, 0, 0, 0));
    }

    #[test]
    fn what_is_taken_back_while_it_comes_again_is_done_with_when_it_has_come() {
        let mut agenda = read();
        let large = |number| sized(&format!("{number}"), (number, NOW + SOON), KEPT);
        (1..=2).for_each(|number| agenda.event(number as u64, large(number), NOW));
        agenda.tick(NOW);
        agenda.request(9, request("2", "r"), NOW);
        assert_eq!(acts(&mut agenda), "return 2, bury 2 by r");
        agenda.stone(10, stone("2", 2, "r"), NOW);
        assert_eq!(acts(&mut agenda), "r true, ack 9");
        agenda.tick(NOW + REMEMBERED);
        assert_eq!(acts(&mut agenda), "", "it is remembered until then");
        agenda.event(11, large(2), NOW);
        assert_eq!(acts(&mut agenda), "ack 11");
        assert_eq!((agenda.len(), agenda.held.near, agenda.held.count), (1, 0, 0));
    }

    #[test]
    fn old_messages_move_to_the_end_of_their_queue() {
        let mut agenda = read();
        agenda.event(1, sized("a", (1, NOW + HOUR), KEPT), NOW);
        agenda.event(2, event("b", (2, NOW + HOUR)), NOW);
        agenda.tick(NOW + OLD);
        assert_eq!(acts(&mut agenda), "renew 1, return 2");
        agenda.event(3, event("b", (2, NOW + HOUR)), NOW + OLD);
        agenda.event(4, sized("a", (1, NOW + HOUR), KEPT), NOW + OLD);
        agenda.event(5, event("b", (2, NOW + HOUR)), NOW + OLD);
        assert_eq!(acts(&mut agenda), "renew 2, ack 1, ack 3", "the copy is there before the old one goes");
        agenda.tick(NOW + 2 * OLD);
        assert_eq!(acts(&mut agenda), "renew 1, return 5", "and again");
    }

    #[test]
    fn what_comes_due_while_it_moves_goes_out_and_holds_up_no_other() {
        let mut agenda = read();
        let time = NOW + OLD + 5 * SOON;
        agenda.event(1, sized("a", (1, time + 1), KEPT), NOW);
        [2, 3].into_iter().for_each(|number| {
            agenda.event(number as u64, event(&format!("{number}"), (number, time)), NOW);
        });
        agenda.tick(NOW + OLD);
        [(4, 2), (5, 3)].into_iter().for_each(|(tag, number)| {
            agenda.event(tag, event(&format!("{number}"), (number, time)), NOW + OLD);
        });
        assert_eq!(acts(&mut agenda), "renew 1, return 2, return 3, renew 2, renew 3");
        agenda.event(6, copy("3", (3, time)), NOW + OLD);
        assert_eq!((acts(&mut agenda).as_str(), agenda.held.count), ("ack 5", 1), "its body is not kept");
        agenda.tick(time - SOON);
        agenda.event(7, copy("3", (3, time)), time - SOON);
        assert_eq!(due(&mut agenda, time + 1), [2, 3, 1]);
        (1..=3).for_each(|number| agenda.published(number));
        assert_eq!(acts(&mut agenda), "return 6, ack 1, ack 4, ack 7");
        agenda.event(8, copy("2", (2, time)), time + 1);
        agenda.event(9, copy("a", (1, time + 1)), time + 1);
        assert_eq!(acts(&mut agenda), "ack 8, ack 9");
        assert_eq!((agenda.len(), agenda.held.kept, agenda.held.near, agenda.held.count), (0, 0, 0, 0));
    }

    #[test]
    fn what_was_taken_back_makes_room_to_read_on() {
        let mut agenda = read();
        agenda.event(1, event("a", (1, NOW + HOUR)), NOW);
        agenda.tick(NOW + OLD);
        agenda.request(2, request("a", "r"), NOW + OLD);
        agenda.stone(3, stone("a", 1, "r"), NOW + OLD);
        for number in 10..CROWDED as i64 + 11 {
            agenda.stone(number as u64, stone("", number, &number.to_string()), NOW + OLD);
        }
        agenda.acts();
        assert_eq!((agenda.len(), agenda.messages()), (1, CROWDED + 3));
        agenda.tick(NOW + OLD);
        assert_eq!(acts(&mut agenda), "ack 10, ack 11, ack 12", "a copy of the event may still come");
        agenda.event(4, copy("a", (1, NOW + HOUR)), NOW + OLD);
        assert_eq!((acts(&mut agenda).as_str(), agenda.len()), ("ack 4", 0));
    }

    /// A copy as it came.
    fn copy(id: &str, (number, due): (i64, i64)) -> (Plan, Box<Original>) {
        let (plan, original) = event(id, (number, due));
        (Plan { is_copy: true, ..plan }, original)
    }

    /// Whoever does not know whether a copy was stored writes it again: then there are two.
    #[test]
    fn a_copy_too_many_replaces_and_revives_nothing() {
        let mut agenda = read();
        let (first, other) = (NOW + OLD + 10, NOW + OLD + 11);
        agenda.event(1, event("published", (1, first)), NOW);
        agenda.event(2, event("replaced", (2, first)), NOW);
        agenda.tick(NOW + OLD);
        [(3, "published", 1), (4, "replaced", 2)]
            .into_iter()
            .for_each(|(tag, id, number)| agenda.event(tag, copy(id, (number, first)), NOW + OLD));
        agenda.event(5, event("replaced", (5, other)), NOW + OLD);
        assert_eq!(acts(&mut agenda), "renew 1, renew 2, ack 1, ack 2, ack 4");
        agenda.event(6, copy("replaced", (2, first)), NOW + OLD);
        assert_eq!(due(&mut agenda, first), [1]);
        agenda.published(1);
        agenda.event(7, copy("published", (1, first)), first);
        assert_eq!(acts(&mut agenda), "ack 6, ack 3, ack 7");
        assert_eq!(due(&mut agenda, other), [5]);
        // Whoever keeps the queue next knows none of the numbers.
        let mut next = read();
        next.event(1, event("replaced", (5, other)), NOW);
        next.event(2, copy("replaced", (2, first)), NOW);
        assert_eq!((acts(&mut next).as_str(), due(&mut next, other)), ("ack 2", vec![5]));
    }

    #[test]
    fn what_was_taken_back_is_remembered_for_longer_when_a_copy_of_it_came() {
        let mut agenda = read();
        agenda.event(1, event("a", (1, NOW + HOUR)), NOW);
        agenda.request(2, request("a", "r"), NOW);
        agenda.stone(3, stone("a", 1, "r"), NOW);
        assert_eq!(acts(&mut agenda), "bury 1 by r, ack 1, r true, ack 2");
        agenda.event(4, copy("a", (1, NOW + HOUR)), NOW + REMEMBERED - 1);
        agenda.tick(NOW + REMEMBERED);
        assert_eq!(acts(&mut agenda), "ack 4");
        agenda.tick(NOW + 2 * REMEMBERED - 1);
        assert_eq!(acts(&mut agenda), "ack 3");
    }

    #[test]
    fn a_broker_that_waits_less_has_old_messages_move_sooner() {
        let mut agenda = Agenda::new(60_000);
        agenda.read(NOW);
        agenda.event(1, event("a", (1, NOW + HOUR)), NOW);
        agenda.tick(NOW + 19_999);
        assert_eq!(acts(&mut agenda), "");
        agenda.tick(NOW + 20_000);
        assert_eq!(acts(&mut agenda), "renew 1");
    }

    /// A copy that is still on its way must not come to life when the rest is forgotten.
    #[test]
    fn what_is_taken_back_while_it_moves_never_goes_out() {
        let mut agenda = read();
        agenda.event(1, event("a", (1, NOW + HOUR)), NOW);
        agenda.tick(NOW + OLD);
        agenda.request(2, request("a", "r"), NOW + OLD);
        agenda.stone(3, stone("a", 1, "r"), NOW + OLD);
        assert_eq!(acts(&mut agenda), "renew 1, bury 1 by r, ack 1, r true, ack 2");
        agenda.tick(NOW + 2 * OLD);
        agenda.event(4, event("a", (1, NOW + HOUR)), NOW + 2 * OLD);
        assert_eq!(acts(&mut agenda), "ack 4");
        assert_eq!(due(&mut agenda, NOW + 2 * HOUR), NONE);
        agenda.tick(NOW + 3 * OLD);
        assert_eq!(acts(&mut agenda), "ack 3");
        assert_eq!(agenda.len(), 0);
    }
}
