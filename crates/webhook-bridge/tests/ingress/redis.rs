//! A Redis of a test's own.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use crate::rig::PATIENCE;

/// A server, ended with its value.
pub(crate) struct Redis {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = spawn(port, &folder);
        let redis = Self { child, port, folder };
        redis.up().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Tells it something; it answers OK.
    pub(crate) fn command(&self, words: &[&str]) {
        let told = Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output();
        assert_eq!(String::from_utf8_lossy(&told.unwrap().stdout).trim(), "OK", "{words:?}");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again, with what it had.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(self.port, &self.folder);
        self.up().await;
    }

    async fn up(&self) {
        let mut looks = interval(std::time::Duration::from_millis(20));
        let up = async {
            while TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
                looks.tick().await;
            }
        };
        timeout(PATIENCE, up).await.expect("redis-server listens: is it installed? run `tests/brokers`");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, folder: &tempfile::TempDir) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--appendonly", "yes"]);
    command.args(["--appendfsync", "always", "--save", "", "--dir"]).arg(folder.path());
    command.stdout(Stdio::null()).spawn().expect("redis-server is installed: run `tests/brokers`")
}
