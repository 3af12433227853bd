//! Dead letters for people: selecting, redriving with a dry run and a rate, purging. Written once for every transport.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::error::{Error, Result};
use crate::event::{Pattern, Timestamp};
use crate::transport::{Body, DeadLetter, DeadLetters, Reason};

/// How many dead letters are asked for at once.
const PAGE: usize = 256;

/// The dead letters of a group: listed, inspected, redriven and purged the same way on every transport.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> eventbus::Result<()> {
/// # let bus = eventbus::EventBus::connect("local:").await?;
/// # bus.subscribe("ledger").on(|_: eventbus::AnyEvent| async { Ok(()) }).start().await?;
/// use eventbus::{Select, transport::Reason};
/// let dead = bus.dead_letters("ledger")?;
/// let timed_out = Select::all().reason(Reason::TimedOut);
/// println!("would redrive {}", dead.redrive(timed_out.clone()).dry_run().await?.matched);
/// dead.redrive(timed_out).rate(50).run().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DeadLetterQueue {
    letters: Arc<dyn DeadLetters>,
}

/// Which dead letters; every condition that is set must hold.
#[derive(Clone, Default)]
pub struct Select {
    id: Option<u64>,
    after: Option<u64>,
    pattern: Option<Pattern>,
    key: Option<String>,
    event: Option<String>,
    reason: Option<Reason>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    matching: Option<Arc<Matching>>,
}

type Matching = dyn Fn(&DeadLetter) -> bool + Send + Sync;

impl Select {
    /// All of them.
    pub fn all() -> Self {
        Self::default()
    }

    /// The one with this number.
    pub fn id(id: u64) -> Self {
        Self { id: Some(id), ..Self::default() }
    }

    /// Those after the one with this number: the next page, where that was the last one of a page.
    #[must_use]
    pub fn after(self, id: u64) -> Self {
        Self { after: Some(id), ..self }
    }

    /// Those whose event type matches a pattern.
    #[must_use]
    pub fn pattern(self, pattern: Pattern) -> Self {
        Self { pattern: Some(pattern), ..self }
    }

    /// Those with this order key.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// Those of the event with this id.
    #[must_use]
    pub fn event(self, id: impl Into<String>) -> Self {
        Self { event: Some(id.into()), ..self }
    }

    /// Those given up for this reason.
    #[must_use]
    pub fn reason(self, reason: Reason) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// Those dead-lettered at this instant or later.
    #[must_use]
    pub fn since(self, time: Timestamp) -> Self {
        Self { since: Some(time), ..self }
    }

    /// Those dead-lettered before this instant.
    #[must_use]
    pub fn until(self, time: Timestamp) -> Self {
        Self { until: Some(time), ..self }
    }

    /// Those a function says yes to.
    #[must_use]
    pub fn matching(self, matching: impl Fn(&DeadLetter) -> bool + Send + Sync + 'static) -> Self {
        Self { matching: Some(Arc::new(matching)), ..self }
    }

    /// Tells whether a dead letter is among them. One that is no event has neither type nor key nor event id.
    pub fn selects(&self, letter: &DeadLetter) -> bool {
        let event = match &letter.body {
            Body::Event(event) => Some(event),
            Body::Undecodable(_) => None,
        };
        self.id.is_none_or(|id| letter.id == id)
            && self.after.is_none_or(|id| letter.id > id)
            && self.reason.is_none_or(|reason| letter.reason == reason)
            && self.since.is_none_or(|since| letter.time >= since)
            && self.until.is_none_or(|until| letter.time < until)
            && is(self.pattern.as_ref(), |pattern| {
                event.is_some_and(|event| pattern.matches(event.event_type().as_str()))
            })
            && is(self.key.as_ref(), |key| {
                event.and_then(|event| event.key()).is_some_and(|is| is.as_str() == key)
            })
            && is(self.event.as_ref(), |id| event.is_some_and(|event| event.id().as_str() == id))
            && is(self.matching.as_ref(), |matching| matching(letter))
    }
}

fn is<T>(condition: Option<T>, holds: impl FnOnce(T) -> bool) -> bool {
    condition.is_none_or(holds)
}

impl fmt::Debug for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select").field("id", &self.id).field("pattern", &self.pattern).finish_non_exhaustive()
    }
}

impl DeadLetterQueue {
    pub(super) fn new(letters: Arc<dyn DeadLetters>) -> Self {
        Self { letters }
    }

    /// The selected dead letters, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when there is no such group; the transport's transient ones.
    pub async fn list(&self, select: Select, limit: usize) -> Result<Vec<DeadLetter>> {
        let mut found = Vec::new();
        let mut after = select.id.map(|id| id.saturating_sub(1)).max(select.after);
        while found.len() < limit {
            let page = self.letters.list(after, PAGE).await?;
            let (Some(last), full) = (page.last().map(|letter| letter.id), page.len() == PAGE) else { break };
            found.extend(page.into_iter().filter(|letter| select.selects(letter)));
            after = Some(last);
            if !full || select.id.is_some() {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// One dead letter.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn inspect(&self, id: u64) -> Result<Option<DeadLetter>> {
        Ok(self.list(Select::id(id), 1).await?.pop())
    }

    /// Begins to hand the selected dead letters out to the group again, oldest first, each with its event's own id.
    pub fn redrive(&self, select: Select) -> Redrive {
        Redrive { queue: self.clone(), select, rate: None }
    }

    /// Removes the selected dead letters for good; tells how many.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn purge(&self, select: Select) -> Result<u64> {
        let mut purged = 0;
        for letter in self.list(select, usize::MAX).await? {
            purged += u64::from(self.letters.purge(letter.id).await?);
        }
        Ok(purged)
    }
}

impl fmt::Debug for DeadLetterQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.letters.fmt(f)
    }
}

/// A redrive in the making.
#[derive(Debug)]
#[must_use = "a redrive does nothing until it is run"]
pub struct Redrive {
    queue: DeadLetterQueue,
    select: Select,
    rate: Option<u32>,
}

/// What a redrive did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Redriven {
    /// Dead letters that were selected.
    pub matched: u64,
    /// Dead letters that were handed out again; fewer when somebody else was faster, none for a dry run.
    pub redriven: u64,
}

impl Redrive {
    /// Limits how many go out per second; above 0.
    pub fn rate(self, per_second: u32) -> Self {
        Self { rate: Some(per_second), ..self }
    }

    /// Counts what would be redriven and changes nothing.
    ///
    /// # Errors
    /// As [`DeadLetterQueue::list`].
    pub async fn dry_run(self) -> Result<Redriven> {
        let matched = self.queue.list(self.select, usize::MAX).await?.len() as u64;
        Ok(Redriven { matched, redriven: 0 })
    }

    /// Redrives. Dropping the future stops it between two dead letters; what is done is done.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) for a rate of 0; as [`DeadLetterQueue::list`].
    pub async fn run(self) -> Result<Redriven> {
        let mut pace = match self.rate {
            None => None,
            Some(0) => return Err(Error::invalid("rate: must be above 0")),
            Some(rate) => {
                let mut pace = interval((Duration::from_secs(1) / rate).max(Duration::from_nanos(1)));
                pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
                Some(pace)
            }
        };
        let mut done = Redriven::default();
        for letter in self.queue.list(self.select, usize::MAX).await? {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            done.matched += 1;
            done.redriven += u64::from(self.queue.letters.redrive(letter.id).await?);
        }
        Ok(done)
    }
}
