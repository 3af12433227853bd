//! What is published later, for those who plan it and take it back: they say so in a queue, and whoever keeps that answers.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventbus::transport::{Publishing, WhenFull};
use eventbus::{Error, ErrorKind, EventId, Result};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use crate::member::lock;
use crate::message::Parcel;
use crate::plan::{Answer, Plan, Request, mark};
use crate::shared::Shared;

/// How long planning and taking back may take.
const DEADLINE: Duration = Duration::from_secs(30);
/// After how long a request is made again: its answer may have been lost.
const AGAIN: Duration = Duration::from_secs(2);
/// How long the end of keeping is waited for.
const LEAVING: Duration = Duration::from_secs(5);

/// What a transport knows of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// Nobody has made sure of it.
    None,
    /// It is there, and safe from this instant on; answers come to this queue.
    Ready { safe: Instant, answers: String },
    /// The transport is closed.
    Over,
}

/// What a transport shares of what is published later.
pub(crate) struct Later {
    begun: AtomicBool,
    access: watch::Sender<Access>,
    /// Turns true when this transport keeps nothing any more.
    pub(crate) left: watch::Sender<bool>,
    /// Who waits for an answer, by the name of the request.
    asked: Mutex<HashMap<String, oneshot::Sender<Answer>>>,
    /// The place of the plan before.
    place: AtomicI64,
    /// What is wrong at this moment: with the queue, with what lies in it, with how much that is, with where it goes.
    troubles: Mutex<[Option<String>; 4]>,
}

/// What may be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Broken,
    Foreign,
    Full,
    Refused,
}

impl Default for Later {
    fn default() -> Self {
        Self {
            begun: AtomicBool::new(false),
            access: watch::Sender::new(Access::None),
            left: watch::Sender::new(true),
            asked: Mutex::default(),
            place: AtomicI64::new(0),
            troubles: Mutex::default(),
        }
    }
}

impl Later {
    /// Notes that this transport stands by to keep the queue; `false` when it did before.
    pub(crate) fn begin(&self) -> bool {
        let first = !self.begun.swap(true, Ordering::SeqCst);
        if first {
            self.left.send_replace(false);
        }
        first
    }

    pub(crate) fn set(&self, access: Access) {
        self.access.send_if_modified(|known| {
            let changes = *known != Access::Over && *known != access;
            if changes {
                *known = access;
            }
            changes
        });
    }

    /// The transport closes.
    pub(crate) fn close(&self) {
        self.set(Access::Over);
    }

    /// Returns when the transport closes.
    pub(crate) async fn closed(&self) {
        let _ = self.access.subscribe().wait_for(|access| *access == Access::Over).await;
    }

    /// Waits until this transport keeps nothing any more.
    pub(crate) async fn ended(&self) {
        let _ = timeout(LEAVING, self.left.subscribe().wait_for(|left| *left)).await;
    }

    /// Somebody's request was answered.
    pub(crate) fn answered(&self, name: &str, answer: Answer) {
        if let Some(asked) = lock(&self.asked).remove(name) {
            let _ = asked.send(answer);
        }
    }

    pub(crate) fn troubles(&self) -> Vec<String> {
        lock(&self.troubles).iter().flatten().cloned().collect()
    }

    /// Says what is wrong, or that nothing is any more.
    pub(crate) fn tell(&self, trouble: Trouble, text: Option<String>) {
        let mut troubles = lock(&self.troubles);
        let known = &mut troubles[trouble as usize];
        if let Some(text) = text.as_ref().filter(|text| known.as_ref() != Some(*text)) {
            tracing::warn!("{text}");
        }
        *known = text;
    }

    /// Waits for the queue; its name for answers.
    async fn ready(&self, end: Instant) -> Result<String> {
        let mut access = self.access.subscribe();
        let ready = async {
            let access = access.wait_for(|access| *access != Access::None).await;
            match access.as_deref() {
                Ok(Access::Ready { safe, answers }) => Ok((*safe, answers.clone())),
                _ => Err(Error::closed("the AMQP transport")),
            }
        };
        let in_vain = || {
            let why = self.troubles().into_iter().next().unwrap_or_default();
            Error::new(ErrorKind::NotSent, format!("nothing can be planned at this moment: {why}"))
        };
        let (safe, answers) = timeout_at(end, ready).await.map_err(|_| in_vain())??;
        // A broker that is killed before forgets the queue with everything in it.
        tokio::select! {
            () = sleep_until(safe) => Ok(answers),
            () = self.closed() => Err(Error::closed("the AMQP transport")),
        }
    }

    fn plan(&self, id: &EventId, delay: Duration) -> Plan {
        let now = jiff::Timestamp::now().as_microsecond();
        let next = |last: i64| Some(now.max(last + 1));
        let last = self.place.fetch_update(Ordering::SeqCst, Ordering::SeqCst, next).unwrap_or(0);
        let due = now.saturating_add(i64::try_from(delay.as_micros()).unwrap_or(i64::MAX));
        // Up, so that nothing is early.
        let due = due.div_euclid(1000) + i64::from(due.rem_euclid(1000) > 0);
        let (id, number, place) = (id.as_str().to_owned(), rand::random(), now.max(last + 1));
        Plan { id, number, due, place, is_copy: false, was_read: false }
    }
}

/// Publishes one message; what is full says `Full` at once.
pub(crate) async fn send(shared: &Shared, parcel: Parcel, end: Instant) -> Result<()> {
    let deadline = end.saturating_duration_since(Instant::now());
    let publishing = Publishing { deadline, when_full: WhenFull::Fail };
    let sent = shared.publisher.publish(vec![parcel], publishing).await.pop();
    sent.unwrap_or_else(|| Err(Error::new(ErrorKind::Unknown, "the publisher told nothing")))
}

/// Has an event published after a delay, which begins when there is a queue to keep it.
pub(crate) async fn schedule(
    shared: &Shared,
    (id, event): (&EventId, &Parcel),
    delay: Duration,
) -> Result<()> {
    let (later, end) = (&shared.later, Instant::now() + DEADLINE);
    later.ready(end).await?;
    // A delay begins when it can be kept: who subscribes after this returns has all of it.
    let plan = later.plan(id, delay);
    let exchange = shared.bus.later().queue();
    let sent = send(shared, plan.parcel(exchange.as_str(), event), end).await;
    match sent {
        Err(error) if error.kind() == ErrorKind::Full => {
            // Whoever keeps the queue looks whether that is still so.
            let _ = send(shared, mark(exchange.as_str(), 0), end).await;
            Err(Error::new(ErrorKind::Full, "too many events are scheduled already"))
        }
        sent => sent,
    }
}

/// Somebody who waits for an answer.
struct Asked<'a> {
    later: &'a Later,
    name: String,
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        lock(&self.later.asked).remove(&self.name);
    }
}

/// Has an event taken back: tells whether it was.
pub(crate) async fn cancel(shared: &Arc<Shared>, id: &EventId) -> Result<bool> {
    let (later, end) = (&shared.later, Instant::now() + DEADLINE);
    let asked = Asked { later, name: shared.name() };
    let (answering, mut answer) = oneshot::channel();
    lock(&later.asked).insert(asked.name.clone(), answering);
    let exchange = shared.bus.later().queue();
    // Whether a request may lie in the queue, where it will be done whatever is said here.
    let mut asks = false;
    loop {
        let answers = later.ready(end).await?;
        let request = Request { id: id.as_str().to_owned(), name: asked.name.clone(), answers };
        let round = end.min(Instant::now() + AGAIN);
        let sent = send(shared, request.parcel(exchange.as_str()), round).await;
        asks |= sent.as_ref().err().is_none_or(|error| error.kind() == ErrorKind::Unknown);
        tokio::select! {
            biased;
            answer = &mut answer => {
                let lost = |_| Error::new(ErrorKind::Unknown, "nobody answers any more");
                return answer.map(|answer| answer == Answer::TakenBack).map_err(lost);
            }
            () = later.closed() => return Err(Error::closed("the AMQP transport")),
            () = sleep_until(round) => {}
        }
        if Instant::now() >= end {
            let text =
                "taking an event back: nobody who keeps the scheduled events has answered; cancel again";
            let kind = if asks { ErrorKind::Unknown } else { ErrorKind::NotSent };
            return Err(Error::new(kind, text));
        }
        sleep(Duration::from_millis(10)).await;
    }
}
