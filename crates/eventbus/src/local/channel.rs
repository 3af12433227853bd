//! A channel: one log for all groups that want the same events, and the room they leave for more.

use super::bell::Bell;
use super::group::{GroupQueue, Parts, Shared};
use super::log::Tail;
use super::sync::{Arc, AtomicU64, Mutex, MutexGuard, lock};
use super::waiters::Waiters;
use crate::event::{AnyEvent, Filter};
use crate::transport::{Group, Overflow};

/// The groups with one set of filters, and their log.
pub(super) struct Channel {
    pub(super) filters: Vec<Filter>,
    pub(super) shared: Arc<Shared>,
    end: Mutex<End>,
}

/// The writing end of a channel.
pub(super) struct End {
    tail: Tail<AnyEvent>,
    groups: Vec<Arc<GroupQueue>>,
    /// Up to here nobody has to be asked: the lowest limit of all groups when they were last asked.
    open_until: u64,
}

/// Why a channel has no room.
pub(super) enum NoRoom {
    /// The group waits for its members.
    Wait(Group),
    /// The group wants publishing to fail.
    Fail(Group),
}

impl Channel {
    pub(super) fn new(filters: Vec<Filter>, quiet: Arc<Waiters>) -> Self {
        let shared =
            Shared { published: AtomicU64::new(0), bell: Bell::new(), room: Waiters::default(), quiet };
        let end = End { tail: Tail::new(), groups: Vec::new(), open_until: 0 };
        Self { filters, shared: Arc::new(shared), end: Mutex::new(end) }
    }

    pub(super) fn wants(&self, source: &str, event_type: &str) -> bool {
        self.filters.iter().any(|filter| filter.matches(source, event_type))
    }

    /// Adds a group: it gets everything that is appended from now on.
    pub(super) fn add(&self, name: Group, parts: Parts) -> Arc<GroupQueue> {
        let mut end = self.lock();
        let group = Arc::new(GroupQueue::new(name, parts, Arc::clone(&self.shared), end.tail.cursor()));
        end.open_until = end.open_until.min(group.limit());
        end.groups.push(Arc::clone(&group));
        group
    }

    /// Removes a group; tells whether it was the last.
    pub(super) fn remove(&self, group: &GroupQueue) -> bool {
        let mut end = self.lock();
        end.groups.retain(|other| other.name != group.name);
        let empty = end.groups.is_empty();
        drop(end);
        self.shared.room.wake();
        self.shared.quiet.wake();
        empty
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, End> {
        lock(&self.end)
    }

    /// Appends events without asking for room.
    pub(super) fn append(&self, end: &mut End, events: &[AnyEvent]) {
        events.iter().for_each(|event| end.tail.append(event.clone()));
        end.tail.publish(&self.shared.published);
        if end.tail.position() > end.open_until {
            let position = end.tail.position();
            end.groups.iter().filter(|group| group.drops()).for_each(|group| group.trim(position));
        }
    }
}

impl End {
    /// How many events may be appended, at least one and at most `wanted`; or which group has no room.
    pub(super) fn room(&mut self, wanted: usize) -> Result<usize, NoRoom> {
        let position = self.tail.position();
        let left = |until: u64| usize::try_from(until.saturating_sub(position)).unwrap_or(usize::MAX);
        if left(self.open_until) >= wanted {
            return Ok(wanted);
        }
        self.open_until = self.groups.iter().map(|group| group.limit()).min().unwrap_or(u64::MAX);
        let keeping = self.groups.iter().filter(|group| !group.drops());
        match keeping.map(|group| (group.limit(), group)).min_by_key(|(limit, _)| *limit) {
            Some((limit, group)) if left(limit) == 0 => Err(match group.spec.overflow {
                Some(Overflow::Fail) => NoRoom::Fail(group.name.clone()),
                _ => NoRoom::Wait(group.name.clone()),
            }),
            Some((limit, _)) => Ok(left(limit).min(wanted)),
            None => Ok(wanted),
        }
    }
}

impl GroupQueue {
    /// Whether its oldest events go when there is no room.
    fn drops(&self) -> bool {
        self.spec.overflow == Some(Overflow::DropOldest)
    }
}
