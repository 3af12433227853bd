//! What a group holds: what lies in its queues, and what its members have.

use std::sync::Arc;
use std::time::Duration;

use eventbus::Result;
use eventbus::transport::{Backlog, Group};
use lapin::Channel;
use lapin::types::ShortString;
use tokio::time::sleep;

use crate::ask::Asker;
use crate::connection::Link;
use crate::error::{is_missing, transient};
use crate::join::instances;
use crate::member::Holding;
use crate::shared::Shared;
use crate::topology::{Maker, Names};
use crate::wait;

/// How often a group that seems to be empty while messages move is looked at again, and how soon.
const LOOKS: u32 = 60;
const PAUSE: Duration = Duration::from_millis(10);

/// Looks at queues, also at such as are not there.
pub(crate) struct Probe {
    link: Arc<Link>,
    channel: Channel,
}

/// Messages that are ready, and consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) ready: u64,
    pub(crate) consumers: usize,
}

impl Probe {
    pub(crate) async fn new(shared: &Shared) -> Result<Self> {
        let failed = |error| transient("looking at queues", error);
        let link = shared.consuming.question().await.map_err(failed)?;
        let channel = link.channel().await.map_err(failed)?;
        Ok(Self { link, channel })
    }

    /// Counts what a queue holds; `None` where there is none.
    pub(crate) async fn count(&mut self, queue: ShortString) -> Result<Option<Count>> {
        let failed = |error| transient(&format!("looking at the queue {queue}"), error);
        match (Maker { link: &self.link, channel: &self.channel }).look(queue.clone()).await {
            Ok(queue) => Ok(Some(Count {
                ready: u64::from(queue.message_count()),
                consumers: queue.consumer_count() as usize,
            })),
            Err(error) if is_missing(&error) => {
                self.channel = self.link.channel().await.map_err(failed)?;
                Ok(None)
            }
            Err(error) => Err(failed(error)),
        }
    }

    async fn ready(&mut self, queue: ShortString) -> Result<u64> {
        Ok(self.count(queue).await?.map_or(0, |count| count.ready))
    }

    pub(crate) async fn done(self) {
        let _ = self.link.within(self.channel.close(200, "done".into())).await;
    }
}

/// The groups on the broker that a group of the bus is: itself, or an instance for each member of a broadcast.
struct Parts {
    shared: Option<usize>,
    broadcast: Option<usize>,
}

impl Parts {
    async fn find(shared: &Shared, probe: &mut Probe, group: &Group) -> Result<Self> {
        let names = shared.bus.group(group.as_str());
        let own = probe.count(names.members()).await?.map(|count| count.consumers);
        let broadcast = probe.count(instances(shared, group.as_str()).members()).await?;
        let broadcast = broadcast.map(|count| count.consumers).filter(|members| *members > 0);
        Ok(Self { shared: own, broadcast })
    }

    fn members(&self) -> usize {
        self.shared.unwrap_or(0) + self.broadcast.unwrap_or(0)
    }
}

/// The names of the groups on the broker that a group of the bus is.
pub(crate) async fn names(shared: &Shared, group: &Group) -> Result<Vec<Names>> {
    let mut probe = Probe::new(shared).await?;
    let parts = Parts::find(shared, &mut probe, group).await?;
    probe.done().await;
    let mut names: Vec<Names> = parts.shared.map(|_| shared.bus.group(group.as_str())).into_iter().collect();
    if parts.broadcast.is_some() {
        let mut asker = Asker::new(shared).await?;
        let holdings = asker.ask(group, parts.members()).await?;
        asker.done().await;
        names.extend(instances_of(&holdings, group).map(|name| shared.bus.group(&name)));
    }
    Ok(names)
}

fn instances_of<'a>(holdings: &'a [Holding], group: &'a Group) -> impl Iterator<Item = String> + 'a {
    holdings.iter().filter_map(move |holding| holding.instance.as_ref().map(|name| format!("{group}#{name}")))
}

/// Counts what a group holds; `None` when there is none.
pub(crate) async fn backlog(shared: &Shared, group: &Group) -> Result<Option<Backlog>> {
    let mut probe = Probe::new(shared).await?;
    let mut asker = None;
    let mut looks = 0;
    let counted = loop {
        let parts = Parts::find(shared, &mut probe, group).await?;
        if parts.shared.is_none() && parts.broadcast.is_none() {
            break None;
        }
        if parts.members() > 0 && asker.is_none() {
            asker = Some(Asker::new(shared).await?);
        }
        let (backlog, is_sure) = look(shared, (&mut probe, asker.as_mut()), group, &parts).await?;
        looks += 1;
        // Never nothing while something is on its way between members and queues.
        if backlog.unsettled() > 0 || is_sure || looks >= LOOKS {
            break Some(backlog);
        }
        sleep(PAUSE).await;
    };
    probe.done().await;
    if let Some(asker) = asker {
        asker.done().await;
    }
    Ok(counted)
}

/// Looks once; tells also whether nothing moved meanwhile.
async fn look(
    shared: &Shared,
    (probe, asker): (&mut Probe, Option<&mut Asker>),
    group: &Group,
    parts: &Parts,
) -> Result<(Backlog, bool)> {
    let Some(asker) = asker else {
        let backlog = queues(probe, &shared.bus.group(group.as_str())).await?;
        return Ok((backlog, true));
    };
    let before = asker.ask(group, parts.members()).await?;
    let mut backlog = Backlog::default();
    if parts.shared.is_some() {
        backlog = backlog.plus(queues(probe, &shared.bus.group(group.as_str())).await?);
    }
    for name in instances_of(&before, group) {
        backlog = backlog.plus(queues(probe, &shared.bus.group(&name)).await?);
    }
    let after = asker.ask(group, parts.members()).await?;
    backlog.members = parts.members() as u64;
    for holding in &after {
        backlog.queued += holding.queued;
        backlog.in_flight += holding.in_flight;
        backlog.waiting += holding.waiting;
        backlog.parked += holding.parked;
        backlog.held_keys += holding.held_keys;
    }
    let moves =
        |holdings: &[Holding]| holdings.iter().fold(0_u64, |sum, holding| sum.wrapping_add(holding.moves));
    let is_sure = before.len() == after.len() && moves(&before) == moves(&after);
    if backlog.unsettled() == 0 {
        // Nobody sees what is on its way from one queue to another.
        backlog.waiting = after.iter().map(|holding| holding.between).sum();
    }
    Ok((backlog, is_sure))
}

/// What lies in the queues of a group.
async fn queues(probe: &mut Probe, names: &Names) -> Result<Backlog> {
    let mut backlog = Backlog { dead: probe.ready(names.dead()).await?, ..Backlog::default() };
    for time in wait::times() {
        // A group has all waits up to the longest it needed.
        let Some(count) = probe.count(names.wait(time)).await? else { break };
        backlog.waiting += count.ready;
    }
    // Last, and in the direction in which messages go.
    let again = match probe.count(names.again()).await? {
        Some(again) => again.ready,
        None => return shards(probe, names, backlog).await,
    };
    backlog.queued = again + probe.ready(names.events()).await?;
    Ok(backlog)
}

/// What lies in the shards of a group with order per key: what is kept first, because everything goes there.
async fn shards(probe: &mut Probe, names: &Names, mut backlog: Backlog) -> Result<Backlog> {
    for shard in 0.. {
        let names = names.shard(shard);
        let Some(kept) = probe.count(names.kept()).await? else { break };
        backlog.held_keys += probe.ready(names.held()).await?;
        backlog.queued += kept.ready + probe.ready(names.events()).await?;
    }
    Ok(backlog)
}
