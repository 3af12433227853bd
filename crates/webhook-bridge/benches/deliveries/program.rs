//! The bridge as its program, in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

/// Where an API key is remembered for the next start: a bridge prints it once.
const KEY: &str = "key-of-this-benchmark";

pub(crate) struct Program {
    child: Child,
    address: String,
    key: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Program {
    pub(crate) fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_webhook-bridge"))
            .arg("serve")
            .env("WEBHOOK_BRIDGE_DATA", folder)
            .env("WEBHOOK_BRIDGE_LISTEN", "127.0.0.1:0")
            .env("WEBHOOK_BRIDGE_ALLOW_TARGETS", "127.0.0.1/32")
            .env("WEBHOOK_BRIDGE_LOG", "error")
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program is built");
        let mut lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
        let address = loop {
            let line = lines.next().expect("it says where it listens").expect("a line");
            if let Some(key) = line.split(['=', ' ']).find(|part| part.starts_with("whb_test_")) {
                std::fs::write(folder.join(KEY), key).expect("the folder is there");
            }
            if let Some((_, address)) = line.split_once("listens on ") {
                break address.trim().to_owned();
            }
        };
        // Whatever else it prints is read, so that it never waits for that.
        std::thread::spawn(move || lines.for_each(drop));
        let key = std::fs::read_to_string(folder.join(KEY)).expect("the first start printed it");
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { child, address, key, client: Client::builder(TokioExecutor::new()).build(connector) }
    }

    /// Makes an endpoint that wants a type.
    pub(crate) async fn endpoint(&self, url: &str, event_type: &str) {
        let wish = json!({ "url": url, "enabled_events": [event_type] });
        assert_eq!(self.post("/v1/endpoints", wish.to_string()).await, StatusCode::CREATED);
    }

    pub(crate) async fn post(&self, path: &str, body: String) -> StatusCode {
        let request = Request::post(format!("{}{path}", self.address))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(Full::from(body))
            .expect("legal headers");
        let response = self.client.request(request).await.expect("the program answers");
        let status = response.status();
        response.into_body().collect().await.expect("a whole answer");
        status
    }

    /// Its memory at most until now, in MiB.
    pub(crate) fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.expect("the system tells");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib / 1024.0
    }

    /// The processor time it has used.
    pub(crate) fn cpu(&self) -> Duration {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("the system tells");
        let used = threads.flatten().filter_map(|thread| {
            let line = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
            line.split(' ').next()?.parse().ok().map(Duration::from_nanos)
        });
        used.sum()
    }

    /// SIGTERM, and it ends well.
    pub(crate) fn stop(mut self) {
        let pid = Pid::from_raw(self.child.id().cast_signed()).expect("a process");
        kill_process(pid, Signal::TERM).expect("it lives");
        assert!(self.child.wait().expect("it ends").success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
