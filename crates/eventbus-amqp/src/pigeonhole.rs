//! The queue of what is published later: how it is made, and how much it takes.

use std::sync::Arc;
use std::time::Duration;

use eventbus::Result;
use lapin::ExchangeKind;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::{FieldTable, ShortString};
use tokio::time::{Instant, sleep_until, timeout};

use crate::agenda::CROWDED;
use crate::config::Queues;
use crate::connection::Link;
use crate::desk::Desk;
use crate::error::{is_missing, late, transient};
use crate::later::Trouble;
use crate::lock::Lock;
use crate::plan::{EVENTS, REQUESTS, filler};
use crate::session::publish;
use crate::shared::Shared;
use crate::topology::{Life, Maker, Role, arguments_of, arguments_of_full, arguments_of_later};
use crate::waiting::{FORGETFUL, Made};

/// How many messages are held until no more events are taken: what takes one back must still be read.
const HELD: usize = 65_000;
/// How often what was no event is counted, while there is some.
const LOOK: Duration = Duration::from_secs(1);
/// For how long the broker may take to put it aside.
const ASIDE: Duration = Duration::from_secs(10);

/// Makes sure of the queue and of what leads there; tells from when on it is safe.
pub(crate) async fn make(shared: &Arc<Shared>, link: &Arc<Link>) -> Result<Instant> {
    let failed = |error| transient("setting up the queue of scheduled events", error);
    let names = shared.bus.later();
    let lock = Lock::try_take(link, names.lock()).await?;
    let channel = link.channel().await.map_err(failed)?;
    let looked = (Maker { link, channel: &channel }).look(names.queue()).await;
    let is_missing = looked.as_ref().is_err_and(is_missing);
    let channel = if is_missing { link.channel().await.map_err(failed)? } else { channel };
    let found = if is_missing { Made::New } else { Made::Known };
    let made = declare(shared, &Maker { link, channel: &channel }, found).await;
    let _ = link.within(channel.close(200, "done".into())).await;
    let safe = Instant::now() + FORGETFUL;
    match lock {
        // Whoever comes meanwhile sees by the lock that the queue is new.
        Some(lock) if is_missing => {
            tokio::spawn(async move {
                sleep_until(safe).await;
                lock.release().await;
            });
        }
        Some(lock) => {
            lock.release().await;
            return made.map(|()| Instant::now()).map_err(failed);
        }
        None => {}
    }
    made.map(|()| safe).map_err(failed)
}

async fn declare(shared: &Shared, maker: &Maker<'_>, made: Made) -> lapin::Result<()> {
    let names = shared.bus.later();
    let (queue, full) = (names.queue(), names.full());
    maker.exchange(full.clone(), ExchangeKind::Fanout, FieldTable::default()).await?;
    let refuses = maker.queue(full.clone(), arguments_of_full()).await?.message_count() > 0;
    if !refuses {
        // Before anything is led there.
        fill(maker, &full).await?;
    }
    maker.bind(full.clone(), full.clone(), "".into()).await?;
    let mut arguments = FieldTable::default();
    arguments.insert("alternate-exchange".into(), crate::message::text(full.as_str()));
    maker.exchange(queue.clone(), ExchangeKind::Direct, arguments).await?;
    maker.queue(names.foreign(), arguments_of(Role::Keep, Life::Durable(Queues::Quorum), None)).await?;
    maker.queue(queue.clone(), arguments_of_later(&names)).await?;
    maker.bind(queue.clone(), queue.clone(), REQUESTS.into()).await?;
    if made == Made::New {
        maker.bind(queue.clone(), queue, EVENTS.into()).await?;
    }
    Ok(())
}

/// Has a queue that is to refuse everything begin with that: the broker takes one message more than there is room for.
async fn fill(maker: &Maker<'_>, full: &ShortString) -> lapin::Result<()> {
    let Maker { link, channel } = *maker;
    link.within(channel.confirm_select(ConfirmSelectOptions::default())).await?;
    let filler = filler(full.as_str());
    let published = publish(channel, &filler, BasicPublishOptions::default());
    // Refused is as good: then it is full. A queue without a majority of its nodes says nothing, on a sound connection.
    timeout(link.patience, published).await.map_err(|_| late())?.map(drop)
}

/// What its keeper knows of the queue, beside what is planned.
pub(crate) struct Room {
    shared: Arc<Shared>,
    /// Whether the exchange leads to the queue, as far as is known.
    is_open: Option<bool>,
    /// When it is counted next what was no event, and until when at least; `None` while there is none.
    count: Option<(Instant, Instant)>,
}

impl Room {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), is_open: None, count: Some((Instant::now(), Instant::now())) }
    }

    /// Somebody found no room, or something was wrong: it is looked at anew.
    pub(crate) fn doubt(&mut self) {
        self.is_open = None;
    }

    /// Something that is no event goes to where it can be looked at.
    pub(crate) fn found_foreign(&mut self) {
        self.count = Some((Instant::now(), Instant::now() + ASIDE));
    }

    /// Lets events in while there is room for them and their keeper can hold more messages; tells what is wrong.
    pub(crate) async fn look(&mut self, desk: &Desk, (planned, messages): (u64, usize)) -> lapin::Result<()> {
        let most = self.shared.config.scheduled;
        let is_open = match self.is_open {
            _ if planned >= most || messages >= HELD => false,
            Some(false) if planned > most - most / 10 || messages > CROWDED => false,
            _ => true,
        };
        let maker = Maker { link: &desk.link, channel: &desk.channel };
        if self.is_open != Some(is_open) {
            let queue = self.shared.bus.later().queue();
            let full = format!("{planned} events are scheduled, and no more are taken");
            match is_open {
                true => maker.bind(queue.clone(), queue, EVENTS.into()).await?,
                false => maker.unbind(queue.clone(), queue, EVENTS.into()).await?,
            }
            self.shared.later.tell(Trouble::Full, (!is_open).then_some(full));
            self.is_open = Some(is_open);
        }
        let now = Instant::now();
        if let Some((_, until)) = self.count.filter(|(count, _)| *count <= now) {
            let queue = self.shared.bus.later().foreign();
            let count = maker.look(queue.clone()).await?.message_count();
            let text =
                format!("{count} messages among the scheduled events were none, and lie in {queue} now");
            self.shared.later.tell(Trouble::Foreign, (count > 0).then_some(text));
            self.count = (count > 0 || now < until).then_some((now + LOOK, until));
        }
        Ok(())
    }
}
