//! A server with a proxy in front of it: every fault there is.

use std::io;
use std::num::NonZeroU64;

use async_trait::async_trait;

use super::{Broker, Redis, Server};
use crate::conformance::faults::{Fault, Faults};
use crate::conformance::proxy::Proxy;

/// A private server behind a [`Proxy`], for [`Harness::faults`](crate::conformance::Harness::faults).
///
/// Clients connect to [`port`](Self::port), which stays the same whatever becomes of the server.
///
/// ```no_run
/// use std::sync::{Arc, OnceLock};
/// use eventbus::conformance::{AppendOnly, Child, Fault, Faults, FaultyServer, Harness, Redis};
/// use eventbus::transport::Transport;
/// # async fn mine(url: &str) -> eventbus::Result<Arc<dyn Transport>> { todo!("{url}") }
///
/// async fn connect(url: String) -> eventbus::Result<Arc<dyn Transport>> {
///     mine(&url).await // the transport under test
/// }
///
/// #[derive(Debug, Default)]
/// struct OnRedis(OnceLock<FaultyServer<Redis>>);
///
/// impl OnRedis {
///     fn url(&self) -> String {
///         self.0.get().expect("it was started").url()
///     }
/// }
///
/// #[async_trait::async_trait]
/// impl Harness for OnRedis {
///     async fn start(&self, _: &[Fault]) {
///         let redis = Redis::new().append_only(AppendOnly::Always);
///         let server = FaultyServer::start(redis).await.expect("Redis starts");
///         self.0.set(server).expect("a harness is started once");
///     }
///     async fn connect(&self) -> eventbus::Result<Arc<dyn Transport>> {
///         connect(self.url()).await
///     }
///     fn faults(&self) -> Option<&dyn Faults> {
///         self.0.get().map(|server| server as &dyn Faults)
///     }
///     fn child(&self) -> Option<Child> {
///         Some(Child::new("conformance_child", self.url()))
///     }
/// }
///
/// eventbus::conformance!(OnRedis::default());
/// eventbus::conformance_child!(connect);
/// # fn main() {}
/// ```
#[derive(Debug)]
pub struct FaultyServer<B> {
    proxy: Proxy,
    server: Server<B>,
}

impl<B: Broker> FaultyServer<B> {
    /// Starts a server and a proxy in front of it.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start(broker: B) -> io::Result<Self> {
        let server = Server::start(broker).await?;
        Ok(Self { proxy: Proxy::start(server.port())?, server })
    }

    /// The proxy's port.
    pub fn port(&self) -> u16 {
        self.proxy.port()
    }

    /// The server, to look into it past the proxy.
    pub fn server(&self) -> &Server<B> {
        &self.server
    }
}

impl FaultyServer<Redis> {
    /// The URL of the proxy, with the password where there is one.
    pub fn url(&self) -> String {
        self.server.broker().url(self.port())
    }
}

#[async_trait]
impl<B: Broker> Faults for FaultyServer<B> {
    fn can(&self) -> &[Fault] {
        self.server.broker().can()
    }

    async fn kill(&self) {
        self.server.kill();
    }

    async fn restart(&self) {
        self.server.restart().await.expect("the server starts again");
    }

    async fn cut(&self) {
        self.proxy.cut().await;
    }

    async fn half_open(&self) {
        self.proxy.half_open();
    }

    async fn stall(&self) {
        self.proxy.stall();
    }

    async fn throttle(&self, bytes: NonZeroU64) {
        self.proxy.throttle(bytes);
    }

    async fn stop(&self) {
        self.server.stop();
    }

    async fn resume(&self) {
        self.server.resume();
        self.proxy.forward();
    }

    async fn vanish(&self) {
        self.server.vanish().await.expect("the server empties itself");
    }
}
