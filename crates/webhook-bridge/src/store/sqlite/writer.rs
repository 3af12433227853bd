//! The one writer: a thread that takes what was asked meanwhile and commits it together.
//!
//! While one transaction is being synced, the next one gathers. So a commit costs one sync however many asked, and whoever
//! is waited for waits for no timer. What nobody waits for lets others join it a moment longer: a commit for each handful
//! would take the processor from those who are waited for.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use eventbus::Timestamp;
use rusqlite::Connection;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::identities::Identities;
use super::known::Known;
use super::routes::Routes;
use super::statements::Statements;
use crate::error::{Error, ErrorKind, Result};
use crate::metrics::Metrics;
use crate::model::{EndpointKey, Leased};
use crate::store::{Front, Hints, Ticket};

/// The most that is committed together: bounds what one failure undoes and how long readers see an older state.
const BATCH: usize = 768;
/// How much may wait before callers do: more than what the bus and the dispatcher have under way at most.
const QUEUE: usize = 4096;
/// How long what nobody waits for lets others join it, once any has: in all, and without any. So a stream gathers, and one
/// after the other are committed at once.
const PATIENCE: Duration = Duration::from_millis(10);
const PAUSE: Duration = Duration::from_millis(2);

/// A transaction under way, with what the writer knows beside the file.
pub(super) struct Write<'a> {
    pub(super) connection: &'a Connection,
    /// What is done for each delivery.
    pub(super) statements: Statements<'a>,
    /// Which endpoints want what, as of this transaction; `None` when endpoints changed since it was read.
    pub(super) routes: &'a mut Option<Routes>,
    pub(super) known: &'a mut Known,
    pub(super) identities: &'a mut Identities,
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

/// Something to be done within a transaction, perhaps more than once: a batch that fails is done again, without whatever
/// failed.
trait Job: Send {
    fn apply(&mut self, write: &mut Write<'_>) -> rusqlite::Result<()>;
    /// Whether somebody waits for what was just done.
    fn is_waited_for(&self) -> bool;
    fn settle(self: Box<Self>, committed: Result<()>);
}

struct Call<F, A> {
    work: F,
    answer: Option<A>,
    /// Whether with this answer nobody waits.
    is_patient: fn(&A) -> bool,
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

    fn is_waited_for(&self) -> bool {
        !self.answer.as_ref().is_some_and(self.is_patient)
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
        (connection, identities): (Connection, Identities),
        hints: Arc<Hints>,
        front: Attached,
        metrics: Arc<Metrics>,
    ) -> Result<(Self, JoinHandle<()>)> {
        let (queue, asked) = mpsc::channel(QUEUE);
        let (routes, known) = (None, Known::default());
        let desk = Desk { connection, hints, front, metrics, routes, known, identities };
        let unable = |cause| Error::new(ErrorKind::Internal, "no thread for the store").with_source(cause);
        // Made by the thread itself: it must not be dropped where others wait.
        let clock = || tokio::runtime::Builder::new_current_thread().enable_time().build().ok();
        let run = move || desk.run(Queue { asked, clock: clock() });
        let thread = thread::Builder::new().name("store-writer".into()).spawn(run);
        let thread = thread.map_err(unable)?;
        Ok((Self { queue }, thread))
    }

    /// Does this work in a transaction, with others' or alone, and answers when it is synced to disk.
    pub(super) async fn call<A, F>(&self, work: F) -> Result<A>
    where
        F: FnMut(&mut Write<'_>) -> rusqlite::Result<A> + Send + 'static,
        A: Send + 'static,
    {
        self.call_unless(|_| false, work).await
    }

    /// As [`call`](Self::call), where nobody waits for some answers: those may come [`PATIENCE`] later.
    pub(super) async fn call_unless<A, F>(&self, is_patient: fn(&A) -> bool, work: F) -> Result<A>
    where
        F: FnMut(&mut Write<'_>) -> rusqlite::Result<A> + Send + 'static,
        A: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.enqueue(Box::new(Call { work, answer: None, is_patient, reply })).await?;
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

/// What was asked and is not begun.
struct Queue {
    asked: mpsc::Receiver<Box<dyn Job>>,
    /// For waiting no longer than so long; without one there is no patience.
    clock: Option<Runtime>,
}

impl Queue {
    /// What comes next; `None` when nothing is there, or comes while there is patience.
    fn next(&mut self, patience: Duration) -> Option<Box<dyn Job>> {
        self.asked.try_recv().ok().or_else(|| {
            if patience.is_zero() {
                return None;
            }
            let Self { asked, clock } = self;
            clock
                .as_ref()?
                .block_on(async { timeout(patience.min(PAUSE), asked.recv()).await })
                .ok()
                .flatten()
        })
    }
}

struct Desk {
    connection: Connection,
    hints: Arc<Hints>,
    metrics: Arc<Metrics>,
    front: Attached,
    routes: Option<Routes>,
    known: Known,
    /// Outlives a transaction that is undone: it may know more than is stored.
    identities: Identities,
}

impl Desk {
    fn run(mut self, mut queue: Queue) {
        while let Some(first) = queue.asked.blocking_recv() {
            let (mut batch, mut waited, began) = (vec![first], Duration::ZERO, Instant::now());
            let done = self.transact(&mut batch, |batch, is_waited_for| {
                let alone = is_waited_for || batch == 1;
                let patience = if alone { Duration::ZERO } else { PATIENCE.saturating_sub(waited) };
                let asked = Instant::now();
                let next = (batch < BATCH).then(|| queue.next(patience)).flatten();
                waited += asked.elapsed();
                next
            });
            let count = batch.len();
            self.settle(batch, done);
            self.metrics.committed(count, began.elapsed() - waited, queue.asked.len());
        }
    }

    /// Answers all. What cannot be done is done alone, and the others still together, so that one who asks for the
    /// impossible costs the others no sync of their own; when it is the disk that fails, each is done alone.
    fn settle(&mut self, mut batch: Vec<Box<dyn Job>>, mut done: Result<(), Failure>) {
        while let Err(Failure { job, cause }) = done {
            match job {
                _ if batch.len() == 1 => {
                    tracing::error!(%cause, "the store could not commit");
                    return batch.into_iter().for_each(|job| job.settle(Err(super::error(&cause))));
                }
                Some(index) => self.alone(batch.remove(index)),
                None => return batch.into_iter().for_each(|job| self.alone(job)),
            }
            done = self.transact(&mut batch, |_, _| None);
        }
        batch.into_iter().for_each(|job| job.settle(Ok(())));
    }

    fn alone(&mut self, job: Box<dyn Job>) {
        let mut batch = vec![job];
        let done = self.transact(&mut batch, |_, _| None);
        self.settle(batch, done);
    }

    /// Does all in one transaction, with what joins it: `next` is told how many there are and whether any is waited for.
    fn transact(
        &mut self,
        batch: &mut Vec<Box<dyn Job>>,
        next: impl FnMut(usize, bool) -> Option<Box<dyn Job>>,
    ) -> Result<(), Failure> {
        let (mut hints, mut sent) = (HashMap::new(), Vec::new());
        let done = self.apply((batch, next), &mut hints, &mut sent);
        if done.is_err() {
            (self.routes, self.known) = (None, Known::default());
            // After an error of the disk SQLite has rolled back by itself; then there is nothing to undo.
            let _ = self.connection.execute_batch("ROLLBACK");
            return done;
        }
        if !hints.is_empty() {
            self.hints.post(hints);
        }
        self.hints.committed();
        if let Err(cause) = self.identities.settle(&self.connection) {
            tracing::warn!(%cause, "what is known of events that are forgotten is kept");
        }
        for (delivery, ticket) in sent {
            ticket.send(delivery);
        }
        Ok(())
    }

    fn apply(
        &mut self,
        (batch, mut next): (&mut Vec<Box<dyn Job>>, impl FnMut(usize, bool) -> Option<Box<dyn Job>>),
        hints: &mut HashMap<EndpointKey, Timestamp>,
        sent: &mut Vec<(Leased, Box<dyn Ticket>)>,
    ) -> Result<(), Failure> {
        let front =
            self.front.read().unwrap_or_else(PoisonError::into_inner).as_ref().and_then(Weak::upgrade);
        let (connection, routes, known) = (&self.connection, &mut self.routes, &mut self.known);
        let identities = &mut self.identities;
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let statements = Statements::of(connection);
        let front = front.as_deref();
        let mut write = Write { connection, statements, routes, known, identities, hints, front, sent };
        let (mut done, mut is_waited_for) = (0, false);
        loop {
            while let Some(job) = batch.get_mut(done) {
                job.apply(&mut write).map_err(|cause| Failure::of(done, cause))?;
                is_waited_for |= job.is_waited_for();
                done += 1;
            }
            let Some(job) = next(done, is_waited_for) else { break };
            batch.push(job);
        }
        write.known.store(&mut write.statements)?;
        drop(write);
        Ok(connection.prepare_cached("COMMIT")?.execute([]).map(drop)?)
    }
}

/// Why a transaction was undone.
struct Failure {
    /// Whose fault it was, by its place in the batch; `None` where it may be anybody's.
    job: Option<usize>,
    cause: rusqlite::Error,
}

impl Failure {
    /// A full disk meets whoever comes first; what SQLite refuses is the fault of who asked.
    fn of(index: usize, cause: rusqlite::Error) -> Self {
        let passing = super::error(&cause).kind() == ErrorKind::Unavailable;
        Self { job: (!passing).then_some(index), cause }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(cause: rusqlite::Error) -> Self {
        Self { job: None, cause }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_cannot_be_done_is_undone_alone_and_the_others_are_done_together() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE sequence (endpoint_no, next, sent_to); CREATE TABLE done (n)")
            .unwrap();
        let (writer, thread) = Writer::start(
            (connection, Identities::default()),
            Arc::default(),
            Attached::default(),
            Arc::default(),
        )
        .unwrap();
        let (begin, begun) = oneshot::channel();
        let (open, gate) = std::sync::mpsc::channel::<()>();
        let mut begin = Some(begin);
        let first = writer.call(move |_| {
            if let Some(begin) = begin.take() {
                begin.send(()).unwrap();
            }
            // Until the others stand in the queue.
            let _ = gate.recv();
            Ok(0)
        });
        let others = (0..100).map(|number| {
            writer.call(move |write| {
                write.connection.execute("INSERT INTO done VALUES (?1)", [number])?;
                if number == 50 {
                    return Err(rusqlite::Error::InvalidQuery);
                }
                write.hint(EndpointKey(number), Timestamp::from_millis(0));
                Ok(write.hints.len())
            })
        });
        let others = async {
            begun.await.unwrap();
            let open = async {
                tokio::task::yield_now().await;
                drop(open);
            };
            tokio::join!(futures::future::join_all(others), open).0
        };
        let (_, together) = tokio::join!(first, others);
        let transactions = together.iter().flatten().filter(|hints| **hints == 1).count();
        assert_eq!((together.iter().flatten().count(), transactions), (99, 2), "before it, and after it");
        assert!(together[50].is_err());
        let rows = |write: &mut Write<'_>| {
            write.connection.query_row("SELECT count(*), sum(n = 50) FROM done", [], |row| {
                Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
            })
        };
        assert_eq!(writer.call(rows).await.unwrap(), (99, 0));
        drop(writer);
        tokio::task::spawn_blocking(|| thread.join()).await.unwrap().unwrap();
    }

    /// It gathers more as long as nobody waits.
    #[tokio::test]
    async fn what_joins_is_in_the_same_transaction_and_it_is_known_whether_somebody_waits() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE sequence (endpoint_no, next, sent_to); CREATE TABLE done (n)")
            .unwrap();
        let (hints, front, metrics) = (Arc::default(), Attached::default(), Arc::default());
        let (routes, known, identities) = (None, Known::default(), Identities::default());
        let mut desk = Desk { connection, hints, metrics, front, routes, known, identities };
        let job = |number: i64, is_patient: fn(&i64) -> bool| {
            let (reply, answer) = oneshot::channel();
            let work = move |write: &mut Write<'_>| {
                write.connection.execute("INSERT INTO done VALUES (?1)", [number])?;
                write.connection.query_row("SELECT count(*) FROM done", [], |row| row.get(0))
            };
            (Box::new(Call { work, answer: None, is_patient, reply }) as Box<dyn Job>, answer)
        };
        let (patient, first) = job(1, |_| true);
        let (waited_for, second) = job(2, |count| *count == 1);
        let (mut batch, mut more, mut asked) = (vec![patient], vec![waited_for], Vec::new());
        let done = desk.transact(&mut batch, |count, is_waited_for| {
            asked.push((count, is_waited_for));
            more.pop()
        });
        assert!(done.is_ok() && desk.connection.is_autocommit());
        assert_eq!(asked, [(1, false), (2, true)]);
        desk.settle(batch, done);
        assert_eq!((first.await.unwrap().unwrap(), second.await.unwrap().unwrap()), (1, 2));
    }
}
