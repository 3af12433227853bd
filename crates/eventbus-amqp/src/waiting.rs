//! Messages on their way to the next wait, and back to the group; the queues they wait in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use eventbus::ErrorKind;
use tokio::time::sleep;

use crate::config::Queues;
use crate::error::is_missing;
use crate::member::{Arrival, Member};
use crate::mover::Moved;
use crate::topology::{Life, Maker, Role, arguments_of, expiring};
use crate::wait;

/// For how long a broker may forget a new quorum queue, with everything in it, when it is killed: it writes the list of
/// them down when that has not changed for half a second, and looks every half second.
pub(crate) const FORGETFUL: Duration = Duration::from_millis(1200);

/// The waits that a member may use: those whose queues outlive the broker's death.
#[derive(Debug, Default)]
pub(crate) struct Waits {
    /// The longest of them, in ms.
    ready: AtomicU64,
    making: AtomicBool,
}

/// Whether something had to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    New,
    Known,
}

impl Waits {
    /// The next wait of a delay: its time in ms, and what is left of the delay then. One whose queue is not ready yet is
    /// asked for, and made up of shorter ones for now; `None` when there is none, or the delay is too short.
    pub(crate) fn next(member: &Arc<Member>, delay: Duration) -> Option<(u64, Duration)> {
        let longest = wait::longest_within(delay)?;
        let ready = member.waits.ready.load(Ordering::SeqCst);
        if longest > ready && !member.waits.making.swap(true, Ordering::SeqCst) {
            let member = Arc::clone(member);
            tokio::spawn(async move {
                match make(&member, longest).await {
                    Ok(()) => member.waits.ready.store(longest, Ordering::SeqCst),
                    Err(error) => tracing::debug!(%error, "a longer wait could not be made"),
                }
                member.waits.making.store(false, Ordering::SeqCst);
            });
        }
        let time = longest.min(ready);
        (time > 0).then(|| (time, delay.saturating_sub(Duration::from_millis(time))))
    }
}

/// Makes the queues of all waits up to this many ms: whoever counts what waits ends at the first that is missing.
async fn make(member: &Member, longest: u64) -> lapin::Result<()> {
    let link = member.shared.consuming.reach().await?;
    let mut made = Made::Known;
    for time in wait::times().take_while(|time| *time <= longest) {
        let channel = link.channel().await?;
        let looked = (Maker { link: &link, channel: &channel }).look(member.names.wait(time)).await;
        match looked {
            Err(error) if is_missing(&error) => {
                made = Made::New;
                let channel = link.channel().await?;
                declare(member, &Maker { link: &link, channel: &channel }, time).await?;
                link.within(channel.close(200, "done".into())).await?;
            }
            looked => {
                looked?;
                link.within(channel.close(200, "done".into())).await?;
            }
        }
    }
    if made == Made::New && member.life == Life::Durable(Queues::Quorum) {
        sleep(FORGETFUL).await;
    }
    Ok(())
}

/// Makes the queue of a wait, or keeps it from expiring.
async fn declare(member: &Member, maker: &Maker<'_>, time: u64) -> lapin::Result<()> {
    let again = member.names.again();
    let mut arguments = arguments_of(Role::Wait(time), member.life, Some(again.as_str()));
    if member.life == Life::WithMembers {
        // Nobody reads it: it must outlive what was sent there last.
        arguments = expiring(arguments, time);
    }
    maker.queue(member.names.wait(time), arguments).await.map(drop)
}

/// Keeps the queues of the waits that the member may use from expiring.
pub(crate) async fn declare_ready(member: &Member, maker: &Maker<'_>) -> lapin::Result<()> {
    let ready = member.waits.ready.load(Ordering::SeqCst);
    for time in wait::times().take_while(|time| *time <= ready) {
        declare(member, maker, time).await?;
    }
    Ok(())
}

/// A message that waits on, in the queue of this many ms.
pub(crate) struct Hop {
    pub(crate) arrival: Arrival,
    pub(crate) time: u64,
    /// What is left of its delay then.
    pub(crate) left: Duration,
}

/// Sends messages on that have not waited long enough.
pub(crate) async fn send_on(member: Arc<Member>, hops: Vec<Hop>) {
    let (mut arrivals, mut parcels) = (Vec::with_capacity(hops.len()), Vec::with_capacity(hops.len()));
    for Hop { arrival, time, left } in hops {
        member.state().waits(arrival.place, Duration::from_millis(time));
        parcels.push(arrival.again(member.names.wait(time).as_str(), left));
        arrivals.push(arrival);
    }
    let count = arrivals.len();
    let moved = member.mover.publish(&parcels).await;
    conclude(&member, &arrivals, &moved).await;
    let mut state = member.state();
    state.hopping -= count;
    state.moves += 1;
}

/// Gives everything back that the engine was not handed.
pub(crate) async fn give_back(member: &Member) {
    let unseen = {
        let mut state = member.state();
        let unseen = state.unseen();
        state.hopping += unseen.len();
        unseen
    };
    let again = member.names.again();
    let parcels: Vec<_> =
        unseen.iter().map(|arrival| arrival.again(again.as_str(), arrival.message.remaining)).collect();
    let moved = member.mover.publish(&parcels).await;
    conclude(member, &unseen, &moved).await;
    let mut state = member.state();
    state.hopping -= unseen.len();
    state.moves += 1;
}

/// Acknowledges what was moved; what was not comes again from where it is.
async fn conclude(member: &Member, arrivals: &[Arrival], moved: &[Moved]) {
    let Some(desk) = arrivals.first().map(|arrival| Arc::clone(&arrival.desk)) else { return };
    let of = |stored: bool| {
        let those = arrivals.iter().zip(moved).filter(move |(_, moved)| moved.is_stored() == stored);
        those.map(|(arrival, _)| arrival.message.tag).collect::<Vec<u64>>()
    };
    let (stored, others) = (of(true), of(false));
    desk.finish(&stored).await;
    if !others.is_empty() {
        desk.reject(&others).await;
        member.fail(ErrorKind::NotSent, "messages could not be moved within the group");
    }
}
