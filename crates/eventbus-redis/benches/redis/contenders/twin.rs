//! What a user would write on redis-rs by hand: pipelines of a hundred with two of them under way; reading in one
//! connection while the batch before is handled and the one before that is acknowledged in another.

use bytes::Bytes;
use eventbus::AnyEvent;
use futures::StreamExt as _;
use futures::future::join_all;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::{Cmd, Pipeline, Value};
use tokio::task::{JoinHandle, JoinSet};

use crate::load::{Contender, GROUP, How, Load};
use crate::server::connect;
use crate::tally::Tally;

const STREAM: &str = "twin";
const FIELD: &str = "event";
/// The events of a pipeline.
const PIPELINE: usize = 100;
/// The pipelines under way.
const UNDER_WAY: usize = 2;
/// The most events of a read.
const READ: usize = 256;
/// The batches that are acknowledged at once.
const SETTLING: usize = 2;

pub(crate) struct Twin(MultiplexedConnection);

fn add(event: &AnyEvent) -> Cmd {
    let json = event.to_json().expect("the events were made of JSON");
    let mut command = Cmd::with_capacity(5, json.len() + 64);
    command.arg("XADD").arg(STREAM).arg("*").arg(FIELD).arg(&json[..]);
    command
}

/// Publishes a pipeline, and looks at every answer.
async fn send(mut connection: MultiplexedConnection, batch: Vec<AnyEvent>) {
    let mut pipeline = Pipeline::with_capacity(batch.len());
    for event in &batch {
        pipeline.add_command(add(event));
    }
    let answers = connection.req_packed_commands(&pipeline, 0, batch.len()).await;
    let answers = answers.expect("the server is there");
    assert!(answers.len() == batch.len() && answers.iter().all(|id| matches!(id, Value::BulkString(_))));
}

impl Twin {
    async fn send_all(&self, pipelines: impl Iterator<Item = Vec<AnyEvent>> + Send) {
        let pipelines = pipelines.map(|batch| send(self.0.clone(), batch));
        futures::stream::iter(pipelines).buffer_unordered(UNDER_WAY).collect::<()>().await;
    }
}

impl Contender for Twin {
    const STREAM: &str = STREAM;
    type Member = JoinHandle<()>;

    async fn connect(url: &str) -> Self {
        Self(connect(url).await)
    }

    async fn publish(&self, load: &Load) {
        match load.how {
            How::Batches(_) => self.send_all(load.batches(PIPELINE)).await,
            How::Rounds(size) => {
                for batch in load.batches(size) {
                    self.send_all(batch.chunks(PIPELINE).map(<[_]>::to_vec)).await;
                }
            }
            How::Callers(callers) => {
                let share = load.share(callers);
                let call = |caller| {
                    let (mut connection, (pool, part)) = (self.0.clone(), share(caller));
                    tokio::spawn(async move {
                        for number in part {
                            let command = add(&pool[number % pool.len()]);
                            let id = connection.req_packed_command(&command).await;
                            assert!(matches!(id, Ok(Value::BulkString(_))), "{id:?}");
                        }
                    })
                };
                let calls: Vec<_> = (0..callers).map(call).collect();
                join_all(calls).await.into_iter().for_each(|call| call.expect("callers do not panic"));
            }
        }
    }

    async fn group(url: &str) {
        let mut create = redis::cmd("XGROUP");
        create.arg("CREATE").arg(STREAM).arg(GROUP).arg("0").arg("MKSTREAM");
        // Another member may have made it.
        let _ = create.query_async::<Value>(&mut connect(url).await).await;
    }

    async fn join(url: &str, tally: &'static Tally) -> JoinHandle<()> {
        Self::group(url).await;
        let (reading, settling) = (connect(url).await, connect(url).await);
        let id = redis::cmd("CLIENT").arg("ID").query_async::<u64>(&mut reading.clone()).await;
        let name = id.expect("the server is there").to_string();
        tokio::spawn(Member { name, reading, settling }.run(tally))
    }

    async fn leave(member: JoinHandle<()>) {
        member.abort();
        if let Err(error) = member.await {
            assert!(error.is_cancelled(), "{error}");
        }
    }

    async fn stop(self) {}
}

struct Member {
    name: String,
    reading: MultiplexedConnection,
    settling: MultiplexedConnection,
}

impl Member {
    async fn run(self, tally: &'static Tally) {
        let handler = tally.handler(0);
        let (mut reading, mut settling) = (JoinSet::new(), JoinSet::new());
        self.read(&mut reading);
        loop {
            let answer = reading.join_next().await.expect("a read is under way");
            self.read(&mut reading);
            let mut ids = Vec::with_capacity(READ);
            for (id, event) in entries(answer.expect("reading does not panic")) {
                handler(event).await.expect("the handler does not fail");
                ids.push(id);
            }
            if settling.len() == SETTLING {
                settling.join_next().await.expect("there are some").expect("settling does not panic");
            }
            if !ids.is_empty() {
                settling.spawn(settle(self.settling.clone(), ids));
            }
        }
    }

    /// Begins to read.
    fn read(&self, reading: &mut JoinSet<Value>) {
        let mut connection = self.reading.clone();
        let mut command = redis::cmd("XREADGROUP");
        command.arg("GROUP").arg(GROUP).arg(&self.name).arg("COUNT").arg(READ);
        command.arg("BLOCK").arg(1_000).arg("STREAMS").arg(STREAM).arg(">");
        reading.spawn(
            async move { connection.req_packed_command(&command).await.expect("the server is there") },
        );
    }
}

async fn settle(mut connection: MultiplexedConnection, ids: Vec<Vec<u8>>) {
    let mut command = Cmd::with_capacity(3 + ids.len(), 64 + ids.len() * 20);
    command.arg("XACK").arg(STREAM).arg(GROUP).arg(&ids);
    let count = connection.req_packed_command(&command).await.expect("the server is there");
    assert!(matches!(count, Value::Int(count) if count == ids.len() as i64), "{count:?}");
}

/// The entries of an answer to `XREADGROUP`: pairs of an id and a list of fields, in a pair with the stream's name.
fn entries(answer: Value) -> impl Iterator<Item = (Vec<u8>, AnyEvent)> {
    let streams = list(answer).into_iter().flat_map(|stream| list(stream).into_iter().nth(1));
    streams.flat_map(list).map(|entry| {
        let mut entry = list(entry).into_iter();
        let (Some(Value::BulkString(id)), Some(fields)) = (entry.next(), entry.next()) else {
            unreachable!("an entry has an id and fields");
        };
        let Some(Value::BulkString(event)) = list(fields).into_iter().nth(1) else {
            unreachable!("the event is the only field");
        };
        (id, AnyEvent::from_json(Bytes::from(event)).expect("the events were published so"))
    })
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list,
        _ => Vec::new(),
    }
}
