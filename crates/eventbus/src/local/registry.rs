//! Which groups there are, and which channels want an event: found once per type, then remembered.

use dashmap::DashMap;
use foldhash::fast::RandomState;

use super::channel::Channel;
use super::group::{GroupQueue, Parts};
use super::sync::{Arc, AtomicU64, Mutex, Ordering, lock};
use super::waiters::Waiters;
use crate::event::{AnyEvent, EventType, Filter, Source};
use crate::transport::Group;

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

    /// Finds a group or creates it; when this returns, every publish that starts later reaches it.
    pub(super) fn create(&self, name: &Group, parts: impl FnOnce() -> Parts) -> Arc<GroupQueue> {
        let mut channels = lock(&self.channels);
        if let Some(found) = self.find(name) {
            return found;
        }
        let parts = parts();
        let channel = channels.with(&parts.spec.filters, &self.quiet);
        let queue = channel.add(name.clone(), parts);
        self.groups.insert(name.clone(), Registered { queue: Arc::clone(&queue), channel });
        self.generation.fetch_add(1, Ordering::SeqCst);
        queue
    }

    /// Removes a group, and its channel when no other group uses it.
    pub(super) fn remove(&self, name: &Group) -> Option<Arc<GroupQueue>> {
        let mut channels = lock(&self.channels);
        let (_, Registered { queue, channel }) = self.groups.remove(name)?;
        if channel.remove(&queue) {
            channels.list.retain(|other| !Arc::ptr_eq(other, &channel));
        }
        self.generation.fetch_add(1, Ordering::SeqCst);
        Some(queue)
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
        let wanting = channels.list.iter().filter(|channel| channel.wants(source.as_str(), event_type.as_str()));
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
