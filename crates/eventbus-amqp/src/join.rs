//! Joining a group and leaving it: its queues are made, what it wants is agreed on, and the last member of a group that
//! goes with its members removes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use eventbus::transport::{Mode, SubscriptionSpec};
use eventbus::{Error, ErrorKind, Result};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicGetOptions, BasicNackOptions, ExchangeDeleteOptions, QueueDeleteOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, ExchangeKind};

use crate::config::Queues;
use crate::connection::Link;
use crate::desk::{ASK, Deliveries, Desk, MEMBER, Settling};
use crate::error::{late, transient};
use crate::inbox::Source;
use crate::lock::{Door, Lock};
use crate::member::Member;
use crate::message::Parcel;
use crate::shared::Shared;
use crate::topology::{Life, Maker, Names, Role, arguments_of, bindings, expiring};
use crate::wait;
use crate::waiting::{FORGETFUL, Made, declare_ready};

/// A member that has joined: where it reads, and what it reads already.
pub(crate) struct Joined {
    pub(crate) member: Arc<Member>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) streams: Vec<Deliveries<Source>>,
}

/// Makes sure of a group and joins it.
pub(crate) async fn join(shared: &Arc<Shared>, spec: &SubscriptionSpec) -> Result<Joined> {
    let name = shared.name();
    let broadcast = spec.mode == Mode::Broadcast;
    let group = if broadcast { format!("{}#{name}", spec.group) } else { spec.group.to_string() };
    let with_members = broadcast || spec.ephemeral;
    let life = if with_members { Life::WithMembers } else { Life::Durable(shared.config.queues) };
    let names = shared.bus.group(&group);
    let member = Arc::new(Member::new(shared, (name, names), life, spec));
    let failed = |error| transient(&format!("joining the group {}", spec.group), error);
    let link = shared.consuming.reach().await.map_err(failed)?;
    let lock = Lock::take(&link, member.names.lock(), &Door::close(&shared.doors).await).await?;
    let joined = arrange(&member, &lock).await;
    lock.release().await;
    let (desk, streams, made) = joined?;
    if made == Made::New && life == Life::Durable(Queues::Quorum) {
        // What is published from now on is safe.
        tokio::time::sleep(FORGETFUL).await;
    }
    Ok(Joined { member, desk, streams })
}

/// Everything that is done under the lock.
async fn arrange(member: &Member, lock: &Lock) -> Result<(Arc<Desk>, Vec<Deliveries<Source>>, Made)> {
    let shared = &member.shared;
    let maker = lock.maker();
    let failed = |error| transient(&format!("setting up the group {}", member.spec.group), error);
    maker.bus(&shared.bus, shared.config.unrouted).await.map_err(failed)?;
    maker.exchange(shared.bus.ask(), ExchangeKind::Direct, FieldTable::default()).await.map_err(failed)?;
    let found = look(member, &lock.link).await.map_err(failed)?;
    make(member, &maker).await.map_err(failed)?;
    let made = match member.spec.mode {
        Mode::Shared => agree(member, lock).await?,
        Mode::Broadcast => {
            bind(member, &maker, &bindings(&member.spec)).await.map_err(failed)?;
            Made::New
        }
    };
    let (desk, streams) = enter(member, lock).await.map_err(failed)?;
    Ok((desk, streams, if found == Made::New { found } else { made }))
}

/// The queues that hold something, with order per key those of all shards.
fn queues(member: &Member) -> Vec<ShortString> {
    let names = &member.names;
    let of_shard = |names: Names| [names.events(), names.kept(), names.held(), names.owner()];
    let sharded = (0..member.shards.len()).flat_map(|shard| of_shard(names.shard(shard)));
    let again = member.shards.is_empty().then(|| names.again());
    [names.events(), names.dead()].into_iter().chain(again).chain(sharded).collect()
}

/// Looks whether all queues are there: one that vanished is as new as those of a new group, whatever else is known.
async fn look(member: &Member, link: &Arc<Link>) -> lapin::Result<Made> {
    // It ends where a queue is not there.
    let channel = link.channel().await?;
    let maker = Maker { link, channel: &channel };
    let looked = futures::future::join_all(queues(member).into_iter().map(|queue| maker.look(queue))).await;
    match looked.into_iter().find_map(Result::err) {
        None => {
            let _ = link.within(channel.close(200, "done".into())).await;
            Ok(Made::Known)
        }
        Some(_) if link.is_down() => Err(late()),
        Some(_) => Ok(Made::New),
    }
}

/// Makes the queues.
async fn make(member: &Member, maker: &Maker<'_>) -> lapin::Result<()> {
    let (names, life) = (&member.names, member.life);
    let dead = names.dead();
    maker.queue(dead.clone(), arguments_of(Role::Keep, life, None)).await?;
    let work = arguments_of(Role::Work, life, Some(dead.as_str()));
    for shard in 0..member.shards.len() {
        let names = names.shard(shard);
        maker.queue(names.kept(), arguments_of(Role::Keep, life, None)).await?;
        maker.queue(names.held(), arguments_of(Role::Keep, life, None)).await?;
        maker.queue(names.owner(), arguments_of(Role::Turns, life, None)).await?;
        maker.queue(names.events(), work.clone()).await?;
    }
    if member.shards.is_empty() {
        maker.queue(names.again(), work.clone()).await?;
    }
    maker.queue(names.events(), work).await?;
    if member.shards.len() > 1 {
        maker.shards(names, member.shards.len()).await?;
    }
    maker.queue(counted(member), arguments_of_count(member)).await?;
    Ok(())
}

/// The queue whose consumers are the members: a broadcast has one for all of its instances.
fn counted(member: &Member) -> ShortString {
    match member.spec.mode {
        Mode::Shared => member.names.members(),
        Mode::Broadcast => instances(&member.shared, member.spec.group.as_str()).members(),
    }
}

/// The names that the instances of a broadcast share.
pub(crate) fn instances(shared: &Shared, group: &str) -> Names {
    shared.bus.group(&format!("{group}#"))
}

/// It never holds anything, but it must be there whichever node is down; that of a broadcast goes with its instances.
fn arguments_of_count(member: &Member) -> FieldTable {
    match member.spec.mode {
        Mode::Shared => arguments_of(Role::Empty, member.life, None),
        Mode::Broadcast => {
            expiring(arguments_of(Role::Empty, Life::Durable(member.shared.config.queues), None), 0)
        }
    }
}

async fn bind(member: &Member, maker: &Maker<'_>, keys: &[String]) -> lapin::Result<()> {
    for key in keys {
        let (exchange, key) = (member.shared.bus.exchange(), key.as_str().into());
        match member.shards.len() {
            0 | 1 => maker.bind(member.names.events(), exchange, key).await?,
            _ => maker.feed(member.names.shards(), exchange, key).await?,
        }
    }
    Ok(())
}

/// Makes sure that all members want the same: what the group is lies in a queue of one message.
async fn agree(member: &Member, lock: &Lock) -> Result<Made> {
    let failed = |error| transient(&format!("agreeing on what the group {} is", member.spec.group), error);
    let (maker, names) = (lock.maker(), &member.names);
    maker.queue(names.what(), arguments_of(Role::Keep, member.life, None)).await.map_err(failed)?;
    let records = read(lock, names.what()).await.map_err(failed)?;
    let known = records.last().and_then(|record| String::from_utf8(record.data.clone()).ok());
    let (what, keys) = (describe(member), bindings(&member.spec));
    let is_known = known.as_ref() == Some(&what);
    if is_known && records.len() == 1 {
        bind(member, &maker, &keys).await.map_err(failed)?;
        give_back(lock, &records).await.map_err(failed)?;
        return Ok(Made::Known);
    }
    if let Some(known) = known.as_ref().and_then(|known| known.lines().next())
        && what.lines().next() != Some(known)
    {
        let text = format!("the group {} has {known}, for good: forget it to change that", member.spec.group);
        return Err(Error::new(ErrorKind::Conflict, text));
    }
    let members = maker.look(names.members()).await.map_err(failed)?.consumer_count();
    if known.is_some() && !is_known && members > 0 {
        let text = format!("the group {} runs with other event types", member.spec.group);
        return Err(Error::new(ErrorKind::Conflict, text));
    }
    if !is_known {
        // Written down before it is so: whoever finds it half done does it again.
        note(member, what).await?;
    }
    // Beside older records the last one stays, unless it is older than what was written just now.
    let (old, last) = records.split_at(records.len() - usize::from(is_known));
    bind(member, &maker, &keys).await.map_err(failed)?;
    unbind(member, &maker, superseded(old, &keys)).await.map_err(failed)?;
    for record in old {
        let acked = lock.channel.basic_ack(record.delivery_tag, BasicAckOptions::default());
        lock.link.within(acked).await.map_err(failed)?;
    }
    give_back(lock, last).await.map_err(failed)?;
    Ok(if known.is_some() { Made::Known } else { Made::New })
}

/// The keys of older records that are wanted no more.
fn superseded(old: &[Delivery], keys: &[String]) -> BTreeSet<String> {
    let texts = old.iter().filter_map(|record| std::str::from_utf8(&record.data).ok());
    texts.flat_map(|text| text.lines().skip(1).map(str::to_owned)).filter(|key| !keys.contains(key)).collect()
}

/// Writes down what the group is.
async fn note(member: &Member, what: String) -> Result<()> {
    let record = Parcel {
        exchange: String::new(),
        route: member.names.what().to_string(),
        properties: BasicProperties::default().with_delivery_mode(2),
        body: what.into(),
    };
    match member.mover.publish(&[record]).await.iter().all(crate::mover::Moved::is_stored) {
        true => Ok(()),
        false => {
            let text = format!("what the group {} is could not be written down", member.spec.group);
            Err(Error::new(ErrorKind::NotSent, text))
        }
    }
}

async fn unbind(member: &Member, maker: &Maker<'_>, keys: BTreeSet<String>) -> lapin::Result<()> {
    for key in keys {
        let (exchange, key) = (member.shared.bus.exchange(), key.into());
        match member.shards.len() {
            0 | 1 => maker.unbind(member.names.events(), exchange, key).await?,
            _ => maker.starve(member.names.shards(), exchange, key).await?,
        }
    }
    Ok(())
}

/// Leaves records where they were.
async fn give_back(lock: &Lock, records: &[Delivery]) -> lapin::Result<()> {
    for record in records {
        let options = BasicNackOptions { multiple: false, requeue: true };
        lock.link.within(lock.channel.basic_nack(record.delivery_tag, options)).await?;
    }
    Ok(())
}

/// What the group is, as text: its kind, then its binding keys.
fn describe(member: &Member) -> String {
    let mut head = format!("order {:?}", member.spec.order);
    if member.shards.len() > 1 {
        head.push_str(&format!(" over {} shards", member.shards.len()));
    }
    std::iter::once(head).chain(bindings(&member.spec)).collect::<Vec<_>>().join("\n")
}

/// Reads all messages of a queue without taking them out.
async fn read(lock: &Lock, queue: ShortString) -> lapin::Result<Vec<Delivery>> {
    let mut records = Vec::new();
    while let Some(record) =
        lock.link.within(lock.channel.basic_get(queue.clone(), BasicGetOptions::default())).await?
    {
        records.push(record.delivery);
    }
    Ok(records)
}

/// Becomes a member: counted, and to be asked.
async fn enter(member: &Member, lock: &Lock) -> lapin::Result<(Arc<Desk>, Vec<Deliveries<Source>>)> {
    let (link, names) = (&lock.link, &member.names);
    let desk = Desk::open(link).await?;
    let maker = Maker { link, channel: &desk.channel };
    let ask = names.ask(&member.name);
    maker.exclusive(ask.clone()).await?;
    maker.bind(ask.clone(), member.shared.bus.ask(), member.spec.group.as_str().into()).await?;
    let asked = desk.consume((ask, ASK.into()), Settling::Needless, Source::Ask).await?;
    let counted = (counted(member), MEMBER.into());
    let counted = desk.consume(counted, Settling::Needless, Source::Members).await?;
    Ok((desk, vec![asked, counted]))
}

/// Keeps queues that nobody reads from expiring, while the group has members.
pub(crate) async fn touch(member: &Member) {
    if member.life != Life::WithMembers {
        return;
    }
    let touched = async {
        let link = member.shared.consuming.reach().await?;
        let channel = link.channel().await?;
        let maker = Maker { link: &link, channel: &channel };
        maker.queue(member.names.dead(), arguments_of(Role::Keep, member.life, None)).await?;
        if member.spec.mode == Mode::Shared {
            maker.queue(member.names.what(), arguments_of(Role::Keep, member.life, None)).await?;
        }
        declare_ready(member, &maker).await?;
        link.within(channel.close(200, "done".into())).await
    };
    if let Err(error) = touched.await {
        tracing::debug!(group = %member.spec.group, %error, "a group that goes with its members was not kept");
    }
}

/// Removes a group that goes with its members, when the last one has left.
pub(crate) async fn leave(member: &Member) {
    if member.life != Life::WithMembers {
        return;
    }
    let shared = &member.shared;
    let removed = async {
        let link = shared.consuming.question().await.map_err(|error| transient("leaving", error))?;
        if member.spec.mode == Mode::Broadcast {
            let channel = link.channel().await.map_err(|error| transient("leaving", error))?;
            let maker = Maker { link: &link, channel: &channel };
            remove(&maker, &member.names, member.shards.len())
                .await
                .map_err(|error| transient("leaving", error))?;
            let _ = link.within(channel.close(200, "done".into())).await;
            return Ok(());
        }
        let lock = Lock::take(&link, member.names.lock(), &Door::close(&shared.doors).await).await?;
        let counted = lock.maker().look(member.names.members()).await;
        if counted.is_ok_and(|counted| counted.consumer_count() == 0) {
            remove(&lock.maker(), &member.names, member.shards.len())
                .await
                .map_err(|error| transient("leaving", error))?;
        }
        lock.release().await;
        Ok::<_, Error>(())
    };
    if let Err(error) = removed.await {
        tracing::debug!(group = %member.spec.group, %error, "a group was not removed; it expires by itself");
    }
    if shared.open().is_err() {
        shared.consuming.rest().await;
    }
}

/// Removes the queues of a group with this many shards; those that are not there too.
pub(crate) async fn remove(maker: &Maker<'_>, names: &Names, shards: usize) -> lapin::Result<()> {
    let waits = wait::times().map(|time| names.wait(time));
    let queues = [names.events(), names.again(), names.what(), names.dead(), names.members()];
    let of_shard = |names: Names| [names.events(), names.kept(), names.held(), names.owner()];
    let sharded = (0..shards).flat_map(|shard| of_shard(names.shard(shard)));
    for exchange in [names.shards(), names.unsharded()].into_iter().filter(|_| shards > 1) {
        maker.link.within(maker.channel.exchange_delete(exchange, ExchangeDeleteOptions::default())).await?;
    }
    let deleted = queues
        .into_iter()
        .chain(sharded)
        .chain(waits)
        .map(|queue| maker.channel.queue_delete(queue, QueueDeleteOptions::default()));
    let deleted = maker.link.within(async { Ok(futures::future::join_all(deleted).await) }).await?;
    deleted.into_iter().try_for_each(|deleted| deleted.map(drop))
}
