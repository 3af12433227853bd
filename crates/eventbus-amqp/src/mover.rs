//! Moving messages between the queues of a group: published with confirm where they belong next, before they are
//! acknowledged where they were.

use std::collections::HashSet;
use std::sync::Arc;

use futures::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::connection::{Line, Link};
use crate::error::late;
use crate::message::Parcel;
use crate::session::{FRESH, publish};

/// How many messages are sent before their confirms are awaited.
const MOST: usize = 1024;

/// Publishes to queues, one batch at a time.
pub(crate) struct Mover {
    /// Where a channel is opened when there is none; without it, there is one or never again.
    line: Option<Arc<Line>>,
    channel: Mutex<Option<Open>>,
}

/// A channel that confirms.
#[derive(Clone)]
struct Open {
    link: Arc<Link>,
    channel: Channel,
    since: Instant,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) enum Moved {
    /// It lies safely where it was sent to.
    Stored,
    /// The queue has no room for it.
    Refused,
    /// There is no such queue.
    Missing,
    /// Nobody knows.
    Unknown(lapin::Error),
}

impl Moved {
    pub(crate) fn is_stored(&self) -> bool {
        matches!(self, Self::Stored)
    }
}

impl Mover {
    pub(crate) fn new(line: &Arc<Line>) -> Self {
        Self { line: Some(Arc::clone(line)), channel: Mutex::new(None) }
    }

    /// Publishes on a channel that is there, and on no other after its end.
    pub(crate) async fn on(link: &Arc<Link>, channel: &Channel) -> lapin::Result<Self> {
        link.within(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        let open = Open { link: Arc::clone(link), channel: channel.clone(), since: Instant::now() };
        Ok(Self { line: None, channel: Mutex::new(Some(open)) })
    }

    /// Publishes messages to queues and tells what became of each, in order.
    pub(crate) async fn publish(&self, parcels: &[Parcel]) -> Vec<Moved> {
        let mut moved = Vec::with_capacity(parcels.len());
        let mut current = self.channel.lock().await;
        for batch in parcels.chunks(MOST) {
            // A blocked connection lets no message out and no answer in; the deadline of an answer ends this.
            let open = match open(self.line.as_deref(), &mut current).await {
                Ok(open) => open,
                Err(error) => {
                    moved.extend(batch.iter().map(|_| Moved::Unknown(error.clone())));
                    continue;
                }
            };
            let told = send(&open, batch).await;
            let refused = told.iter().any(|moved| matches!(moved, Moved::Refused));
            if refused && self.line.is_some() && open.since.elapsed() >= FRESH {
                *current = None;
            }
            moved.extend(told);
        }
        moved
    }
}

async fn open(line: Option<&Line>, current: &mut Option<Open>) -> lapin::Result<Open> {
    if let Some(open) = current.as_ref()
        && !open.link.is_down()
        && open.channel.status().connected()
    {
        return Ok(open.clone());
    }
    *current = None;
    let Some(line) = line else {
        return Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into());
    };
    let link = line.reach().await?;
    let channel = link.channel().await?;
    link.within(channel.confirm_select(ConfirmSelectOptions::default())).await?;
    let open = Open { link, channel, since: Instant::now() };
    *current = Some(open.clone());
    Ok(open)
}

/// Sends a batch and waits for all of its confirms: only then is it known which of its messages came back, because the
/// library may hand a returned message to any of the confirms.
async fn send(Open { link, channel, .. }: &Open, batch: &[Parcel]) -> Vec<Moved> {
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let sent = join_all(batch.iter().map(|parcel| publish(channel, parcel, options)));
    let confirmed = if link.blocked().borrow().is_some() {
        Err(late())
    } else {
        link.within(async { Ok(sent.await) }).await
    };
    let confirmed = match confirmed {
        Ok(confirmed) => confirmed,
        Err(error) => return batch.iter().map(|_| Moved::Unknown(error.clone())).collect(),
    };
    let mut missing = HashSet::new();
    let told: Vec<_> = confirmed
        .into_iter()
        .map(|confirmed| {
            confirmed.map(|confirmation| {
                let stored = confirmation.is_ack();
                if let Confirmation::Ack(Some(back)) | Confirmation::Nack(Some(back)) = confirmation {
                    missing.insert(back.delivery.routing_key.to_string());
                }
                stored
            })
        })
        .collect();
    let outcome = |(told, parcel): (lapin::Result<bool>, &Parcel)| match told {
        Ok(_) if missing.contains(&parcel.route) => Moved::Missing,
        Ok(true) => Moved::Stored,
        Ok(false) => Moved::Refused,
        Err(error) => Moved::Unknown(error),
    };
    told.into_iter().zip(batch).map(outcome).collect()
}
