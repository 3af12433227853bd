//! A private Redis, and what it says of what was done to it.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, FromRedisValue, Value};

/// Runs the server until standard input ends, which it does with the process that holds its other end.
const SCRIPT: &str = r#"folder=$1; shift; redis-server "$@" & cat; kill $!; wait; rm -r "$folder""#;

/// When the server's log is written to its disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disk {
    /// There is none.
    Never,
    /// Before every answer.
    Always,
}

/// A server of our own, on a free port, with its files in a temporary folder. It ends, and they go, with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
}

impl Server {
    pub(crate) async fn start(disk: Disk) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
        let port = free.expect("there is a free port").port().to_string();
        let folder = folder(&port);
        std::fs::create_dir(&folder).expect("the temporary folder can be written");
        let append = if disk == Disk::Always { "yes" } else { "no" };
        let child = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(&folder)
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir"])
            .arg(&folder)
            .args(["--appendonly", append, "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        let child = child.expect("there is a shell");
        let server = Self { child, url: format!("redis://127.0.0.1:{port}") };
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port.parse().unwrap_or(0))).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "redis-server must be installed");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server
    }

    /// Forgets everything.
    pub(crate) async fn clear(url: &str) {
        ask::<Value>(url, "FLUSHALL", &["SYNC"]).await;
    }

    /// How many events were ever published to a stream.
    pub(crate) async fn published(url: &str, stream: &str) -> usize {
        let told: Vec<Value> = ask(url, "XINFO", &["STREAM", stream]).await;
        let mut told = told.into_iter();
        let name = Value::BulkString(b"entries-added".to_vec());
        let found = told.find(|value| *value == name).and_then(|_| told.next());
        match found {
            Some(Value::Int(count)) => usize::try_from(count).expect("counts are positive"),
            other => unreachable!("Redis 7 tells how many entries were added: {other:?}"),
        }
    }

    /// Waits until a group has acknowledged everything it was given.
    pub(crate) async fn acknowledged(url: &str, stream: &str, group: &str) {
        let mut connection = connect(url).await;
        let mut question = redis::cmd("XPENDING");
        question.arg(stream).arg(group);
        loop {
            let told: Vec<Value> = question.query_async(&mut connection).await.expect("the group is there");
            if told.first() == Some(&Value::Int(0)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn folder(port: &str) -> PathBuf {
    std::env::temp_dir().join(format!("eventbus-bench-{}-{port}", std::process::id()))
}

/// A connection whose answers may take as long as they like.
pub(crate) async fn connect(url: &str) -> MultiplexedConnection {
    let client = Client::open(url).expect("the URL is legal");
    let patient = AsyncConnectionConfig::new().set_response_timeout(None);
    let connection = client.get_multiplexed_async_connection_with_config(&patient).await;
    connection.expect("the server is there")
}

async fn ask<T: FromRedisValue>(url: &str, command: &str, arguments: &[&str]) -> T {
    let answer = redis::cmd(command).arg(arguments).query_async(&mut connect(url).await).await;
    answer.expect("the server is there")
}
