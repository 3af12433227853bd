//! Where a server is: its port and its folder.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};

use rand::RngExt as _;
use tempfile::TempDir;

/// The port and the folder of a server; the folder is removed with it.
#[derive(Debug)]
pub struct Place {
    port: Port,
    folder: TempDir,
}

/// A port on loopback that is nobody else's, also while nobody listens on it: its namesake among the datagram ports,
/// which no server here uses, is the claim. Two tests that looked for a free port at the same moment, in one process or
/// two, would both find the first of their servers.
#[derive(Debug)]
pub(super) struct Port {
    number: u16,
    _claim: UdpSocket,
}

/// Ports that systems give to nobody by themselves, so that a server that is down finds its port free again.
const PORTS: std::ops::Range<u16> = 12_000..32_000;

/// How many lines of a log are told: Erlang reports a failure at every level above it.
const TOLD: usize = 100;

impl Place {
    /// A free port and an empty folder.
    pub(super) fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("eventbus-").tempdir()?;
        Ok(Self { port: Port::free()?, folder })
    }

    /// The port on loopback.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file that takes what the server prints, and its log where it can be told so.
    pub fn log(&self) -> PathBuf {
        self.folder().join("log")
    }

    /// Tells whether nobody listens on the port.
    pub(super) fn is_free(&self) -> bool {
        is_free(self.port())
    }

    pub(super) fn output(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(self.log())
    }

    /// Says what is wrong with a server, with the end of its log.
    pub(super) fn told(&self, what: &str, program: &str) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(TOLD)..];
        format!("`{program}` on port {} {what}; its log ends with\n{}", self.port(), last.join("\n"))
    }
}

impl Port {
    /// A port that nobody has.
    ///
    /// # Errors
    /// When none is found.
    pub(super) fn free() -> io::Result<Self> {
        let mut random = rand::rng();
        let mut ports = (0..1000).map(|_| random.random_range(PORTS)).filter(|port| is_free(*port));
        let claim = |number| Some(Self { number, _claim: UdpSocket::bind(("127.0.0.1", number)).ok()? });
        ports.find_map(claim).ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, "no port is free"))
    }

    pub(super) fn number(&self) -> u16 {
        self.number
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}
