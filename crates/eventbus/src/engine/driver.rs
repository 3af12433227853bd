//! The task of a subscription: it receives, lets handlers run, and settles.
//!
//! It never waits for one thing alone: receiving, settling and handlers go on side by side. A handler is polled once on
//! this task, because most are done by then; one that is not continues on a task of its own.

use std::collections::{HashMap, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant as Stopwatch};

use futures::future::BoxFuture;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Interval, MissedTickBehavior, Sleep, interval, sleep_until};

use super::attempt::Verdict;
use super::backlog::{self, Message};
use super::control::{Command, Control};
use super::current::Handling;
use super::dispatch::Memo;
use super::handler::{Context, Slot};
use super::lanes::Lanes;
use super::plan::Plan;
use super::receiving::Incoming;
use super::starting::is_suspect;
use crate::error::Result;
use crate::event::AnyEvent;
use crate::transport::{Backlog, Membership, Mode, Reader, Settled, Settlement, Settler, Token};

/// How often the receive loop shows that it is alive.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(1);

/// A handler that takes longer than this before it first waits is given a task of its own.
const LONG: Duration = Duration::from_micros(100);
/// How many messages after such a one go straight to tasks of their own.
const SPREAD: u32 = 256;

/// The task of a subscription.
pub(crate) struct Driver {
    pub(super) plan: Arc<Plan>,
    pub(super) control: Arc<Control>,
    pub(super) settler: Arc<dyn Settler>,
    /// Counts memberships: what an earlier one received cannot be settled any more.
    pub(super) membership: u64,
    /// Counts receives, to know which of them began before a key was held.
    pub(super) receives: u64,
    pub(super) receiving: Option<BoxFuture<'static, Incoming>>,
    pub(super) resting: Option<Box<dyn Reader>>,
    settling: Option<BoxFuture<'static, Settling>>,
    pub(super) settlements: Vec<(Token, Settlement)>,
    /// Counts batches of settlements that were sent.
    pub(super) batches: u64,
    pub(super) backlog: backlog::Backlog,
    /// Messages whose lane has come to them: they run before anything else.
    pub(super) promoted: VecDeque<Message>,
    pub(super) lanes: Lanes<Message>,
    pub(super) tasks: JoinSet<Verdict>,
    pub(super) running: HashMap<Id, Tag>,
    /// Memory for one running handler of each row of the dispatch.
    pub(super) slots: Vec<Option<Box<dyn Slot>>>,
    pub(super) memo: Memo,
    /// What handlers are told beside the event, filled in anew for each message.
    pub(super) about: Context,
    /// Messages acknowledged since that was last counted.
    pub(super) acked: u64,
    pub(super) spread: u32,
    /// Whether the group is being joined again instead of received from.
    pub(super) reopening: bool,
    /// Whether the dead letters were full when one was last to be added.
    crowded: bool,
    /// Whether the one message that runs, or waits to, must be the only one held.
    pub(super) alone: bool,
    /// How many messages are held at once for the time being.
    pub(super) window: usize,
    pub(super) longest_delay: Duration,
    tick: Interval,
    deadline: Option<std::pin::Pin<Box<Sleep>>>,
}

/// What is known of a message while its handler has the event.
pub(super) struct Tag {
    pub(super) token: Token,
    pub(super) membership: u64,
    pub(super) attempt: u32,
    /// The event of an ordered subscription, for its key.
    pub(super) keyed: Option<AnyEvent>,
}

/// A batch of settlements, and what became of them.
type Settling = (Vec<(Token, Settlement)>, Vec<Settled>);

/// What woke the task.
enum Happening {
    Incoming(Incoming),
    Settled(Vec<(Token, Settlement)>, Vec<Settled>),
    Finished(Result<(Id, Verdict), JoinError>),
    Tick,
    Told,
    Deadline,
    /// Nothing, but there is more to start.
    More,
}

impl Driver {
    pub(crate) fn new(plan: Arc<Plan>, control: Arc<Control>, membership: Membership) -> Self {
        let capabilities = plan.transport.capabilities();
        let mut tick = interval(capabilities.lease.map_or(HEARTBEAT, |lease| HEARTBEAT.min(lease / 3)));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let slots = (0..plan.dispatch.len()).map(|_| None).collect();
        let about = Context { group: Arc::clone(&plan.group), attempt: 1, lost: 0, history: None };
        Self {
            window: *plan.prefetch.start(),
            plan,
            control,
            settler: membership.settler,
            membership: 0,
            receives: 0,
            receiving: None,
            resting: Some(membership.reader),
            settling: None,
            settlements: Vec::new(),
            batches: 0,
            backlog: backlog::Backlog::default(),
            promoted: VecDeque::new(),
            lanes: Lanes::default(),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            slots,
            memo: Memo::default(),
            about,
            acked: 0,
            spread: 0,
            reopening: false,
            crowded: false,
            alone: false,
            longest_delay: capabilities.retry_delay.unwrap_or_default(),
            tick,
            deadline: None,
        }
    }

    /// Works until it is told to stop and has finished, or the transport is closed.
    pub(crate) async fn run(mut self) {
        let mut command = Command::Run;
        loop {
            if command == Command::Run {
                self.start_all().await;
                self.receive();
            }
            if matches!(command, Command::Stop(_)) {
                self.give_back_all();
            }
            self.settle();
            if matches!(command, Command::Stop(_)) && self.is_done() {
                return self.take_stock().await;
            }
            match poll_fn(|context| self.poll(command, context)).await {
                Happening::Incoming(incoming) => {
                    if !self.take_in(incoming) {
                        return;
                    }
                }
                Happening::Settled(sent, settled) => self.settled(sent, &settled),
                Happening::Finished(finished) => self.finish(finished),
                Happening::Tick => self.beat().await,
                Happening::Told => {
                    command = self.control.current();
                    self.obey(command).await;
                }
                Happening::Deadline => self.abort(),
                Happening::More => tokio::task::yield_now().await,
            }
        }
    }

    fn poll(&mut self, known: Command, context: &mut TaskContext<'_>) -> Poll<Happening> {
        if self.control.watch(context) != known {
            return Poll::Ready(Happening::Told);
        }
        if let Some(settling) = &mut self.settling
            && let Poll::Ready((sent, settled)) = settling.as_mut().poll(context)
        {
            self.settling = None;
            return Poll::Ready(Happening::Settled(sent, settled));
        }
        if let Poll::Ready(Some(finished)) = self.tasks.poll_join_next_with_id(context) {
            return Poll::Ready(Happening::Finished(finished));
        }
        if !self.alone
            && let Some(receiving) = &mut self.receiving
            && let Poll::Ready(incoming) = receiving.as_mut().poll(context)
        {
            self.receiving = None;
            return Poll::Ready(Happening::Incoming(incoming));
        }
        if self.deadline.as_mut().is_some_and(|deadline| deadline.as_mut().poll(context).is_ready()) {
            self.deadline = None;
            return Poll::Ready(Happening::Deadline);
        }
        if known == Command::Run && self.can_start() {
            return Poll::Ready(Happening::More);
        }
        self.tick.poll_tick(context).map(|_| Happening::Tick)
    }

    /// Sends what is to be settled, one batch at a time: what comes up meanwhile makes the next batch.
    fn settle(&mut self) {
        if self.settling.is_some() || self.settlements.is_empty() {
            return;
        }
        self.control.stats.acked.fetch_add(std::mem::take(&mut self.acked), Ordering::Relaxed);
        self.batches += 1;
        let (settler, batch) = (Arc::clone(&self.settler), std::mem::take(&mut self.settlements));
        self.settling = Some(Box::pin(async move {
            let settled = settler.settle(&batch).await;
            (batch, settled)
        }));
    }

    /// Acts on results that are not what was asked for.
    fn settled(&mut self, sent: Vec<(Token, Settlement)>, settled: &[Settled]) {
        self.alone &= !self.running.is_empty() || self.is_settling();
        match settled.contains(&Settled::Refused) {
            false => self.lanes.settled(self.batches, self.receives),
            true => self.lanes.unsettled(self.batches),
        }
        if settled.iter().all(|settled| *settled == Settled::Applied) {
            if self.crowded && sent.iter().any(|(_, sent)| matches!(sent, Settlement::DeadLetter { .. })) {
                self.crowded = false;
                self.control.trouble(None);
            }
            return;
        }
        for ((token, settlement), settled) in sent.into_iter().zip(settled) {
            match (settled, settlement) {
                (Settled::Applied, _) => {}
                (Settled::Refused, Settlement::DeadLetter { failure, .. }) => {
                    let text = "the dead letters are full: the message will be tried again";
                    tracing::error!(group = %self.plan.group, "{text}");
                    self.control.trouble(Some(text.to_owned()));
                    self.crowded = true;
                    let delay = *self.plan.retry.bounds(u32::MAX).end();
                    let delay = delay.max(Duration::from_secs(1));
                    self.settlements.push((token, Settlement::RetryAfter { delay, failure }));
                }
                _ => {
                    self.control.stats.settle_lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Shows that the loop is alive, and keeps what it holds from being given to others.
    async fn beat(&mut self) {
        self.control.beat();
        if self.plan.transport.capabilities().lease.is_none() {
            return;
        }
        let running =
            self.running.values().filter(|tag| tag.membership == self.membership).map(|tag| tag.token);
        let queued = self.lanes.iter().chain(&self.promoted).map(|message| message.received.token);
        let waiting = self.backlog.tokens().chain(queued);
        let tokens: Vec<Token> = running.chain(waiting).collect();
        if !tokens.is_empty() {
            self.settler.extend(&tokens).await;
        }
    }

    /// Begins to stop.
    async fn obey(&mut self, command: Command) {
        let Command::Stop(deadline) = command else { return };
        if self.reopening {
            // Who leaves needs not join again; what the lost membership held was given back with it.
            self.receiving = None;
        }
        self.deadline = Some(Box::pin(sleep_until(deadline)));
        self.settler.stop().await;
    }

    /// Gives back what has not started.
    fn give_back_all(&mut self) {
        let unstarted = self.promoted.drain(..).chain(self.lanes.drain()).chain(self.backlog.drain());
        let unstarted: Vec<Message> = unstarted.collect();
        unstarted.iter().for_each(|message| self.give_back(message));
    }

    /// The deadline has passed: what still runs is dropped and goes back.
    fn abort(&mut self) {
        self.tasks.abort_all();
        self.receiving = None;
    }

    /// Looks at what the group holds before this member leaves, where the group goes with it.
    async fn take_stock(&mut self) {
        let spec = &self.plan.spec;
        if spec.mode != Mode::Broadcast && !spec.ephemeral {
            return;
        }
        if let Ok(Some(left)) = self.plan.transport.backlog(&spec.group).await {
            let left = Backlog { members: left.members.saturating_sub(1), ..left };
            self.control.left(left);
        }
    }

    fn is_done(&self) -> bool {
        self.tasks.is_empty() && !self.is_settling() && self.receiving.is_none()
    }

    pub(super) fn is_settling(&self) -> bool {
        self.settling.is_some() || !self.settlements.is_empty()
    }

    fn can_start(&self) -> bool {
        let waits = !self.promoted.is_empty() || (self.backlog.len() > 0 && !self.alone);
        waits && self.running.len() < self.plan.concurrency
    }

    /// Starts what may start, and stops for breath when that takes long.
    async fn start_all(&mut self) {
        let since = Stopwatch::now();
        let mut started = 0;
        let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
        let mut context = TaskContext::from_waker(&waker);
        let _handling = Handling::enter(self.plan.bus, None);
        while self.can_start() {
            match self.promoted.pop_front() {
                Some(message) => self.start_now(message, &mut context),
                None => match self.backlog.pop() {
                    Some(message) if is_suspect(&message.received) => self.isolate(message, &mut context),
                    Some(message) => self.start(message, &mut context),
                    None => break,
                },
            }
            started += 1;
            if started % 64 == 0 && since.elapsed() > LONG * 64 {
                break;
            }
        }
        self.alone &= !self.running.is_empty() || self.is_settling();
        if started > 0 && since.elapsed() > LONG * started {
            self.spread = SPREAD;
        } else if self.running.is_empty() {
            self.window = self.window.saturating_mul(2).min(*self.plan.prefetch.end());
        }
    }
}
