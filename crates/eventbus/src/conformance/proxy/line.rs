//! One connection through the proxy.

use std::io;
use std::net::Ipv4Addr;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Mode;

/// A connection, or one direction of it.
#[derive(Clone)]
pub(super) struct Line {
    mode: watch::Receiver<Mode>,
    cut: watch::Receiver<()>,
    /// When the next bytes may pass while the line is slow; both directions share it.
    free: Arc<Mutex<Instant>>,
}

/// How many bytes are passed on at once.
const CHUNK: usize = 16 * 1024;

impl Line {
    pub(super) fn new(mode: watch::Receiver<Mode>, cut: watch::Receiver<()>) -> Self {
        Self { mode, cut, free: Arc::new(Mutex::new(Instant::now())) }
    }

    /// Passes bytes on until both ends are done, one fails, or the connection is cut.
    pub(super) async fn run(mut self, mut client: TcpStream, server: u16) {
        let _ = client.set_nodelay(true);
        let mut cut = self.cut.clone();
        let connected = tokio::select! {
            biased;
            _ = cut.changed() => None,
            connected = self.connect(&mut client, server) => connected.ok(),
        };
        let Some(mut server) = connected else { return reset(&client) };
        let passed = tokio::select! {
            biased;
            _ = cut.changed() => None,
            passed = self.join(&mut client, &mut server) => passed.ok(),
        };
        if passed.is_none() {
            reset(&client);
            reset(&server);
        }
    }

    /// Connects to the server as soon as that gets through.
    async fn connect(&mut self, client: &mut TcpStream, server: u16) -> io::Result<TcpStream> {
        let mut mode = self.mode.clone();
        loop {
            let now = *mode.borrow_and_update();
            match now {
                Mode::Forward | Mode::Throttle(_) => break,
                Mode::Stall => changed(&mut mode).await?,
                // As long as it has lost nothing, a connection is none the worse for it.
                Mode::HalfOpen => tokio::select! {
                    biased;
                    now = changed(&mut mode) => now?,
                    ready = client.readable() => {
                        ready?;
                        return Err(self.vanish(client).await);
                    }
                },
            }
        }
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, server)).await?;
        server.set_nodelay(true)?;
        Ok(server)
    }

    async fn join(&self, client: &mut TcpStream, server: &mut TcpStream) -> io::Result<()> {
        let (mut up, mut down) = (self.clone(), self.clone());
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.split(), server.split());
        tokio::try_join!(
            up.pass(&mut from_client, &mut to_server),
            down.pass(&mut from_server, &mut to_client),
        )?;
        Ok(())
    }

    /// One direction, up to its end.
    async fn pass<R, W>(&mut self, from: &mut R, to: &mut W) -> io::Result<()>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut buffer = vec![0; CHUNK];
        loop {
            let mode = *self.mode.borrow_and_update();
            let read = tokio::select! {
                biased;
                now = changed(&mut self.mode) => {
                    now?;
                    continue;
                }
                read = from.read(&mut buffer[..mode.chunk()]), if mode != Mode::Stall => read,
            };
            if !self.admit(*read.as_ref().unwrap_or(&0)).await? {
                return Err(self.vanish(from).await);
            }
            match read? {
                0 => return to.shutdown().await,
                bytes => to.write_all(&buffer[..bytes]).await?,
            }
        }
    }

    /// Waits until bytes that were read may pass; `false` when they vanish.
    async fn admit(&mut self, bytes: usize) -> io::Result<bool> {
        loop {
            let mode = *self.mode.borrow_and_update();
            match mode {
                Mode::Forward => return Ok(true),
                Mode::HalfOpen => return Ok(false),
                Mode::Stall => changed(&mut self.mode).await?,
                Mode::Throttle(rate) => {
                    let turn = self.turn(bytes, rate);
                    tokio::select! {
                        biased;
                        now = changed(&mut self.mode) => now?,
                        () = sleep_until(turn) => return Ok(true),
                    }
                }
            }
        }
    }

    /// When these bytes have passed a line of this rate.
    fn turn(&self, bytes: usize, rate: NonZeroU64) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let takes = Duration::from_secs_f64(bytes as f64 / rate.get() as f64);
        *free = Instant::now().max(*free) + takes;
        *free
    }

    /// Swallows everything until bytes pass again; the connection has holes by then, so this ends in an error.
    async fn vanish(&mut self, from: &mut (impl AsyncRead + Unpin)) -> io::Error {
        let mut buffer = vec![0; CHUNK];
        let mut passes = self.mode.clone();
        let passes = passes.wait_for(|mode| *mode != Mode::HalfOpen);
        let swallow = async {
            while let Ok(1..) = from.read(&mut buffer).await {}
            // Its end vanishes like everything else.
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = passes => {}
            () = swallow => {}
        }
        io::ErrorKind::ConnectionReset.into()
    }
}

impl Mode {
    /// How many bytes are read at once: on a slow line those of a twentieth of a second.
    fn chunk(self) -> usize {
        match self {
            Self::Throttle(rate) => usize::try_from(rate.get() / 20).unwrap_or(CHUNK).clamp(1, CHUNK),
            _ => CHUNK,
        }
    }
}

async fn changed(mode: &mut watch::Receiver<Mode>) -> io::Result<()> {
    mode.changed().await.map_err(io::Error::other)
}

/// Lets a connection end with a reset when it is dropped.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
