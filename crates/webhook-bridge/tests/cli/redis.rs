//! A Redis of a test's own.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use std::io::{Read as _, Write as _};

/// A server, ended with its value.
pub(crate) struct Redis {
    child: Child,
    pub(crate) port: u16,
    _folder: tempfile::TempDir,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        tokio::task::spawn_blocking(Self::blocking).await.unwrap()
    }

    pub(crate) fn blocking() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new("redis-server");
        command.args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--appendonly",
            "yes",
            "--save",
            "",
        ]);
        command.arg("--dir").arg(folder.path()).stdout(Stdio::null());
        let child = command.spawn().expect("redis-server is installed: run `tests/brokers`");
        let redis = Self { child, port, _folder: folder };
        until(Duration::from_secs(30), || redis.ask("PING").is_ok_and(|answer| answer.contains("PONG")));
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What there is under a pattern, as the server answers it.
    pub(crate) fn keys(&self, pattern: &str) -> Vec<String> {
        let answer = self.ask(&format!("KEYS {pattern}")).unwrap();
        answer.lines().filter(|line| !line.starts_with(['*', '$'])).map(str::to_owned).collect()
    }

    /// One answer that comes at once.
    fn ask(&self, command: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.trim_end().trim_end_matches("+OK").to_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until something is so.
pub(crate) fn until(patience: Duration, so: impl Fn() -> bool) {
    let began = Instant::now();
    while !so() {
        assert!(began.elapsed() < patience, "within {patience:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
