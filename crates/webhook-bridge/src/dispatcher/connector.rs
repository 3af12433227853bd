//! How connections are made: resolve, ask the guard about every address, dial one of those, secure it.

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustix::io::Errno;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower::Service;

use super::egress::{Egress, Guard};
use super::resolver::Resolver;
use super::tls::{self, Roots};
use crate::error::Result;
use crate::model::Trouble;

/// The longest each step may take; the attempt's deadline covers them all.
const STEP: Duration = Duration::from_secs(5);
/// How many addresses of a name are dialled at most.
const DIALLED: usize = 8;
/// How many connections are kept between requests, whoever's they are; one more is closed after its request.
const KEPT: usize = 2048;

/// Makes guarded connections. A pooled connection keeps to the address that was vetted when it was made.
#[derive(Clone)]
pub(super) struct Connector {
    guard: Arc<Guard>,
    resolver: Resolver,
    tls: TlsConnector,
    /// For each connection that may be used again.
    kept: Arc<Semaphore>,
}

/// Why no connection was made.
#[derive(Debug)]
pub(super) struct ConnectError {
    pub(super) trouble: Trouble,
    pub(super) note: String,
    /// The guard's rule, where it refused.
    pub(super) rule: Option<&'static str>,
}

impl ConnectError {
    fn new(trouble: Trouble, note: impl Into<String>) -> Self {
        Self { trouble, note: note.into(), rule: None }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.note)
    }
}

impl std::error::Error for ConnectError {}

impl Connector {
    /// A connector that trusts the roots Mozilla trusts.
    pub(super) fn new(egress: Egress) -> Result<Self> {
        let resolver = Resolver::new(&egress.dns_servers)?;
        let (tls, kept) = (tls::connector(&Roots::default())?, Arc::new(Semaphore::new(KEPT)));
        Ok(Self { guard: Arc::new(egress.guard), resolver, tls, kept })
    }

    /// Trusts these too.
    pub(super) fn trusting(self, roots: &Roots) -> Result<Self> {
        Ok(Self { tls: tls::connector(roots)?, ..self })
    }

    async fn connect(self, uri: Uri) -> Result<Stream, ConnectError> {
        let no_host = || ConnectError::new(Trouble::Internal, "a URL without a host");
        let host = uri.host().ok_or_else(no_host)?.trim_start_matches('[').trim_end_matches(']');
        let secure = uri.scheme() == Some(&http::uri::Scheme::HTTPS);
        let addresses = self.vet(host, uri.port_u16().unwrap_or(if secure { 443 } else { 80 })).await?;
        let stream = dial(&addresses).await?;
        let kept = Arc::clone(&self.kept).try_acquire_owned().ok();
        let wire = if secure { self.secure(host, stream).await? } else { Wire::Plain(TokioIo::new(stream)) };
        Ok(Stream { wire, kept })
    }

    /// The addresses of a host, if the guard admits all of them.
    pub(super) async fn vet(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ConnectError> {
        let resolved = self.resolver.resolve(host).await;
        let addresses: Vec<_> = resolved.iter().flatten().map(|ip| SocketAddr::new(*ip, port)).collect();
        self.guard.admit_host(host, &addresses).map_err(|refusal| ConnectError {
            rule: Some(refusal.rule),
            ..ConnectError::new(Trouble::Blocked, refusal.to_string())
        })?;
        match resolved {
            Ok(_) => Ok(addresses),
            Err(why) => Err(ConnectError::new(Trouble::Dns, why)),
        }
    }

    async fn secure(self, host: &str, stream: TcpStream) -> Result<Wire, ConnectError> {
        let failed = |note: String| ConnectError::new(Trouble::Tls, note);
        let name = ServerName::try_from(host.to_owned()).map_err(|error| failed(error.to_string()))?;
        let shaken = timeout(STEP, self.tls.connect(name, stream)).await;
        let stream = shaken.map_err(|_| failed("handshake timed out".into()))?;
        Ok(Wire::Tls(Box::new(TokioIo::new(stream.map_err(|error| failed(tls::explain(&error)))?))))
    }
}

/// The first address that answers, of the first ones: a name may have thousands.
async fn dial(addresses: &[SocketAddr]) -> Result<TcpStream, ConnectError> {
    let mut note = String::new();
    for &address in addresses.iter().take(DIALLED) {
        match timeout(STEP, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Requests are one write; waiting for more would only delay them. A socket that refuses still works.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) if is_ours(&error) => {
                return Err(ConnectError::new(Trouble::Internal, error.to_string()));
            }
            Ok(Err(error)) => note = format!("{address}: {error}"),
            Err(_) => note = format!("{address}: connecting timed out"),
        }
    }
    Err(ConnectError::new(Trouble::Connect, note))
}

/// No more files may be opened: not the peer's fault.
fn is_ours(error: &std::io::Error) -> bool {
    let ours = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    ours.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = ConnectError;
    type Future = BoxFuture<'static, Result<Stream, ConnectError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().connect(uri))
    }
}

/// A connection.
pub(super) struct Stream {
    wire: Wire,
    /// That it may be used again.
    kept: Option<OwnedSemaphorePermit>,
}

/// Secured or not.
enum Wire {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new();
        if self.kept.is_none() {
            connected.poison();
        }
        connected
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<std::io::Result<()>> {
        match &mut self.get_mut().wire {
            Wire::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Wire::Tls(stream) => Pin::new(&mut **stream).poll_read(cx, buffer),
        }
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        match &mut self.get_mut().wire {
            Wire::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Wire::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match &mut self.get_mut().wire {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        match &mut self.get_mut().wire {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt as _, Empty};
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use rustls::ServerConfig;
    use rustls::pki_types::PrivateKeyDer;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::super::egress::Allowed;
    use super::*;

    /// Answers each request; gives how many connections two requests took.
    async fn taken(kept: usize) -> usize {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let allowed: Allowed = format!("127.0.0.1/32:{}", address.port()).parse().unwrap();
        let connector = Connector::new(vec![allowed].into()).unwrap();
        connector.kept.forget_permits(KEPT - kept);
        let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
        let (count, mut counted) = tokio::sync::mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.send(()).unwrap();
                tokio::spawn(async move {
                    let mut bytes = [0; 4096];
                    while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {
                        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                    }
                });
            }
        });
        for _ in 0..2 {
            let answer = client.get(format!("http://{address}/").parse().unwrap()).await.unwrap();
            answer.into_body().collect().await.unwrap();
            // The connection goes back to the pool in a task of its own.
            tokio::task::yield_now().await;
        }
        let mut taken = 0;
        while counted.try_recv().is_ok() {
            taken += 1;
        }
        taken
    }

    #[tokio::test]
    async fn no_more_connections_are_kept_than_there_is_room_for() {
        assert_eq!((taken(1).await, taken(0).await), (1, 2));
    }

    /// Which certificate a server shows is decided by the name it is asked for.
    #[tokio::test]
    async fn the_name_of_the_url_is_asked_for_and_no_other_is_believed() {
        let own = vec!["shop.example".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(own).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roots.pem");
        std::fs::write(&path, cert.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));

        for (host, believed) in [("shop.example", true), ("other.example", false)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let (server, _) = listener.accept().await.unwrap();
            let connector =
                Connector::new(Egress::default()).unwrap().trusting(&Roots::read(&path).unwrap()).unwrap();
            let (secured, shaken) = tokio::join!(connector.secure(host, stream), acceptor.accept(server));
            assert_eq!(secured.is_ok(), believed, "{host}");
            if believed {
                assert_eq!(shaken.unwrap().get_ref().1.server_name(), Some(host));
            }
            let note = secured.err().map(|error| error.note).unwrap_or_default();
            assert!(believed || note.starts_with("certificate_name: "), "{note}");
        }
    }
}
