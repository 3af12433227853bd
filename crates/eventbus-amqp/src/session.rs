//! A channel that confirms: messages go out on it, and their publishers are told what became of them.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eventbus::{Error, ErrorKind, Result};
use futures::future::join_all;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::config::Unrouted;
use crate::connection::Link;
use crate::error::unknown;
use crate::message::Parcel;
use crate::post::{End, unanswered};
use crate::topology::{Bus, Maker};

/// How old a channel is, at least, when another one takes its place over a message that was refused.
///
/// A broker refuses everything that a channel sends to a queue, for as long as a node is down, when the channel's first
/// message to it came before the broker knew that another node leads the queue now. Another channel is served.
pub(crate) const FRESH: Duration = Duration::from_secs(1);

/// A channel that confirms, with the exchange made sure of.
pub(crate) struct Session {
    link: Arc<Link>,
    channel: Channel,
    opened: Instant,
    refused: AtomicBool,
    blocked: watch::Receiver<Option<String>>,
    /// When an answer came last, or could not come.
    heard: Mutex<Instant>,
}

impl Session {
    pub(crate) async fn open(link: Arc<Link>, bus: &Bus, unrouted: Unrouted) -> lapin::Result<Self> {
        let channel = link.channel().await?;
        Maker { link: &link, channel: &channel }.bus(bus, unrouted).await?;
        link.within(channel.confirm_select(ConfirmSelectOptions::default())).await?;
        let (blocked, now) = (link.blocked(), Instant::now());
        let (refused, heard) = (AtomicBool::new(false), Mutex::new(now));
        Ok(Self { link, channel, opened: now, refused, blocked, heard })
    }

    pub(crate) fn is_over(&self) -> bool {
        self.link.is_down() || !self.channel.status().connected()
    }

    /// Whether another channel may be served better.
    pub(crate) fn is_stale(&self) -> bool {
        self.refused.load(Ordering::SeqCst) && self.opened.elapsed() >= FRESH
    }

    /// Whether it may be used.
    pub(crate) fn serves(&self) -> bool {
        !self.is_over() && !self.is_stale() && !self.is_blocked()
    }

    /// Whether the broker takes nothing, and says so.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.borrow().is_some()
    }

    /// Something was confirmed, or there was nothing to be confirmed until now.
    pub(crate) fn hear(&self) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// When the broker counts as hung, unless something is confirmed by then.
    pub(crate) fn patience(&self) -> Instant {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) + self.limit()
    }

    fn limit(&self) -> Duration {
        self.link.patience * 2
    }

    /// Drops the connection of a broker that is hung.
    pub(crate) fn fail(&self) {
        self.link.fail();
    }

    /// Returns when the broker takes events again.
    pub(crate) async fn unblocked(&self) {
        let mut blocked = self.blocked.clone();
        tokio::select! {
            _ = blocked.wait_for(Option::is_none) => {}
            () = self.link.lost() => {}
        }
        self.hear();
    }

    /// Sends events and tells their caller what became of each. A connection that is lost ends it at once.
    pub(crate) async fn send(&self, parcels: Vec<Parcel>, end: End) {
        let options = BasicPublishOptions::default();
        let sent = parcels.into_iter().map(|parcel| dispatch(&self.channel, parcel, options));
        tokio::select! {
            biased;
            outcomes = join_all(sent) => {
                self.hear();
                end.tell(outcomes.into_iter().map(|confirmed| self.outcome(confirmed)));
            }
            () = self.link.lost() => end.tell(std::iter::repeat_with(|| Err(lost()))),
        }
    }

    /// Sends one event on its caller's task, which spares it two ways through another.
    pub(crate) async fn express(&self, parcel: Parcel, deadline: Instant) -> Result<()> {
        let earliest = Instant::now() + self.limit();
        let mut wake = deadline.min(earliest);
        let mut confirmed = pin!(dispatch(&self.channel, parcel, BasicPublishOptions::default()));
        loop {
            tokio::select! {
                biased;
                confirmed = &mut confirmed => {
                    self.hear();
                    return self.outcome(confirmed);
                }
                () = self.link.lost() => return Err(lost()),
                () = sleep_until(wake) => {
                    let now = Instant::now();
                    if now >= deadline {
                        return Err(unanswered());
                    }
                    if self.is_blocked() {
                        self.hear();
                    }
                    if now >= self.patience() {
                        self.fail();
                    }
                    wake = deadline.min(self.patience().max(earliest));
                }
            }
        }
    }

    fn outcome(&self, confirmed: lapin::Result<Confirmation>) -> Result<()> {
        match confirmed {
            Ok(confirmation) if confirmation.is_ack() => Ok(()),
            Ok(_) => {
                self.refused.store(true, Ordering::SeqCst);
                Err(Error::new(ErrorKind::Full, "a queue that wants the message refused it"))
            }
            Err(error) => Err(unknown(&error)),
        }
    }
}

/// Publishes one message and waits until it is confirmed.
async fn dispatch(
    channel: &Channel,
    parcel: Parcel,
    options: BasicPublishOptions,
) -> lapin::Result<Confirmation> {
    let Parcel { exchange, route, properties, body } = parcel;
    channel.basic_publish(exchange.into(), route.into(), options, &body, properties).await?.await
}

/// The same, for a message that may have to be published again.
pub(crate) async fn publish(
    channel: &Channel,
    parcel: &Parcel,
    options: BasicPublishOptions,
) -> lapin::Result<Confirmation> {
    dispatch(channel, parcel.clone(), options).await
}

/// The outcome of an event whose confirm was lost with its connection.
fn lost() -> Error {
    unknown(&std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into())
}
