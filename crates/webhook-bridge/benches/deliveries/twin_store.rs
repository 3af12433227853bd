//! The twin's store: the bridge's rows in tables of their own, written by one thread that commits what gathered.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use eventbus::{AnyEvent, Key, Timestamp};
use rusqlite::{Connection, params};
use tokio::sync::{mpsc, oneshot};

const BATCH: usize = 768;

/// What the bridge stores of an event, a delivery and an attempt, found by the same keys.
const TABLES: &str = "
    CREATE TABLE event (no INTEGER PRIMARY KEY, livemode INTEGER NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL,
        type TEXT NOT NULL, key TEXT, trace TEXT, occurred_at INTEGER NOT NULL, received_at INTEGER NOT NULL,
        body BLOB NOT NULL) STRICT;
    CREATE UNIQUE INDEX event_identity ON event (livemode, id, source);
    CREATE TABLE delivery (endpoint_no INTEGER NOT NULL, sequence INTEGER NOT NULL, event_no INTEGER NOT NULL,
        state INTEGER NOT NULL, attempts INTEGER NOT NULL, due_at INTEGER NOT NULL, created_at INTEGER NOT NULL,
        finished_at INTEGER, first_at INTEGER, first_ms INTEGER, first_status INTEGER, first_trouble TEXT,
        PRIMARY KEY (endpoint_no, sequence)) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX delivery_event ON delivery (event_no, endpoint_no);
    CREATE INDEX delivery_due ON delivery (endpoint_no, due_at, sequence) WHERE state = 0;";

/// What became of a request.
pub(crate) struct Outcome {
    pub(crate) endpoint: usize,
    pub(crate) sequence: i64,
    pub(crate) started_at: Timestamp,
    pub(crate) took: Duration,
    pub(crate) status: u16,
}

/// What is to be stored; answered once it is synced.
pub(crate) enum Op {
    /// Answered by the number of its delivery at each endpoint.
    Event {
        event: AnyEvent,
        body: Bytes,
        reply: oneshot::Sender<Vec<i64>>,
    },
    Outcome(Outcome, oneshot::Sender<()>),
}

/// A store in a folder of its own.
pub(crate) struct Store {
    pub(crate) ops: mpsc::Sender<Op>,
    writer: JoinHandle<()>,
    folder: tempfile::TempDir,
}

impl Store {
    pub(crate) fn open(endpoints: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let connection = Connection::open(folder.path().join("twin.sqlite")).expect("a new file");
        connection.pragma_update(None, "journal_mode", "WAL").expect("it can be set");
        connection.pragma_update(None, "synchronous", "FULL").expect("it can be set");
        connection.execute_batch(TABLES).expect("legal tables");
        let (ops, asked) = mpsc::channel(4096);
        let writer = thread::spawn(move || write(&connection, asked, endpoints).expect("it can be written"));
        Self { ops, writer, folder }
    }

    pub(crate) fn rows(&self) -> (usize, usize) {
        let looking = Connection::open(self.folder.path().join("twin.sqlite")).expect("it is there");
        let count = |sql| looking.query_row(sql, [], |row| row.get(0)).expect("it can be read");
        (
            count("SELECT count(*) FROM delivery WHERE state = 2"),
            count("SELECT count(*) FROM delivery WHERE first_at IS NOT NULL"),
        )
    }

    pub(crate) async fn stop(self) {
        let Self { ops, writer, folder } = self;
        drop(ops);
        // Workers hold on to the queue until they are gone with the runtime.
        drop((writer, folder));
    }
}

/// Replies that are due after the commit.
enum Reply {
    Event(oneshot::Sender<Vec<i64>>, Vec<i64>),
    Outcome(oneshot::Sender<()>),
}

fn write(connection: &Connection, mut asked: mpsc::Receiver<Op>, endpoints: usize) -> rusqlite::Result<()> {
    let mut sequences = vec![0; endpoints];
    while let Some(first) = asked.blocking_recv() {
        let mut replies = Vec::new();
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut next = Some(first);
        while let Some(op) = next {
            replies.push(match op {
                Op::Event { event, body, reply } => {
                    Reply::Event(reply, store(connection, (&event, &body), &mut sequences)?)
                }
                Op::Outcome(outcome, reply) => {
                    finish(connection, &outcome)?;
                    Reply::Outcome(reply)
                }
            });
            next = if replies.len() < BATCH { asked.try_recv().ok() } else { None };
        }
        connection.prepare_cached("COMMIT")?.execute([])?;
        for reply in replies {
            // Whoever asked may have gone.
            match reply {
                Reply::Event(reply, sequences) => _ = reply.send(sequences),
                Reply::Outcome(reply) => _ = reply.send(()),
            }
        }
    }
    Ok(())
}

fn store(
    connection: &Connection,
    (event, body): (&AnyEvent, &Bytes),
    sequences: &mut [i64],
) -> rusqlite::Result<Vec<i64>> {
    let now = Timestamp::now().as_millis();
    let mut insert = connection.prepare_cached(
        "INSERT INTO event (livemode, source, id, type, key, trace, occurred_at, received_at, body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?;
    insert.execute(params![
        event.livemode(),
        event.source().as_str(),
        event.id().as_str(),
        event.event_type().as_str(),
        event.key().map(Key::as_str),
        event.trace().map(eventbus::TraceContext::parent),
        event.time().as_millis(),
        now,
        &body[..],
    ])?;
    let no = connection.last_insert_rowid();
    let mut insert = connection.prepare_cached(
        "INSERT INTO delivery (endpoint_no, sequence, event_no, state, attempts, due_at, created_at)
         VALUES (?1, ?2, ?3, 0, 0, ?4, ?4)",
    )?;
    for (endpoint, sequence) in sequences.iter_mut().enumerate() {
        *sequence += 1;
        insert.execute(params![endpoint, *sequence, no, now])?;
    }
    Ok(sequences.to_vec())
}

fn finish(connection: &Connection, outcome: &Outcome) -> rusqlite::Result<()> {
    let Outcome { endpoint, sequence, started_at, took, status } = outcome;
    let started_at = started_at.as_millis();
    let took = u64::try_from(took.as_millis()).expect("less than an age");
    let mut update = connection.prepare_cached(
        "UPDATE delivery SET state = 2, attempts = 1, finished_at = ?3, first_at = ?4, first_ms = ?5, first_status = ?6
         WHERE endpoint_no = ?1 AND sequence = ?2",
    )?;
    update.execute(params![endpoint, sequence, started_at + took as i64, started_at, took, status])?;
    Ok(())
}
