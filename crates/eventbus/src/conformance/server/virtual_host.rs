//! Many cases on one RabbitMQ node, each in a virtual host of its own.

use std::io;
use std::num::NonZeroU64;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use tokio::sync::Mutex;

use super::{Broker as _, RabbitMq, Server, control, rabbitmq};
use crate::conformance::faults::{Fault, Faults};
use crate::conformance::proxy::Proxy;

/// A virtual host behind a [`Proxy`] of its own, on a RabbitMQ node that is shared with others of this process. It is
/// removed with its value, with everything in it.
///
/// Only where the node itself is to be killed or stopped does it start a node of its own.
///
/// ```no_run
/// # use std::sync::{Arc, OnceLock};
/// # use eventbus::transport::Transport;
/// # async fn mine(url: &str) -> eventbus::Result<Arc<dyn Transport>> { todo!("{url}") }
/// use eventbus::conformance::{Fault, Faults, Harness, VirtualHost};
///
/// #[derive(Debug, Default)]
/// struct OnRabbitMq(OnceLock<VirtualHost>);
///
/// #[async_trait::async_trait]
/// impl Harness for OnRabbitMq {
///     async fn start(&self, faults: &[Fault]) {
///         let host = VirtualHost::start(faults).await.expect("RabbitMQ starts");
///         self.0.set(host).expect("a harness is started once");
///     }
///     async fn connect(&self) -> eventbus::Result<Arc<dyn Transport>> {
///         mine(&self.0.get().expect("it was started").url()).await
///     }
///     fn faults(&self) -> Option<&dyn Faults> {
///         self.0.get().map(|host| host as &dyn Faults)
///     }
/// }
/// ```
#[derive(Debug)]
pub struct VirtualHost {
    name: String,
    proxy: Proxy,
    node: Arc<Server<RabbitMq>>,
    is_own: bool,
}

/// The node of those that break nothing, and who sweeps up after it.
static SHARED: Mutex<Option<(Arc<Server<RabbitMq>>, Child)>> = Mutex::const_new(None);

impl VirtualHost {
    /// Makes a virtual host for a case that inflicts these faults.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start(faults: &[Fault]) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let is_own = faults.iter().any(|fault| matches!(fault, Fault::Kill | Fault::Stop));
        let node = if is_own { Arc::new(Server::start(settings()).await?) } else { shared().await? };
        let name = format!("case-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        node.add_virtual_host(&name).await?;
        Ok(Self { name, proxy: Proxy::start(node.port())?, node, is_own })
    }

    /// Its URL through the proxy.
    pub fn url(&self) -> String {
        self.node.broker().url(self.proxy.port(), &self.name)
    }

    /// Its name on the node.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The node, to look into it past the proxy.
    pub fn node(&self) -> &Server<RabbitMq> {
        &self.node
    }

    fn own(&self) -> &Server<RabbitMq> {
        assert!(self.is_own, "the node is shared: say at the start that it is to be broken");
        &self.node
    }
}

impl Drop for VirtualHost {
    fn drop(&mut self) {
        if !self.is_own {
            // It costs space if it stays.
            let _ = control::tell(self.node.place(), &rabbitmq::remove(&self.name));
        }
    }
}

/// A small log of quorum queues, which is kept in memory too.
fn settings() -> RabbitMq {
    RabbitMq::new().set("raft.wal_max_size_bytes", "33554432")
}

async fn shared() -> io::Result<Arc<Server<RabbitMq>>> {
    let mut shared = SHARED.lock().await;
    if let Some((node, _)) = &*shared {
        return Ok(Arc::clone(node));
    }
    let node = Arc::new(Server::start(settings()).await?);
    let sweeper = sweep(node.place().folder())?;
    *shared = Some((Arc::clone(&node), sweeper));
    Ok(node)
}

/// Removes a folder when this process ends, which nothing else does for what lives as long as the process. The node
/// is killed at the same time, and may write once more.
fn sweep(folder: &Path) -> io::Result<Child> {
    const SCRIPT: &str = r#"cat; for second in 1 2 3 4 5; do rm -rf "$0"; sleep 1; done"#;
    let mut command = Command::new("sh");
    command.args(["-c", SCRIPT]).arg(folder).process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn()
}

#[async_trait]
impl Faults for VirtualHost {
    fn can(&self) -> &[Fault] {
        self.node.broker().can()
    }

    async fn kill(&self) {
        self.own().kill();
    }

    async fn restart(&self) {
        self.own().restart().await.expect("the node starts again");
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
        self.own().stop();
    }

    async fn resume(&self) {
        if self.is_own {
            self.node.resume();
        }
        self.proxy.forward();
    }

    async fn vanish(&self) {
        let vanish = rabbitmq::vanish(&format!("[{}]", control::binary(&self.name)));
        self.node.evaluate(&vanish).await.expect("the node deletes everything");
    }
}
