//! A server with a proxy in front of it: every fault there is.

use std::io;
use std::num::NonZeroU64;

use async_trait::async_trait;

use super::{Broker, Server};
use crate::conformance::faults::{Fault, Faults};
use crate::conformance::proxy::Proxy;

/// A private server behind a [`Proxy`], for [`Harness::faults`](crate::conformance::Harness::faults).
///
/// Clients connect to [`port`](Self::port), which stays the same whatever becomes of the server.
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
