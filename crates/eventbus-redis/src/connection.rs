//! Connections: dialled as the URL says, made again for as long as it takes, one line for each kind of traffic.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use eventbus::{Error, ErrorKind, Result};
use rand::RngExt as _;
use redis::aio::{ConnectionLike as _, MultiplexedConnection};
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, Cmd, IntoConnectionInfo as _, Pipeline, RedisError,
    RedisResult, TlsCertificates, TlsMode, Value,
};
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

use crate::config::{RedisConfig, invalid, without_secrets};
use crate::error::is_broken;

/// How long making a connection may take.
const DIAL: Duration = Duration::from_secs(5);
/// The longest pause between two attempts, before jitter.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
const SHORTEST_PAUSE: Duration = Duration::from_millis(25);

/// Makes connections to the server that the URL leads to.
pub(crate) struct Dialler {
    target: Target,
    /// For people; without secrets.
    name: String,
}

enum Target {
    Server(Client),
    Sentinel(tokio::sync::Mutex<SentinelClient>),
}

impl Dialler {
    pub(crate) fn new(config: &RedisConfig) -> Result<Self> {
        let url = Url::parse(&config.url).map_err(|error| invalid(&format!("cannot be read: {error}")))?;
        let certificates = certificates(config)?;
        if url.scheme().starts_with("rediss") {
            // Taken unless the program has chosen one; without any, the TLS library would not know which.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let target = match url.scheme() {
            "redis-sentinel" | "rediss-sentinel" => {
                Target::Sentinel(tokio::sync::Mutex::new(sentinel(&url, &config.nodes, certificates)?))
            }
            "redis" | "rediss" if !config.nodes.is_empty() => {
                return Err(invalid("option node: is for sentinels only"));
            }
            _ => Target::Server(server(&url, certificates)?),
        };
        Ok(Self { target, name: without_secrets(&config.url) })
    }

    /// Makes one connection; `answers` is how long each of its answers may take, `None` for ever.
    async fn dial(&self, answers: Option<Duration>) -> RedisResult<MultiplexedConnection> {
        let config =
            AsyncConnectionConfig::new().set_connection_timeout(Some(DIAL)).set_response_timeout(answers);
        let mut connection = match &self.target {
            Target::Server(client) => client.get_multiplexed_async_connection_with_config(&config).await?,
            Target::Sentinel(client) => client.lock().await.get_async_connection_with_config(&config).await?,
        };
        // A server that still loads its data accepts connections and refuses everything else.
        redis::cmd("PING").query_async::<Value>(&mut connection).await?;
        Ok(connection)
    }
}

fn server(url: &Url, certificates: Option<TlsCertificates>) -> Result<Client> {
    let client = match certificates {
        Some(_) if url.scheme() != "rediss" => {
            return Err(invalid("options ca, cert, key: are for rediss:// only"));
        }
        Some(certificates) => Client::build_with_tls(url.clone(), certificates),
        None => Client::open(url.clone()),
    };
    client.map_err(|error| invalid(&format!("does not lead to a server: {error}")))
}

/// `redis-sentinel://user:password@host:port/service/database`.
fn sentinel(url: &Url, nodes: &[String], certificates: Option<TlsCertificates>) -> Result<SentinelClient> {
    let wrong = |error: RedisError| invalid(&format!("does not lead to sentinels: {error}"));
    let tls = url.scheme() == "rediss-sentinel";
    let mut path = url.path().trim_matches('/').split('/').filter(|part| !part.is_empty());
    let service =
        path.next().ok_or_else(|| invalid("must name the service: redis-sentinel://host:26379/service"))?;
    let host = url.host_str().ok_or_else(|| invalid("has no host"))?;
    let own = format!("{host}:{}", url.port().unwrap_or(26379));
    let mut sentinels = Vec::new();
    for node in std::iter::once(&own).chain(nodes) {
        let plain = format!("{}://{node}", if tls { "rediss" } else { "redis" });
        let info = plain.into_connection_info().map_err(wrong)?;
        sentinels.push(info.addr().clone());
    }
    let mut builder =
        SentinelClientBuilder::new(sentinels, service, SentinelServerType::Master).map_err(wrong)?;
    // The same rules for user, password and database as for a server, so the same parser reads them.
    let mut plain = url.clone();
    let database = path.next().unwrap_or("0");
    plain.set_path(database);
    let text =
        plain.as_str().replacen("redis-sentinel:", "redis:", 1).replacen("rediss-sentinel:", "redis:", 1);
    let info = text.into_connection_info().map_err(wrong)?;
    let settings = info.redis_settings();
    builder = builder.set_client_to_redis_db(settings.db());
    if let Some(user) = settings.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = settings.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if tls {
        builder = builder
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_sentinel_tls_mode(TlsMode::Secure);
    }
    if let Some(certificates) = certificates {
        builder = builder
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates);
    }
    builder.build().map_err(wrong)
}

fn certificates(config: &RedisConfig) -> Result<Option<TlsCertificates>> {
    let read = |path: &std::path::PathBuf| {
        std::fs::read(path).map_err(|error| invalid(&format!("option {}: {error}", path.display())))
    };
    let root_cert = config.ca.as_ref().map(read).transpose()?;
    let client_tls = match (&config.cert, &config.key) {
        (Some(cert), Some(key)) => Some(ClientTlsConfig { client_cert: read(cert)?, client_key: read(key)? }),
        _ => None,
    };
    let any = root_cert.is_some() || client_tls.is_some();
    Ok(any.then_some(TlsCertificates { client_tls, root_cert }))
}

/// One connection at a time, made again when it broke, without limit and with growing pauses.
///
/// Nothing is done in the background: whoever needs the connection waits until there is one.
pub(crate) struct Line {
    dialler: Arc<Dialler>,
    answers: Option<Duration>,
    state: tokio::sync::Mutex<State>,
    trouble: Mutex<Option<String>>,
    /// Whether a connection is for one question only.
    retired: AtomicBool,
}

struct State {
    current: Option<Connection>,
    /// Counts connections.
    made: u64,
    failures: u32,
    next: Instant,
}

/// A connection, and which one of its line it is.
#[derive(Clone)]
pub(crate) struct Connection {
    pub(crate) number: u64,
    /// Its id on the server, where that may be asked for.
    pub(crate) client: Option<i64>,
    pub(crate) inner: MultiplexedConnection,
}

impl Line {
    /// A line whose answers may take this long; `None` for one that blocks in its reads.
    pub(crate) fn new(dialler: &Arc<Dialler>, answers: Option<Duration>) -> Self {
        let state = State { current: None, made: 0, failures: 0, next: Instant::now() };
        Self {
            dialler: Arc::clone(dialler),
            answers,
            state: tokio::sync::Mutex::new(state),
            trouble: Mutex::default(),
            retired: AtomicBool::new(false),
        }
    }

    /// Waits for the connection, for as long as it takes. Dropping the future is safe.
    pub(crate) async fn connection(&self) -> Connection {
        let mut state = self.state.lock().await;
        loop {
            if let Some(connection) = &state.current {
                return connection.clone();
            }
            sleep_until(state.next).await;
            match self.try_dial(&mut state).await {
                Ok(connection) => return connection,
                Err(error) => self.failed(&mut state, &error),
            }
        }
    }

    /// Makes the first connection, or says why it cannot be made.
    pub(crate) async fn first(&self) -> RedisResult<Connection> {
        let mut state = self.state.lock().await;
        self.try_dial(&mut state).await
    }

    async fn try_dial(&self, state: &mut State) -> RedisResult<Connection> {
        let limit = DIAL * 2;
        let inner = match timeout(limit, self.dialler.dial(self.answers)).await {
            Ok(dialled) => dialled?,
            Err(_) => return Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        };
        state.made += 1;
        state.failures = 0;
        let mut asking = inner.clone();
        let client = match self.answers {
            Some(_) => None,
            // Needed to end a blocking read early; who may not ask waits for its end.
            None => redis::cmd("CLIENT").arg("ID").query_async(&mut asking).await.ok(),
        };
        let connection = Connection { number: state.made, client, inner };
        state.current = Some(connection.clone());
        if self.set_trouble(None).is_some() {
            tracing::info!(server = %self.dialler.name, "connected again");
        }
        Ok(connection)
    }

    fn failed(&self, state: &mut State, error: &RedisError) {
        let pause = SHORTEST_PAUSE.saturating_mul(1 << state.failures.min(10)).min(LONGEST_PAUSE);
        state.failures += 1;
        state.next = Instant::now() + pause.mul_f64(rand::rng().random_range(0.5..1.0));
        let text = format!("{} cannot be reached: {error}", self.dialler.name);
        if state.failures == 1 {
            tracing::warn!("{text}");
        }
        self.set_trouble(Some(text));
    }

    /// Tells that a connection is of no use any more; the next one who needs it makes a new one.
    pub(crate) async fn broken(&self, number: u64, error: &RedisError) {
        let mut state = self.state.lock().await;
        if state.current.as_ref().is_some_and(|current| current.number == number) {
            state.current = None;
            state.next = Instant::now() + SHORTEST_PAUSE.mul_f64(rand::rng().random_range(0.0..1.0));
            tracing::warn!(server = %self.dialler.name, %error, "a connection was lost");
            self.set_trouble(Some(format!("the connection to {} was lost: {error}", self.dialler.name)));
        }
    }

    /// Ends the connection; whoever still has a question gets one for that alone.
    pub(crate) async fn retire(&self) {
        self.retired.store(true, Ordering::SeqCst);
        self.state.lock().await.current = None;
    }

    /// Sends one command over the line as it is at this moment, waiting a while for a connection; a broken one is
    /// reported.
    pub(crate) async fn query(&self, command: &Cmd) -> RedisResult<Value> {
        self.send(async |connection| command.query_async(connection).await).await
    }

    /// Sends commands together, as [`query`](Self::query) does one; what the server refused is among the answers.
    pub(crate) async fn query_all(&self, commands: &Pipeline, answers: usize) -> RedisResult<Vec<Value>> {
        self.send(async |connection| connection.req_packed_commands(commands, 0, answers).await).await
    }

    async fn send<T>(
        &self,
        send: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> RedisResult<T> {
        let patience = self.answers.unwrap_or(DIAL);
        let Ok(connection) = timeout(patience, self.connection()).await else {
            return Err(std::io::Error::from(std::io::ErrorKind::NotConnected).into());
        };
        let Connection { number, mut inner, .. } = connection;
        let answer = send(&mut inner).await;
        if let Err(error) = &answer
            && is_broken(error)
        {
            self.broken(number, error).await;
        }
        if self.retired.load(Ordering::SeqCst) {
            self.state.lock().await.current = None;
        }
        answer
    }

    /// Sends a command that may be carried out twice, and once more when the connection breaks under it.
    pub(crate) async fn ask(&self, command: &Cmd) -> RedisResult<Value> {
        match self.query(command).await {
            Err(error) if is_broken(&error) => self.query(command).await,
            answer => answer,
        }
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, text: Option<String>) -> Option<String> {
        std::mem::replace(&mut *self.trouble.lock().unwrap_or_else(PoisonError::into_inner), text)
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

/// The error for a server that could not be reached, or let nobody in, at the start.
pub(crate) fn unreachable(dialler: &Dialler, error: RedisError) -> Error {
    let (kind, what) = match crate::error::kind(&error) {
        ErrorKind::Refused => (ErrorKind::Refused, "lets this user not in"),
        kind => (kind, "cannot be reached"),
    };
    Error::new(kind, format!("{} {what}: {error}", dialler.name)).with_source(error)
}
