//! The bridge as a process of its own, to be killed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::caller::Caller;

pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
    /// The key of the test mode: printed by the first start, remembered beside the store.
    key: String,
}

impl Process {
    pub(crate) async fn start(folder: &Path, allowed: &str) -> Self {
        Self::start_in(folder, allowed, &[]).await
    }

    /// With more in its environment.
    pub(crate) async fn start_in(folder: &Path, allowed: &str, environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_webhook-bridge"))
            .arg("serve")
            // For this test, not for the bridge.
            .env_remove("WEBHOOK_BRIDGE_KILLS")
            .env("WEBHOOK_BRIDGE_DATA", folder)
            .env("WEBHOOK_BRIDGE_LISTEN", "127.0.0.1:0")
            .env("WEBHOOK_BRIDGE_ALLOW_TARGETS", allowed)
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let remembered: PathBuf = folder.join("key-of-this-test");
        while let Some(line) = lines.next_line().await.unwrap() {
            let key = line.strip_prefix("export WEBHOOK_BRIDGE_KEY=").and_then(|rest| rest.split(' ').next());
            if let Some(key) = key.filter(|key| key.starts_with("whb_test_")) {
                std::fs::write(&remembered, key).unwrap();
            }
            if let Some(address) = line.strip_prefix("webhook-bridge listens on http://") {
                let key = std::fs::read_to_string(remembered).unwrap();
                return Self { child, address: address.parse().unwrap(), key };
            }
        }
        panic!("the bridge did not start");
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller::new(self.address, self.key.clone())
    }

    /// Lets it have so many files; says how many it might have before.
    pub(crate) fn allow_files(&self, count: u64) -> u64 {
        let limit = |current| Rlimit { current, ..getrlimit(Resource::Nofile) };
        prlimit(Some(self.pid()), Resource::Nofile, limit(Some(count))).unwrap().current.unwrap()
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().unwrap().try_into().unwrap()).unwrap()
    }

    /// Its resident memory in bytes.
    pub(crate) fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id().unwrap())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
    }

    /// SIGKILL: nothing is cleaned up.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// SIGTERM, and it ends well.
    pub(crate) async fn stop(mut self) {
        kill_process(self.pid(), Signal::TERM).unwrap();
        assert!(self.child.wait().await.unwrap().success());
    }
}
