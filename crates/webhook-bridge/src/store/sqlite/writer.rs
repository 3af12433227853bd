//! The one writer: a thread that takes what was asked meanwhile and commits it together.
//!
//! While one transaction is being synced, the next one gathers. So a commit costs one sync however many asked, and a
//! single caller waits for no timer.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use eventbus::Timestamp;
use rusqlite::Connection;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::known::Known;
use super::routes::Routes;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::Metrics;
use crate::model::{EndpointKey, Leased};
use crate::store::{Front, Hints, Ticket};

/// The most that is committed together: bounds what one failure undoes and how long readers see an older state.
const BATCH: usize = 256;
/// How much may wait before callers do: more than what the bus and the dispatcher have under way at most.
const QUEUE: usize = 4096;

/// A transaction under way, with what the writer knows beside the file.
pub(super) struct Write<'a> {
    pub(super) connection: &'a Connection,
    /// Which endpoints want what, as of this transaction; `None` when endpoints changed since it was read.
    pub(super) routes: &'a mut Option<Routes>,
    pub(super) known: &'a mut Known,
    /// What became due; told to the dispatcher after the commit.
    pub(super) hints: &'a mut HashMap<EndpointKey, Timestamp>,
    /// Who may have room for what is stored.
    pub(super) front: Option<&'a dyn Front>,
    /// What is stored leased; sent after the commit, or the room is given back.
    pub(super) sent: &'a mut Vec<(Leased, Box<dyn Ticket>)>,
}

/// Whoever sends at present, if anybody does.
pub(super) type Attached = Arc<RwLock<Option<Weak<dyn Front>>>>;

impl Write<'_> {
    /// Which endpoints want what, read if it has to be.
    pub(super) fn routes(&mut self) -> rusqlite::Result<&mut Routes> {
        if self.routes.is_none() {
            *self.routes = Some(Routes::read(self.connection)?);
        }
        Ok(self.routes.get_or_insert_default())
    }

    /// Notes that an endpoint has a delivery due at this time.
    pub(super) fn hint(&mut self, endpoint: EndpointKey, at: Timestamp) {
        self.hints.entry(endpoint).and_modify(|known| *known = at.min(*known)).or_insert(at);
    }
}

/// Hands work to the writer's thread.
#[derive(Debug)]
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
}

/// Something to be done within a transaction, perhaps more than once: a batch that fails is done again one by one.
trait Job: Send {
    fn apply(&mut self, write: &mut Write<'_>) -> rusqlite::Result<()>;
    fn settle(self: Box<Self>, committed: Result<()>);
}

struct Call<F, A> {
    work: F,
    answer: Option<A>,
    reply: oneshot::Sender<Result<A>>,
}

impl<F, A> Job for Call<F, A>
where
    F: FnMut(&mut Write<'_>) -> rusqlite::Result<A> + Send,
    A: Send,
{
    fn apply(&mut self, write: &mut Write<'_>) -> rusqlite::Result<()> {
        self.answer = Some((self.work)(write)?);
        Ok(())
    }

    fn settle(self: Box<Self>, committed: Result<()>) {
        let nothing = || Error::new(ErrorKind::Internal, "the store committed nothing");
        let Self { answer, reply, .. } = *self;
        // Whoever asked may have gone; it is done all the same.
        let _ = reply.send(committed.and_then(|()| answer.ok_or_else(nothing)));
    }
}

impl Writer {
    /// Starts the thread. It ends when this handle is dropped and all that was asked is done.
    pub(super) fn start(
        connection: Connection,
        hints: Arc<Hints>,
        front: Attached,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, JoinHandle<()>)> {
        let (queue, asked) = mpsc::channel(QUEUE);
        let desk = Desk { connection, hints, front, metrics, routes: None, known: Known::default() };
        let thread = thread::Builder::new().name("store-writer".into()).spawn(move || desk.run(asked));
        let thread = thread
            .map_err(|cause| Error::new(ErrorKind::Internal, "no thread for the store").with_source(cause))?;
        Ok((Self { queue }, thread))
    }

    /// Does this work in a transaction, with others' or alone, and answers when it is synced to disk.
    pub(super) async fn call<A, F>(&self, work: F) -> Result<A>
    where
        F: FnMut(&mut Write<'_>) -> rusqlite::Result<A> + Send + 'static,
        A: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Box::new(Call { work, answer: None, reply })).await?;
        answer.await.map_err(|_| closed())?
    }

    /// Joins the queue at the first poll where there is room, so that who is polled first is first: an awaited send may
    /// yield for fairness between tasks, and a later call of the same task would overtake it.
    async fn enqueue(&self, job: Box<dyn Job>) -> Result<()> {
        match self.queue.try_send(job) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(job)) => self.queue.send(job).await.map_err(|_| closed()),
            Err(TrySendError::Closed(_)) => Err(closed()),
        }
    }
}

fn closed() -> Error {
    Error::new(ErrorKind::Closed, "the store is closed")
}

struct Desk {
    connection: Connection,
    hints: Arc<Hints>,
    metrics: Arc<Metrics>,
    front: Attached,
    routes: Option<Routes>,
    known: Known,
}

impl Desk {
    fn run(mut self, mut asked: mpsc::Receiver<Box<dyn Job>>) {
        while let Some(first) = asked.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH {
                let Ok(job) = asked.try_recv() else { break };
                batch.push(job);
            }
            let (count, began) = (batch.len(), Instant::now());
            self.commit(batch);
            self.metrics.committed(count, began.elapsed(), asked.len());
        }
    }

    /// Commits all, or each alone when one of them cannot be.
    fn commit(&mut self, mut batch: Vec<Box<dyn Job>>) {
        match self.transact(&mut batch) {
            Ok(()) => batch.into_iter().for_each(|job| job.settle(Ok(()))),
            Err(cause) if batch.len() == 1 => batch.into_iter().for_each(|job| {
                tracing::error!(%cause, "the store could not commit");
                job.settle(Err(super::error(&cause)));
            }),
            Err(_) => batch.into_iter().for_each(|job| self.commit(vec![job])),
        }
    }

    fn transact(&mut self, batch: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
        let (mut hints, mut sent) = (HashMap::new(), Vec::new());
        let done = self.apply(batch, &mut hints, &mut sent);
        if done.is_err() {
            (self.routes, self.known) = (None, Known::default());
            // After an error of the disk SQLite has rolled back by itself; then there is nothing to undo.
            let _ = self.connection.execute_batch("ROLLBACK");
            return done;
        }
        if !hints.is_empty() {
            self.hints.post(hints);
        }
        for (delivery, ticket) in sent {
            ticket.send(delivery);
        }
        Ok(())
    }

    fn apply(
        &mut self,
        batch: &mut [Box<dyn Job>],
        hints: &mut HashMap<EndpointKey, Timestamp>,
        sent: &mut Vec<(Leased, Box<dyn Ticket>)>,
    ) -> rusqlite::Result<()> {
        let front =
            self.front.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Weak::upgrade);
        let (connection, routes, known) = (&self.connection, &mut self.routes, &mut self.known);
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut write = Write { connection, routes, known, hints, front: front.as_deref(), sent };
        for job in batch {
            job.apply(&mut write)?;
        }
        self.known.store(connection)?;
        connection.prepare_cached("COMMIT")?.execute([]).map(drop)
    }
}
