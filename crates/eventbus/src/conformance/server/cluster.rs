//! Several RabbitMQ nodes that are one server.

use std::fs;
use std::io;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use tokio::time::sleep;

use super::place::Port;
use super::{Place, RabbitMq, Server};
use crate::conformance::process::Process;

/// A cluster of RabbitMQ nodes on this machine, each of which can be killed and started again.
///
/// The leaders of its quorum queues are spread over the nodes.
///
/// ```no_run
/// # async fn doc() -> std::io::Result<()> {
/// use eventbus::conformance::{RabbitCluster, RabbitMq};
///
/// let cluster = RabbitCluster::start(RabbitMq::new(), 3).await?;
/// cluster.nodes()[1].kill();
/// cluster.nodes()[1].restart().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct RabbitCluster {
    // Before the port mapper, which they need while they live.
    nodes: Vec<Server<RabbitMq>>,
    _mapper: Process,
    _port: Port,
}

/// One of them.
#[derive(Debug, Clone)]
pub(super) struct Member {
    name: String,
    /// Where the other nodes reach it.
    port: Arc<Port>,
    /// The port of the port mapper.
    mapper: u16,
    /// The name of the one that the others join.
    first: String,
}

/// How long the port mapper may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

impl RabbitCluster {
    /// Starts so many nodes of these settings, at least one, and returns when they are a cluster.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub async fn start(broker: RabbitMq, nodes: usize) -> io::Result<Self> {
        let port = Port::free()?;
        let mapper = map(port.number()).await?;
        let members =
            (1..=nodes).map(|number| Member::new(number, port.number())).collect::<io::Result<Vec<_>>>()?;
        let node = |member: &Member| Server::start(broker.clone().join(member.clone()));
        let (first, others) = members.split_at(1.min(members.len()));
        // The others join the first one, which must be there.
        let mut running = try_join_all(first.iter().map(node)).await?;
        running.extend(try_join_all(others.iter().map(node)).await?);
        Ok(Self { nodes: running, _mapper: mapper, _port: port })
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Server<RabbitMq>] {
        &self.nodes
    }
}

impl Member {
    fn new(number: usize, mapper: u16) -> io::Result<Self> {
        let [name, first] = [number, 1].map(|number| format!("node{number}@localhost"));
        Ok(Self { name, port: Arc::new(Port::free()?), mapper, first })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn settings(&self) -> Vec<(String, String)> {
        let mut settings = vec![
            ("queue_leader_locator".to_owned(), "balanced".to_owned()),
            ("cluster_formation.peer_discovery_backend".to_owned(), "classic_config".to_owned()),
            ("cluster_formation.classic_config.nodes.1".to_owned(), self.first.clone()),
        ];
        if self.name != self.first {
            settings.push(("cluster_formation.classic_config.nodes.2".to_owned(), self.name.clone()));
        }
        settings
    }

    /// Adds what lets the nodes reach each other, and returns the arguments for it.
    pub(super) fn arrange(&self, command: &mut Command, place: &Place) -> io::Result<String> {
        let cookie = place.folder().join(".erlang.cookie");
        if !cookie.exists() {
            fs::write(&cookie, format!("EVENTBUS{}", self.mapper))?;
            private(&cookie)?;
        }
        command.env("ERL_EPMD_PORT", self.mapper.to_string()).env("ERL_EPMD_ADDRESS", "127.0.0.1");
        let port = self.port.number();
        command.env("RABBITMQ_DIST_PORT", port.to_string());
        Ok(format!(
            "-kernel inet_dist_use_interface {{127,0,0,1}} inet_dist_listen_min {port} inet_dist_listen_max {port}"
        ))
    }
}

/// Erlang takes no cookie that others may read.
fn private(file: &std::path::Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o400))
}

/// Starts a port mapper, in the foreground so that it ends with the nodes.
async fn map(port: u16) -> io::Result<Process> {
    let mut command = Process::command("epmd");
    command.args(["-address", "127.0.0.1", "-port", &port.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let process = Process::spawn(command)?;
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if process.ended().is_some() || Instant::now() >= end {
            return Err(io::Error::other(format!("`epmd` does not start on port {port}")));
        }
        sleep(Duration::from_millis(5)).await;
    }
    Ok(process)
}
