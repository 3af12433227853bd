//! A RabbitMQ server of one's own.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::cluster::Member;
use super::control::{self, binary};
use super::{Broker, FaultyServer, Place, Server};
use crate::conformance::faults::Fault;

/// A running RabbitMQ node of one's own.
pub type RabbitMqServer = Server<RabbitMq>;

/// The settings of a private RabbitMQ node. It starts in 3 to 5 s; cases that break nothing better share one, see
/// [`VirtualHost`](super::VirtualHost).
///
/// It runs in one operating system process, without Erlang's port mapper, and listens on the port of its place only.
///
/// ```no_run
/// # async fn doc() -> std::io::Result<()> {
/// use eventbus::conformance::{RabbitMq, Server};
///
/// let server = Server::start(RabbitMq::new().set("consumer_timeout", "60000")).await?;
/// server.add_virtual_host("shop").await?;
/// server.raise_alarm().await?; // publishers are blocked
/// server.evaluate("length(rabbit_amqqueue:list()).").await?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Default)]
pub struct RabbitMq {
    settings: Vec<(String, String)>,
    member: Option<Member>,
}

/// The script that ends up as the node itself. The one in the `PATH` may be a wrapper that changes the user and drops
/// the environment.
const SCRIPTS: &[&str] = &["/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"];

/// Who does what is done from here, in the node's log.
const ACTOR: &str = r#"<<"eventbus">>"#;

impl RabbitMq {
    /// A node as it comes: a user `guest` with the password `guest`, who may do everything in the virtual host `/`.
    pub fn new() -> Self {
        Self::default()
    }

    /// A setting of `rabbitmq.conf`: `set("heartbeat", "5")`, `set("consumer_timeout", "60000")`.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// The URL of a virtual host of such a node on this port of loopback, which may be a proxy's.
    pub fn url(&self, port: u16, virtual_host: &str) -> String {
        let virtual_host = virtual_host.replace('%', "%25").replace('/', "%2f");
        format!("amqp://guest:guest@127.0.0.1:{port}/{virtual_host}")
    }

    pub(super) fn join(self, member: Member) -> Self {
        Self { member: Some(member), ..self }
    }

    fn configuration(&self) -> String {
        let joins = self.member.iter().flat_map(Member::settings);
        let all = self.settings.iter().cloned().chain(joins);
        all.map(|(name, value)| format!("{name} = {value}\n")).collect()
    }
}

#[async_trait]
impl Broker for RabbitMq {
    fn program(&self) -> &'static str {
        SCRIPTS.iter().find(|script| Path::new(script).is_file()).unwrap_or(&SCRIPTS[SCRIPTS.len() - 1])
    }

    fn install(&self) -> &'static str {
        "run `tests/brokers`, or `apt-get install rabbitmq-server`"
    }

    fn arrange(&self, command: &mut Command, place: &Place) -> io::Result<()> {
        let file = |name: &str| place.folder().join(name);
        fs::write(file("rabbitmq.conf"), self.configuration())?;
        fs::write(file("plugins"), "[].")?;
        fs::write(file("environment"), "")?;
        fs::write(file("control.erl"), control::SCRIPT)?;
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_erlangs(name)) {
            command.env_remove(name);
        }
        // With this the script becomes the node; without, it starts one, which would live on after a kill.
        command.env("RUNNING_UNDER_SYSTEMD", "1");
        command.env("HOME", place.folder()).env("ERL_CRASH_DUMP_SECONDS", "0");
        command.env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1");
        command.env("RABBITMQ_NODE_PORT", place.port().to_string());
        command.env("RABBITMQ_MNESIA_BASE", file("data"));
        command.env("RABBITMQ_LOG_BASE", place.folder()).env("RABBITMQ_LOGS", place.log());
        command.env("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf"));
        command.env("RABBITMQ_CONF_ENV_FILE", file("environment"));
        command.env("RABBITMQ_ENABLED_PLUGINS_FILE", file("plugins"));
        command.env("RABBITMQ_SCHEDULER_BIND_TYPE", "u");
        command.env("EVENTBUS_CONTROL", control::socket(place));
        command.env("EVENTBUS_CONTROL_SCRIPT", file("control.erl"));
        let name = self.member.as_ref().map_or("rabbit@localhost", Member::name);
        let reach = match &self.member {
            Some(member) => member.arrange(command, place)?,
            // Nobody reaches it but clients; the port is never asked for anything.
            None => "-dist_listen false -erl_epmd_port 1".to_owned(),
        };
        let control = r#"-eval file:eval(os:getenv("EVENTBUS_CONTROL_SCRIPT"))"#;
        let more = format!("+S 2:2 -sname {name} -start_epmd false {reach} {control}");
        command.env("RABBITMQ_NODENAME", name).env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", more);
        Ok(())
    }

    async fn is_ready(&self, place: &Place) -> bool {
        let running = control::evaluate(place, "rabbit:is_running().").await;
        running.is_ok_and(|running| running == "true") && greets(place.port()).await
    }

    /// A minute: it is slow to start, and slower beside others that start.
    fn patience(&self) -> Duration {
        Duration::from_secs(60)
    }

    fn can(&self) -> &[Fault] {
        &[Fault::Kill, Fault::Cut, Fault::HalfOpen, Fault::Stall, Fault::Throttle, Fault::Stop, Fault::Vanish]
    }

    /// Deletes all queues and exchanges; users and virtual hosts stay.
    async fn vanish(&self, place: &Place) -> io::Result<()> {
        control::evaluate(place, &vanish("rabbit_vhost:list()")).await.map(drop)
    }
}

/// What Erlang or RabbitMQ would take from the environment.
fn is_erlangs(name: &OsString) -> bool {
    let name = name.to_string_lossy();
    ["RABBITMQ_", "ERL_"].iter().any(|prefix| name.starts_with(prefix))
}

/// Whether it begins a connection: the first method of a server is the start.
async fn greets(port: u16) -> bool {
    let greeted = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.write_all(b"AMQP\x00\x00\x09\x01").await?;
        let mut start = [0; 11];
        stream.read_exact(&mut start).await?;
        io::Result::Ok(start[0] == 1 && start[7..] == [0, 10, 0, 10])
    };
    timeout(Duration::from_secs(5), greeted).await.is_ok_and(|greeted| greeted.unwrap_or(false))
}

/// Deletes all queues and exchanges of these virtual hosts, but those that are always there.
pub(super) fn vanish(virtual_hosts: &str) -> String {
    format!(
        "[begin
            [rabbit_exchange:delete(Name, false, {ACTOR}) ||
                Exchange <- rabbit_exchange:list(Host), Name <- [element(2, Exchange)],
                case element(4, Name) of <<>> -> false; <<\"amq.\", _/binary>> -> false; _ -> true end],
            [rabbit_amqqueue:delete(Queue, false, false, {ACTOR}) || Queue <- rabbit_amqqueue:list(Host)]
        end || Host <- {virtual_hosts}]."
    )
}

/// Makes a virtual host in which the user `guest` may do everything.
pub(super) fn add(virtual_host: &str) -> String {
    let host = binary(virtual_host);
    format!("ok = rabbit_vhost:add({host}, {ACTOR}), {}", permit("guest", virtual_host))
}

/// Removes a virtual host with all that is in it, and closes its connections.
pub(super) fn remove(virtual_host: &str) -> String {
    format!("rabbit_vhost:delete({}, {ACTOR}).", binary(virtual_host))
}

fn permit(user: &str, virtual_host: &str) -> String {
    let (user, host, all) = (binary(user), binary(virtual_host), r#"<<".*">>"#);
    let permit = "rabbit_auth_backend_internal:set_permissions";
    format!("ok = {permit}({user}, {host}, {all}, {all}, {all}, {ACTOR}).")
}

impl Server<RabbitMq> {
    /// The URL of the virtual host `/`.
    pub fn url(&self) -> String {
        self.broker().url(self.port(), "/")
    }

    /// Evaluates Erlang expressions in the node and returns the value of the last one, as Erlang prints it. Each ends
    /// with a comma, the last one with a full stop.
    ///
    /// # Errors
    /// When the node cannot be reached, or when they fail.
    pub async fn evaluate(&self, code: &str) -> io::Result<String> {
        control::evaluate(self.place(), code).await
    }

    /// Makes a virtual host in which the user `guest` may do everything.
    ///
    /// # Errors
    /// When the node cannot be reached.
    pub async fn add_virtual_host(&self, name: &str) -> io::Result<()> {
        self.evaluate(&add(name)).await.map(drop)
    }

    /// Makes a user who may do everything in one virtual host.
    ///
    /// # Errors
    /// When the node cannot be reached, and when there is such a user.
    pub async fn add_user(&self, name: &str, password: &str, virtual_host: &str) -> io::Result<()> {
        let (user, password) = (binary(name), binary(password));
        let add = format!("ok = rabbit_auth_backend_internal:add_user({user}, {password}, {ACTOR})");
        self.evaluate(&format!("{add}, {}", permit(name, virtual_host))).await.map(drop)
    }

    /// Raises the alarm about memory: connections that publish are blocked.
    ///
    /// # Errors
    /// When the node cannot be reached.
    pub async fn raise_alarm(&self) -> io::Result<()> {
        let alarm = "rabbit_alarm:set_alarm({{resource_limit, memory, node()}, []}).";
        self.evaluate(alarm).await.map(drop)
    }

    /// Ends the alarm about memory.
    ///
    /// # Errors
    /// When the node cannot be reached.
    pub async fn clear_alarm(&self) -> io::Result<()> {
        self.evaluate("rabbit_alarm:clear_alarm({resource_limit, memory, node()}).").await.map(drop)
    }
}

impl FaultyServer<RabbitMq> {
    /// The URL of the virtual host `/` through the proxy.
    pub fn url(&self) -> String {
        self.server().broker().url(self.port(), "/")
    }
}
