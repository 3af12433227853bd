//! Connections: dialled as the URL says, watched, dropped whole at the first error, made again for as long as it takes.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use eventbus::{Error, ErrorKind, Result};
use futures::StreamExt as _;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties, Event};
use rand::RngExt as _;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use url::Url;

use crate::config::{AmqpConfig, at, invalid, without_secrets};
use crate::error::{is_of_channel, kind, late};

/// How long making a connection may take.
const DIAL: Duration = Duration::from_secs(5);
/// The longest pause between two attempts, before jitter.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(25);
/// How often a connection is looked at, beside its events.
const LOOK: Duration = Duration::from_secs(1);
/// How many channels a connection may have.
const CHANNELS: usize = 2047;

/// Makes connections to the broker that the URL leads to, or to another node of its cluster.
pub(crate) struct Dialler {
    uris: Vec<AMQPUri>,
    /// Whose turn it is: everybody goes on with the node that last let somebody in.
    turn: AtomicUsize,
    tls: OwnedTLSConfig,
    /// For people; without secrets.
    name: String,
    /// How long an answer may take.
    pub(crate) patience: Duration,
}

impl Dialler {
    pub(crate) fn new(config: &AmqpConfig) -> Result<Self> {
        let name = without_secrets(&config.url);
        let mut url = Url::parse(&config.url).map_err(|_| invalid("cannot be read"))?;
        if matches!(url.path(), "" | "/") {
            url.set_path("/%2f");
        }
        if url.scheme() == "amqps" {
            // Taken unless the program has chosen one; without any, the TLS library would not know which.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let others = config.nodes.iter().map(|node| at(&url, node));
        let urls: Vec<Url> = std::iter::once(Ok(url.clone())).chain(others).collect::<Result<_>>()?;
        let uris = urls.iter().map(|url| uri(url, config)).collect::<Result<_>>()?;
        let turn = AtomicUsize::new(0);
        Ok(Self { uris, turn, tls: tls(config)?, name, patience: config.response_timeout })
    }

    async fn dial(&self, purpose: &str) -> lapin::Result<Connection> {
        let options = ConnectionProperties::default()
            .with_connection_name(format!("eventbus {} ({purpose})", std::process::id()).into());
        let turn = self.turn.load(Ordering::SeqCst);
        let (uri, tls) = (self.uris[turn % self.uris.len()].clone(), self.tls.clone());
        let runtime = lapin::runtime::default_runtime()?;
        let dialling = Connection::connect_uri_with_config(uri, options, tls, runtime);
        let dialled = timeout(DIAL * 2, dialling).await.unwrap_or_else(|_| Err(late()));
        if dialled.is_err() {
            // Unless somebody else has seen it first.
            let _ = self.turn.compare_exchange(turn, turn + 1, Ordering::SeqCst, Ordering::SeqCst);
        }
        dialled
    }
}

fn uri(url: &Url, config: &AmqpConfig) -> Result<AMQPUri> {
    let mut uri: AMQPUri =
        url.as_str().parse().map_err(|rule| invalid(&format!("cannot be read: {rule}")))?;
    uri.query.heartbeat = u16::try_from(config.heartbeat.as_secs()).ok();
    uri.query.connection_timeout = u64::try_from(DIAL.as_millis()).ok();
    Ok(uri)
}

/// Certificates as the configuration names them.
fn tls(config: &AmqpConfig) -> Result<OwnedTLSConfig> {
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).map_err(|error| invalid(&format!("option {}: {error}", path.display())))
    };
    let chain = config.ca.as_ref().map(read).transpose()?;
    let cert_chain =
        chain.map(String::from_utf8).transpose().map_err(|_| invalid("option ca: is no PEM file"))?;
    let identity = match (&config.cert, &config.key) {
        (Some(cert), Some(key)) => Some(OwnedIdentity::PKCS8 { pem: read(cert)?, key: read(key)? }),
        _ => None,
    };
    Ok(OwnedTLSConfig { identity, cert_chain })
}

/// One connection at a time, made again when it broke, without limit and with growing pauses.
pub(crate) struct Line {
    dialler: Arc<Dialler>,
    /// What it is for: consuming and publishing never share one, because the broker may block those who publish.
    purpose: &'static str,
    state: tokio::sync::Mutex<State>,
    told: Arc<Mutex<Told>>,
    /// Whether a connection is for one question only.
    retired: watch::Sender<bool>,
    myself: Weak<Self>,
}

/// What is wrong, and with which connection: one that is gone has nothing to say of its successor.
#[derive(Default)]
struct Told {
    connection: u64,
    trouble: Option<String>,
}

struct State {
    current: Option<Arc<Link>>,
    failures: u32,
    next: Instant,
}

/// What a connection is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Everything that ends with the transport.
    Work,
    /// Looking at what is there, also afterwards.
    Question,
}

/// A connection.
pub(crate) struct Link {
    connection: Connection,
    pub(crate) patience: Duration,
    /// Turns true when the connection is of no use any more.
    down: watch::Sender<bool>,
    /// Why the broker takes nothing at this moment.
    blocked: watch::Receiver<Option<String>>,
}

impl Line {
    pub(crate) fn new(dialler: &Arc<Dialler>, purpose: &'static str) -> Arc<Self> {
        let state = State { current: None, failures: 0, next: Instant::now() };
        Arc::new_cyclic(|myself| Self {
            dialler: Arc::clone(dialler),
            purpose,
            state: tokio::sync::Mutex::new(state),
            told: Arc::default(),
            retired: watch::Sender::new(false),
            myself: myself.clone(),
        })
    }

    /// Waits for the connection, for as long as it takes; for ever once the line is retired and there is none. Dropping the
    /// future is safe.
    pub(crate) async fn link(&self) -> Arc<Link> {
        match self.connected(Purpose::Work).await {
            Some(link) => link,
            None => std::future::pending().await,
        }
    }

    /// `None` when there is no connection and none is to be made.
    async fn connected(&self, purpose: Purpose) -> Option<Arc<Link>> {
        let mut state = self.state.lock().await;
        let mut retired = self.retired.subscribe();
        let retired = async {
            match purpose {
                Purpose::Work => drop(retired.wait_for(|retired| *retired).await),
                Purpose::Question => std::future::pending().await,
            }
        };
        if let Some(link) = state.current.as_ref().filter(|link| !link.is_down()) {
            return Some(Arc::clone(link));
        }
        tokio::select! {
            biased;
            () = retired => None,
            link = self.connect(&mut state) => Some(link),
        }
    }

    async fn connect(&self, state: &mut State) -> Arc<Link> {
        loop {
            if let Some(lost) = state.current.take() {
                lost.fail();
                state.next = Instant::now() + SHORTEST_PAUSE.mul_f64(rand::rng().random_range(0.0..1.0));
            }
            sleep_until(state.next).await;
            match self.dial(state).await {
                Ok(link) => return link,
                Err(error) => self.failed(state, &error),
            }
        }
    }

    /// The same, for not much longer than an answer may take, and not at all once the line is retired.
    pub(crate) async fn reach(&self) -> lapin::Result<Arc<Link>> {
        self.within(Purpose::Work).await
    }

    /// The same for a question, which gets a connection for that alone once the line is retired: see [`rest`](Self::rest).
    pub(crate) async fn question(&self) -> lapin::Result<Arc<Link>> {
        self.within(Purpose::Question).await
    }

    async fn within(&self, purpose: Purpose) -> lapin::Result<Arc<Link>> {
        let reached = timeout(self.dialler.patience, self.connected(purpose)).await.map_err(|_| late())?;
        reached.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into())
    }

    /// Makes the first connection, to any node, or says why it cannot be made.
    pub(crate) async fn first(&self) -> Result<()> {
        let mut state = self.state.lock().await;
        let mut dialled = self.dial(&mut state).await;
        for _ in 1..self.dialler.uris.len() {
            if dialled.is_err() {
                dialled = self.dial(&mut state).await;
            }
        }
        dialled.map(drop).map_err(|error| self.unreachable(error))
    }

    async fn dial(&self, state: &mut State) -> lapin::Result<Arc<Link>> {
        let connection = self.dialler.dial(self.purpose).await?;
        let (blocking, blocked) = watch::channel(None);
        let link = Arc::new(Link {
            connection,
            patience: self.dialler.patience,
            down: watch::Sender::new(false),
            blocked,
        });
        let (number, trouble) = {
            let mut told = self.told();
            told.connection += 1;
            (told.connection, told.trouble.take())
        };
        tokio::spawn(watch(Arc::downgrade(&link), blocking, Trouble::new(self, number)));
        state.failures = 0;
        state.current = Some(Arc::clone(&link));
        if trouble.is_some() {
            tracing::info!(broker = %self.dialler.name, purpose = self.purpose, "connected again");
        }
        Ok(link)
    }

    fn failed(&self, state: &mut State, error: &lapin::Error) {
        let pause = SHORTEST_PAUSE.saturating_mul(1 << state.failures.min(10)).min(LONGEST_PAUSE);
        state.failures += 1;
        state.next = Instant::now() + pause.mul_f64(rand::rng().random_range(0.5..1.0));
        let text = format!("{} cannot be reached: {error}", self.dialler.name);
        if state.failures == 1 {
            tracing::warn!("{text}");
        }
        self.told().trouble = Some(text);
    }

    /// The error for a broker that could not be reached, or let nobody in, at the start.
    fn unreachable(&self, error: lapin::Error) -> Error {
        let what = match kind(&error) {
            ErrorKind::Refused => {
                "lets this user not in, or has no such vhost: check user, password and vhost"
            }
            _ => "cannot be reached",
        };
        Error::new(kind(&error), format!("{} {what}: {error}", self.dialler.name)).with_source(error)
    }

    /// Ends the connection; whoever still has a question gets one for that alone.
    pub(crate) async fn retire(&self) {
        self.abandon();
        self.rest().await;
    }

    /// From now on no connection is made but for a question.
    pub(crate) fn abandon(&self) {
        self.retired.send_replace(true);
    }

    /// Makes the connection again although nobody waits for it: what was lost at night is not to show in the morning.
    fn mend(self: Arc<Self>) -> BoxFuture<'static, ()> {
        let mended = async move {
            let mut retired = self.retired.subscribe();
            tokio::select! {
                biased;
                _ = retired.wait_for(|retired| *retired) => {}
                _ = self.link() => {}
            }
        };
        Box::pin(mended)
    }

    /// After a question: ends a connection that was made for it alone.
    pub(crate) async fn rest(&self) {
        if !*self.retired.borrow() {
            return;
        }
        if let Some(link) = self.state.lock().await.current.take() {
            link.end().await;
        }
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        self.told().trouble.clone()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    /// Opens a channel.
    pub(crate) async fn channel(&self) -> lapin::Result<Channel> {
        for _ in 0..CHANNELS {
            match self.within(self.connection.create_channel()).await {
                // The library takes the error that ended an earlier channel of this number for one of the new channel,
                // once it has given out all numbers: the next number may be a sound one.
                Err(error) if is_of_channel(&error) => {}
                Err(error) => {
                    if matches!(error.kind(), lapin::ErrorKind::ChannelsLimitReached) {
                        self.fail();
                    }
                    return Err(error);
                }
                Ok(channel) => return Ok(channel),
            }
        }
        self.fail();
        Err(late())
    }

    /// Waits for an answer, for as long as one may take. One that does not come ends the connection: it may be hung.
    pub(crate) async fn within<T>(&self, answer: impl Future<Output = lapin::Result<T>>) -> lapin::Result<T> {
        let mut down = self.down.subscribe();
        let answered = async {
            tokio::select! {
                biased;
                answer = answer => answer,
                _ = down.wait_for(|down| *down) => {
                    Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into())
                }
            }
        };
        match timeout(self.patience, answered).await {
            Ok(answer) => answer,
            Err(_) => {
                self.fail();
                Err(late())
            }
        }
    }

    pub(crate) fn is_down(&self) -> bool {
        *self.down.borrow() || !self.connection.status().connected()
    }

    /// Returns when the connection is of no use any more.
    pub(crate) async fn lost(&self) {
        let _ = self.down.subscribe().wait_for(|down| *down).await;
    }

    /// Why the broker takes nothing at this moment; changes are told.
    pub(crate) fn blocked(&self) -> watch::Receiver<Option<String>> {
        self.blocked.clone()
    }

    /// The connection is dropped whole.
    pub(crate) fn fail(&self) {
        self.down.send_replace(true);
        // Where it still lives, its sockets and its channels on the broker go now, not at a time-out.
        let closing = self.connection.close(320, "of no use any more".into());
        drop(futures::FutureExt::now_or_never(closing));
    }

    /// Its events, and its end.
    fn observe(&self) -> (BoxStream<'static, Event>, watch::Receiver<bool>) {
        (self.connection.events_listener().boxed(), self.down.subscribe())
    }

    async fn end(&self) {
        let _ = timeout(LOOK, self.connection.close(200, "goodbye".into())).await;
        self.down.send_replace(true);
    }
}

/// What the watcher of a connection tells of it.
struct Trouble {
    told: Arc<Mutex<Told>>,
    connection: u64,
    name: String,
    purpose: &'static str,
    line: Weak<Line>,
}

impl Trouble {
    fn new(line: &Line, connection: u64) -> Self {
        let (told, name) = (Arc::clone(&line.told), line.dialler.name.clone());
        Self { told, connection, name, purpose: line.purpose, line: line.myself.clone() }
    }

    fn set(&self, text: Option<String>) {
        if let Some(text) = &text {
            tracing::warn!(purpose = self.purpose, "{text}");
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.connection == self.connection {
            told.trouble = text;
        }
    }
}

/// Reads the events of a connection, the only one who does, and notices its end.
async fn watch(link: Weak<Link>, blocking: watch::Sender<Option<String>>, trouble: Trouble) {
    let Some((mut events, mut down)) = link.upgrade().map(|link| link.observe()) else { return };
    loop {
        let event = tokio::select! {
            event = events.next() => event,
            _ = down.wait_for(|down| *down) => break,
            () = sleep(LOOK) => Some(Event::Connected),
        };
        let Some(link) = link.upgrade() else { return };
        match event {
            Some(Event::ConnectionBlocked(reason)) => {
                trouble.set(Some(format!("{} accepts no events: {reason}", trouble.name)));
                blocking.send_replace(Some(reason));
            }
            Some(Event::ConnectionUnblocked) => {
                trouble.set(None);
                blocking.send_replace(None);
            }
            Some(_) if link.connection.status().connected() => {}
            lost => {
                let why = match lost {
                    Some(Event::Error(error)) => error.to_string(),
                    _ => "it ended".to_owned(),
                };
                trouble.set(Some(format!("the connection to {} was lost: {why}", trouble.name)));
                link.fail();
                break;
            }
        }
    }
    drop(events);
    if let Some(line) = trouble.line.upgrade() {
        line.mend().await;
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Line to {}", self.dialler.name)
    }
}

impl fmt::Debug for Dialler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
