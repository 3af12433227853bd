//! What these tests stand on: a server of their own, a bus on it, events, and waiting.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use eventbus::conformance::{Redis, RedisServer, Reply, Server};
use eventbus::{AnyEvent, BusConfig, EventBus, HandlerResult};
use eventbus_redis::{RedisConfig, RedisTransport};
use futures::future::BoxFuture;

pub(crate) const LOG: &str = "eventbus:{bus/0}:log";

/// A server with its own settings.
pub(crate) async fn server(redis: Redis) -> RedisServer {
    Server::start(redis).await.expect("Redis starts")
}

/// A server that keeps everything in memory.
pub(crate) async fn plain() -> RedisServer {
    server(Redis::new()).await
}

/// The URL of a server with short times, and these options.
pub(crate) fn url(server: &RedisServer, options: &str) -> String {
    format!("{}?lease=1s&response_timeout=1s{options}", server.url())
}

pub(crate) async fn transport(url: &str) -> eventbus::Result<RedisTransport> {
    RedisTransport::connect(RedisConfig::parse(url)?).await
}

pub(crate) async fn bus(server: &RedisServer, options: &str) -> EventBus {
    let config = BusConfig::new().publish_deadline(Duration::from_secs(3));
    EventBus::new(Arc::new(transport(&url(server, options)).await.expect("the server lets us in")), config)
}

/// The text of an answer.
pub(crate) async fn command(server: &RedisServer, words: &[&str]) -> Reply {
    server.command(words).await.expect("the server answers")
}

pub(crate) async fn count(server: &RedisServer, words: &[&str]) -> i64 {
    let answer = command(server, words).await;
    let Reply::Integer(count) = answer else { unreachable!("{words:?} counts, and answered {answer:?}") };
    count
}

pub(crate) fn json(id: &str, key: &str) -> String {
    format!(
        r#"{{"id":"{id}","livemode":false,"type":"parcel.shipped","source":"shop","object_id":"{key}","data":{{"object":{{}}}},"created_at":"2026-01-01T00:00:00.000Z"}}"#
    )
}

pub(crate) fn event(number: usize, key: &str) -> AnyEvent {
    AnyEvent::from_json(json(&format!("evt_{number}"), key)).expect("it is an event")
}

pub(crate) fn events(from: usize, to: usize) -> Vec<AnyEvent> {
    (from..to).map(|number| event(number, &format!("key_{}", number % 10))).collect()
}

/// What handlers have seen, in order: id and attempt.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<(String, u32)>>>);

impl Seen {
    /// A handler that notes and succeeds.
    pub(crate) fn handler(
        &self,
    ) -> impl Fn(AnyEvent, eventbus::Context) -> BoxFuture<'static, HandlerResult> + Send + Sync + 'static
    {
        let seen = self.0.clone();
        move |event, context| {
            seen.lock().expect("nobody panicked with it").push((event.id().to_string(), context.attempt()));
            Box::pin(async { Ok(()) })
        }
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.0.lock().expect("nobody panicked with it").iter().map(|(id, _)| id.clone()).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().expect("nobody panicked with it").len()
    }

    pub(crate) fn has(&self, id: &str) -> bool {
        self.ids().iter().any(|seen| seen == id)
    }
}

/// Waits until something is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut so: impl FnMut() -> F) {
    let waiting = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(30), waiting).await;
    assert!(ended.is_ok(), "waited in vain until {what}");
}

/// Waits until a group has settled everything.
pub(crate) async fn settled(bus: &EventBus, group: &str) {
    until("everything is settled", || async {
        bus.backlog(group).await.is_ok_and(|backlog| backlog.is_some_and(|backlog| backlog.unsettled() == 0))
    })
    .await;
}
