//! A RabbitMQ of a test's own: in one process, without Erlang's port mapper.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::redis::{free_port, until};

/// The script that ends up as the node itself; the one in the `PATH` may be a wrapper that changes the user.
const SCRIPTS: &[&str] = &["/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"];

/// A node, ended with its value.
pub(crate) struct RabbitMq {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl RabbitMq {
    pub(crate) async fn start() -> Self {
        tokio::task::spawn_blocking(Self::blocking).await.unwrap()
    }

    fn blocking() -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let child = spawn(folder.path(), port);
        let node = Self { child, port, _folder: folder };
        until(Duration::from_secs(90), || greets(port).unwrap_or(false));
        node
    }

    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.port)
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Path, port: u16) -> Child {
    let file = |name: &str| folder.join(name);
    std::fs::write(file("rabbitmq.conf"), "").unwrap();
    std::fs::write(file("plugins"), "[].").unwrap();
    std::fs::write(file("environment"), "").unwrap();
    let script = SCRIPTS.iter().find(|script| Path::new(script).is_file()).unwrap_or(&SCRIPTS[1]);
    let mut command = Command::new(script);
    let erlangs = |name: &str| name.starts_with("RABBITMQ_") || name.starts_with("ERL_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| erlangs(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    // With this the script becomes the node; without, it starts one, which would live on after a kill.
    command.env("RUNNING_UNDER_SYSTEMD", "1").env("HOME", folder).env("ERL_CRASH_DUMP_SECONDS", "0");
    command.env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1").env("RABBITMQ_NODE_PORT", port.to_string());
    command.env("RABBITMQ_MNESIA_BASE", file("data")).env("RABBITMQ_LOG_BASE", folder);
    command.env("RABBITMQ_LOGS", file("log")).env("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf"));
    command.env("RABBITMQ_CONF_ENV_FILE", file("environment"));
    command
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("plugins"))
        .env("RABBITMQ_NODENAME", "rabbit@localhost");
    let more = "+S 2:2 +sbt u -sname rabbit@localhost -start_epmd false -dist_listen false -erl_epmd_port 1";
    command.env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", more);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("rabbitmq-server is installed: run `tests/brokers`")
}

/// Whether it begins a connection: the first method of a server is the start.
fn greets(port: u16) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"AMQP\x00\x00\x09\x01")?;
    let mut start = [0; 11];
    stream.read_exact(&mut start)?;
    Ok(start[0] == 1 && start[7..] == [0, 10, 0, 10])
}
