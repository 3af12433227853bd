//! A server behind a line that breaks: the local transport plays the server, and outlives its clients' connections.

use std::num::{NonZeroU32, NonZeroU64};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use eventbus::conformance::{Fault, Faults, Harness, Pace};
use eventbus::local::{LocalConfig, LocalTransport};
use eventbus::transport::{
    Backlog, Batch, Capabilities, DeadLetters, Durability, Group, Membership, Publishing, Reader, Settled,
    Settlement, Settler, SubscriptionSpec, Token, Transport,
};
use eventbus::{AnyEvent, Error, ErrorKind, EventId, Result};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};

/// How long a half-open connection goes unnoticed.
const HEARTBEAT: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(crate) struct Line {
    server: Server,
    state: watch::Sender<State>,
}

/// What is reached at the other end at the moment.
type Server = Arc<Mutex<LocalTransport>>;

#[derive(Debug, Clone, Copy)]
struct State {
    up: bool,
    passes: bool,
    /// Counts connections: those made before the latest break are dead.
    connection: u64,
    delay: Duration,
}

impl Line {
    pub(crate) fn new() -> Self {
        let server = Arc::new(Mutex::new(empty()));
        let state = State { up: true, passes: true, connection: 0, delay: Duration::ZERO };
        Self { server, state: watch::Sender::new(state) }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }
}

fn empty() -> LocalTransport {
    LocalTransport::new(LocalConfig::new()).expect("the bounds are above 0")
}

#[async_trait]
impl Harness for Line {
    async fn start(&self, _: &[Fault]) {
        tokio::time::pause();
    }

    async fn connect(&self) -> Result<Arc<dyn Transport>> {
        Ok(Arc::new(Client { server: Arc::clone(&self.server), state: self.state.subscribe() }))
    }

    fn faults(&self) -> Option<&dyn Faults> {
        Some(self)
    }

    fn pace(&self) -> Pace {
        Pace::paused()
    }
}

#[async_trait]
impl Faults for Line {
    fn can(&self) -> &[Fault] {
        &[Fault::Kill, Fault::Cut, Fault::HalfOpen, Fault::Stall, Fault::Throttle, Fault::Stop, Fault::Vanish]
    }

    async fn kill(&self) {
        self.set(|state| (state.up, state.connection) = (false, state.connection + 1));
        sleep(Duration::from_millis(10)).await;
    }

    async fn restart(&self) {
        self.set(|state| state.up = true);
    }

    async fn cut(&self) {
        self.set(|state| state.connection += 1);
        sleep(Duration::from_millis(1)).await;
    }

    async fn half_open(&self) {
        self.set(|state| state.passes = false);
    }

    async fn stall(&self) {
        self.set(|state| state.passes = false);
    }

    async fn throttle(&self, bytes: NonZeroU64) {
        self.set(|state| state.delay = Duration::from_secs_f64(600.0 / bytes.get() as f64));
    }

    async fn stop(&self) {
        self.set(|state| state.passes = false);
    }

    async fn vanish(&self) {
        let full = std::mem::replace(&mut *self.server.lock().expect("nobody panicked with it"), empty());
        full.close().await.expect("it closes");
    }

    async fn resume(&self) {
        self.set(|state| (state.passes, state.delay) = (true, Duration::ZERO));
    }
}

#[derive(Debug)]
struct Client {
    server: Server,
    state: watch::Receiver<State>,
}

impl Client {
    fn server(&self) -> LocalTransport {
        self.server.lock().expect("nobody panicked with it").clone()
    }
}

/// Waits until the line passes something on, or says that it does not.
async fn pass(state: &watch::Receiver<State>) -> Result<()> {
    let mut state = state.clone();
    let until = Instant::now() + HEARTBEAT;
    let passing = timeout_at(until, state.wait_for(|state| !state.up || state.passes)).await;
    let passing = passing.map_err(|_| not_sent("nobody answers"))?.map(|state| *state);
    match passing {
        Ok(State { up: true, delay, .. }) => {
            sleep(delay).await;
            Ok(())
        }
        _ => Err(not_sent("there is no server")),
    }
}

fn not_sent(why: &'static str) -> Error {
    Error::new(ErrorKind::NotSent, why)
}

#[async_trait]
impl Transport for Client {
    fn capabilities(&self) -> Capabilities {
        let mut can = self.server().capabilities();
        (can.transport, can.durability) = ("line", Durability::Disk);
        can
    }

    async fn publish(&self, batch: &[AnyEvent], publishing: Publishing) -> Vec<Result<()>> {
        let passed = timeout_at(Instant::now() + publishing.deadline, pass(&self.state)).await;
        match passed.unwrap_or_else(|_| Err(not_sent("the deadline passed"))) {
            Ok(()) => self.server().publish(batch, publishing).await,
            Err(error) => batch.iter().map(|_| Err(Error::new(error.kind(), error.to_string()))).collect(),
        }
    }

    async fn open(&self, subscription: &SubscriptionSpec) -> Result<Membership> {
        pass(&self.state).await?;
        let connection = self.state.borrow().connection;
        let Membership { reader, settler } = self.server().open(subscription).await?;
        let reader = Box::new(Incoming { reader: Some(reader), state: self.state.clone(), connection });
        Ok(Membership {
            reader,
            settler: Arc::new(Outgoing { settler, state: self.state.clone(), connection }),
        })
    }

    async fn schedule(&self, event: &AnyEvent, delay: Duration) -> Result<()> {
        self.server().schedule(event, delay).await
    }

    async fn cancel(&self, id: &EventId) -> Result<bool> {
        self.server().cancel(id).await
    }

    async fn forget(&self, group: &Group) -> Result<bool> {
        self.server().forget(group).await
    }

    async fn backlog(&self, group: &Group) -> Result<Option<Backlog>> {
        self.server().backlog(group).await
    }

    fn troubles(&self) -> Vec<String> {
        self.server().troubles()
    }

    fn dead_letters(&self, group: &Group) -> Arc<dyn DeadLetters> {
        self.server().dead_letters(group)
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct Incoming {
    reader: Option<Box<dyn Reader>>,
    state: watch::Receiver<State>,
    connection: u64,
}

#[async_trait]
impl Reader for Incoming {
    async fn receive(&mut self, credit: NonZeroU32) -> Result<Batch> {
        let (mut state, connection) = (self.state.clone(), self.connection);
        let reader = self.reader.as_mut().ok_or_else(|| not_sent("the connection broke"))?;
        tokio::select! {
            biased;
            _ = state.wait_for(|state| state.connection != connection) => {}
            batch = async { pass(&self.state).await?; reader.receive(credit).await } => {
                if batch.is_ok() {
                    return batch;
                }
            }
        }
        self.reader = None;
        Err(not_sent("the connection broke"))
    }
}

#[derive(Debug)]
struct Outgoing {
    settler: Arc<dyn Settler>,
    state: watch::Receiver<State>,
    connection: u64,
}

#[async_trait]
impl Settler for Outgoing {
    async fn settle(&self, settlements: &[(Token, Settlement)]) -> Vec<Settled> {
        match pass(&self.state).await {
            Ok(()) if self.state.borrow().connection == self.connection => {
                self.settler.settle(settlements).await
            }
            _ => vec![Settled::Unknown; settlements.len()],
        }
    }

    async fn stop(&self) {
        self.settler.stop().await;
    }
}
