//! The conformance suite on a real Redis.

use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use eventbus::conformance::{Harness, Pace};
use eventbus::transport::Transport;
use eventbus_redis::{RedisConfig, RedisTransport};

#[derive(Debug)]
struct Redis {
    port: u16,
    child: Mutex<Child>,
}
impl Redis {
    fn new() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--dir",
                "/tmp",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { port, child: Mutex::new(child) }
    }
}
impl Drop for Redis {
    fn drop(&mut self) {
        let mut c = self.child.lock().unwrap();
        c.kill().unwrap();
        c.wait().unwrap();
    }
}

#[async_trait]
impl Harness for Redis {
    async fn connect(&self) -> eventbus::Result<Arc<dyn Transport>> {
        let config =
            RedisConfig::new(format!("redis://127.0.0.1:{}", self.port)).lease(Duration::from_secs(2));
        Ok(Arc::new(RedisTransport::connect(config).await?))
    }
    fn pace(&self) -> Pace {
        Pace::default()
    }
}

eventbus::conformance!(Redis::new());
