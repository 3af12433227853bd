//! Which groups there are, and which channels want an event: found once per type, then remembered.

use dashmap::DashMap;
use foldhash::fast::RandomState;

use super::channel::Channel;
use super::group::{GroupQueue, Parts};
use super::sync::{Arc, AtomicU64, Mutex, Ordering, lock};
use super::waiters::Waiters;
use crate::event::{AnyEvent, EventType, Filter, Source};
use crate::transport::{Backlog, Group};

/// Types are open, so what is remembered of them is bounded; beyond it everything is found again.
const MOST_ROUTES: usize = 10_000;

/// The groups and channels of a transport.
pub(super) struct Registry {
    groups: DashMap<Group, Registered, RandomState>,
    /// Changes one at a time; publishers never take it unless they see a type for the first time.
    channels: Mutex<Channels>,
    /// Counts changes of the channels: a route that was found before the latest one is found anew.
    generation: AtomicU64,
    routes: DashMap<EventType, Vec<(Source, Arc<Route>)>, RandomState>,
    quiet: Arc<Waiters>,
}

#[derive(Clone)]
struct Registered {
    queue: Arc<GroupQueue>,
    channel: Arc<Channel>,
}

/// Oldest first, which is also the order several are locked in.
#[derive(Default)]
struct Channels {
    list: Vec<Arc<Channel>>,
}

/// The channels that want events of one address, in the order they are locked in.
pub(super) struct Route {
    generation: u64,
    pub(super) channels: Box<[Arc<Channel>]>,
}

impl Route {
    fn is_like(&self, other: &Self) -> bool {
        let same = |(one, two): (&Arc<Channel>, &Arc<Channel>)| Arc::ptr_eq(one, two);
        self.channels.len() == other.channels.len() && self.channels.iter().zip(&other.channels).all(same)
    }
}

impl Registry {
    pub(super) fn new(quiet: Arc<Waiters>) -> Self {
        let (groups, routes) = (DashMap::default(), DashMap::default());
        Self { groups, channels: Mutex::default(), generation: AtomicU64::new(0), routes, quiet }
    }

    pub(super) fn find(&self, group: &Group) -> Option<Arc<GroupQueue>> {
        self.groups.get(group).map(|found| Arc::clone(&found.queue))
    }

    pub(super) fn groups(&self) -> Vec<Arc<GroupQueue>> {
        self.groups.iter().map(|group| Arc::clone(&group.queue)).collect()
    }

    /// Tells whether no group with members has anything to do, and something else holds too.
    ///
    /// Groups are looked at one after the other, so a handler of a busy one may meanwhile have published to one that was
    /// found idle: the answer counts only when nothing was published in between.
    pub(super) fn is_idle(&self, also: impl FnOnce() -> bool) -> bool {
        let mut groups: Vec<Registered> = self.groups.iter().map(|group| group.value().clone()).collect();
        groups.retain(|group| group.queue.backlog().members > 0);
        let logs = || groups.iter().map(|group| group.channel.shared.published.load(Ordering::SeqCst));
        let before: u64 = logs().sum();
        let busy = |left: Backlog| left.members > 0 && left.queued + left.in_flight + left.waiting > 0;
        !groups.iter().any(|group| busy(group.queue.backlog())) && also() && logs().sum::<u64>() == before
    }

    /// The queues of a group: one, but for a broadcast, whose instances have one each.
    pub(super) fn queues(&self, group: &Group) -> Vec<Arc<GroupQueue>> {
        let of = self.groups.iter().filter(|queue| queue.queue.spec.group == *group);
        of.map(|queue| Arc::clone(&queue.queue)).collect()
    }

    /// Finds a group or creates it, and lets a member join before anybody can remove it; when this returns, every
    /// publish that starts later reaches it.
    pub(super) fn enter<T>(
        &self,
        name: &Group,
        parts: impl FnOnce() -> Parts,
        join: impl FnOnce(Arc<GroupQueue>) -> T,
    ) -> T {
        let mut channels = lock(&self.channels);
        join(self.find(name).unwrap_or_else(|| self.create(&mut channels, name, parts())))
    }

    fn create(&self, channels: &mut Channels, name: &Group, parts: Parts) -> Arc<GroupQueue> {
        let channel = channels.with(&parts.spec.filters, &self.quiet);
        let queue = channel.add(name.clone(), parts);
        self.groups.insert(name.clone(), Registered { queue: Arc::clone(&queue), channel });
        self.generation.fetch_add(1, Ordering::SeqCst);
        queue
    }

    /// Removes a group without members, and its channel when no other group uses it.
    pub(super) fn remove(&self, name: &Group) -> Option<Arc<GroupQueue>> {
        let mut channels = lock(&self.channels);
        let idle = |_: &Group, group: &Registered| group.queue.backlog().members == 0;
        let (_, Registered { queue, channel }) = self.groups.remove_if(name, idle)?;
        if channel.remove(&queue) {
            channels.list.retain(|other| !Arc::ptr_eq(other, &channel));
        }
        self.generation.fetch_add(1, Ordering::SeqCst);
        Some(queue)
    }

    /// Waits for publishers that are storing at this moment.
    pub(super) fn settle_publishers(&self) {
        let channels = lock(&self.channels).list.clone();
        channels.iter().for_each(|channel| drop(channel.lock()));
    }

    /// The channels that want the first of some events, and how many of them in a row the same channels want.
    pub(super) fn route_run(&self, events: &[AnyEvent]) -> (Arc<Route>, usize) {
        let route = self.route(&events[0]);
        let mut last = &events[0];
        let mut len = 1;
        for event in &events[1..] {
            let same = event.event_type() == last.event_type() && event.source() == last.source();
            if !same && !route.is_like(&self.route(event)) {
                break;
            }
            last = event;
            len += 1;
        }
        (route, len)
    }

    /// The channels that want an event.
    pub(super) fn route(&self, event: &AnyEvent) -> Arc<Route> {
        // Read before the channels are: a route can only be remembered as older than it is.
        let generation = self.generation.load(Ordering::SeqCst);
        let (source, event_type) = (event.source(), event.event_type());
        if let Some(known) = self.routes.get(event_type) {
            let route = known.iter().find(|(of, route)| of == source && route.generation == generation);
            if let Some((_, route)) = route {
                return Arc::clone(route);
            }
        }
        let route = Arc::new(Route { generation, channels: self.matching(source, event_type) });
        self.remember(event, &route);
        route
    }

    fn matching(&self, source: &Source, event_type: &EventType) -> Box<[Arc<Channel>]> {
        let channels = lock(&self.channels);
        let wanting =
            channels.list.iter().filter(|channel| channel.wants(source.as_str(), event_type.as_str()));
        wanting.cloned().collect()
    }

    fn remember(&self, event: &AnyEvent, route: &Arc<Route>) {
        if self.routes.len() >= MOST_ROUTES {
            self.routes.clear();
        }
        let mut known = self.routes.entry(event.event_type().clone()).or_default();
        known.retain(|(of, old)| of != event.source() && old.generation == route.generation);
        known.push((event.source().clone(), Arc::clone(route)));
    }
}

impl Channels {
    /// The channel with these filters, an old one or a new one.
    fn with(&mut self, filters: &[Filter], quiet: &Arc<Waiters>) -> Arc<Channel> {
        if let Some(found) = self.list.iter().find(|channel| channel.filters == filters) {
            return Arc::clone(found);
        }
        let channel = Arc::new(Channel::new(filters.to_vec(), Arc::clone(quiet)));
        self.list.push(Arc::clone(&channel));
        channel
    }
}
