//! A proxy on loopback that breaks the connections through it.
//!
//! It runs on a thread of its own, so that it neither waits for the runtime of a test nor counts among its tasks.

mod line;

use std::io;
use std::net::{Ipv4Addr, TcpListener as Listening};
use std::num::NonZeroU64;
use std::thread::{self, JoinHandle};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use line::Line;

/// A proxy in front of a server on loopback. It ends, with every connection through it, when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    mode: watch::Sender<Mode>,
    /// Asks for a cut; `None` ends the proxy.
    cuts: Option<mpsc::UnboundedSender<oneshot::Sender<()>>>,
    thread: Option<JoinHandle<()>>,
}

/// What happens to bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Forward,
    HalfOpen,
    Stall,
    Throttle(NonZeroU64),
}

impl Proxy {
    /// Listens on a free port of loopback and forwards to this one.
    ///
    /// # Errors
    /// When there is no port or no thread.
    pub fn start(server: u16) -> io::Result<Self> {
        let listening = Listening::bind((Ipv4Addr::LOCALHOST, 0))?;
        listening.set_nonblocking(true)?;
        let port = listening.local_addr()?.port();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let mode = watch::Sender::new(Mode::Forward);
        let (cuts, asked) = mpsc::unbounded_channel();
        let door = Door { server, mode: mode.clone(), cut: watch::Sender::new(()) };
        let thread = thread::Builder::new().name("proxy".to_owned()).spawn(move || {
            runtime.block_on(async {
                if let Ok(listener) = TcpListener::from_std(listening) {
                    door.serve(listener, asked).await;
                }
            });
        })?;
        Ok(Self { port, mode, cuts: Some(cuts), thread: Some(thread) })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Passes everything on: ends the other modes. Connections that have lost bytes are reset.
    pub fn forward(&self) {
        self.mode.send_replace(Mode::Forward);
    }

    /// Resets every connection, and returns when that is done; new ones work at once.
    pub async fn cut(&self) {
        let (done, is_done) = oneshot::channel();
        if let Some(cuts) = &self.cuts
            && cuts.send(done).is_ok()
        {
            let _ = is_done.await;
        }
    }

    /// Lets bytes vanish both ways, and the ends of connections too; new connections are accepted and lead nowhere.
    pub fn half_open(&self) {
        self.mode.send_replace(Mode::HalfOpen);
    }

    /// Accepts bytes, as many as the system's buffers take, and passes none on until it [forwards](Self::forward)
    /// again.
    pub fn stall(&self) {
        self.mode.send_replace(Mode::Stall);
    }

    /// Passes on at most this many bytes a second on each connection, both directions together.
    pub fn throttle(&self, bytes: NonZeroU64) {
        self.mode.send_replace(Mode::Throttle(bytes));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cuts = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The accepting part.
struct Door {
    server: u16,
    mode: watch::Sender<Mode>,
    cut: watch::Sender<()>,
}

impl Door {
    async fn serve(self, listener: TcpListener, mut cuts: mpsc::UnboundedReceiver<oneshot::Sender<()>>) {
        let mut lines = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                asked = cuts.recv() => {
                    let Some(done) = asked else { return };
                    self.cut.send_replace(());
                    while lines.join_next().await.is_some() {}
                    let _ = done.send(());
                }
                Some(_) = lines.join_next() => {}
                accepted = listener.accept() => {
                    // A client that went before it was accepted is no reason to end.
                    if let Ok((client, _)) = accepted {
                        lines.spawn(Line::new(self.mode.subscribe(), self.cut.subscribe()).run(client, self.server));
                    }
                }
            }
        }
    }
}
