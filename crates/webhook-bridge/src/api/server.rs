//! Serving HTTP within bounds: how many connections, how large a head, how long a request may take to come, and how long
//! those under way keep a bridge from stopping.

use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::TryFutureExt as _;
use futures::future::MapOk;
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::{HeaderValue, Request};
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::Result;

/// The largest head of a request; a larger one is answered 431.
const HEAD: usize = 32 * 1024;
/// How long to wait after an error of the listener, such as no file left: from, to.
const PAUSE: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(1));

/// What connections may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How many there are at once; others wait to be accepted. Default 1024.
    pub connections: usize,
    /// How long the head of a request may take to come, and the next one to begin. Default 10 s.
    pub head: Duration,
    /// How long its body may take after it. Default 15 s.
    pub body: Duration,
    /// How long requests under way keep the server from stopping. Default 10 s.
    pub stop: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        let second = Duration::from_secs(1);
        Self { connections: 1024, head: 10 * second, body: 15 * second, stop: 10 * second }
    }
}

/// Serves until it is stopped; then answers the requests under way, and waits for nobody who has asked nothing.
///
/// # Errors
/// None: what is wrong with a connection ends that one.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    limits: Limits,
    stop: CancellationToken,
) -> Result<()> {
    let free = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    while let Some((stream, place)) = stop.run_until_cancelled(next(&listener, &free)).await {
        while connections.try_join_next().is_some() {}
        // Each its own, because looking at one takes its lock.
        let (routes, stop) = (routes.clone(), stop.child_token());
        connections.spawn(async move {
            converse(stream, routes, limits, stop).await;
            drop(place);
        });
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.stop, all).await.is_err() {
        tracing::warn!(count = connections.len(), "requests under way were cut off");
        connections.shutdown().await;
    }
    Ok(())
}

/// The next connection, when there is room for one.
async fn next(listener: &TcpListener, free: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // It is never closed.
    let place = Arc::clone(free).acquire_owned().await.ok();
    let mut pause = PAUSE.0;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) if is_peers(&error) => {}
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                sleep(pause).await;
                pause = (pause * 2).min(PAUSE.1);
            }
        }
    }
}

/// Whoever called is gone again.
fn is_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One connection, until it ends or the server stops.
async fn converse(stream: TcpStream, routes: Router, limits: Limits, stop: CancellationToken) {
    // Answers are one write; waiting for more would only delay them. A socket that refuses still works.
    let _ = stream.set_nodelay(true);
    let asked = Arc::new(AtomicBool::new(false));
    let service =
        Routes { inner: TowerToHyperService::new(routes), body: limits.body, asked: Arc::clone(&asked) };
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(limits.head).max_buf_size(HEAD);
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // What is wrong with a connection is its peer's affair.
        _ = &mut connection => return,
        () = stop.cancelled() => {}
    }
    // One that has asked nothing so far would be waited for as if it had.
    if asked.load(Ordering::Relaxed) {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

/// The routes, for one connection.
struct Routes {
    inner: TowerToHyperService<Router>,
    body: Duration,
    asked: Arc<AtomicBool>,
}

impl Service<Request<Incoming>> for Routes {
    type Response = Response;
    type Error = Infallible;
    type Future =
        MapOk<<TowerToHyperService<Router> as Service<Request<Body>>>::Future, fn(Response) -> Response>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.asked.store(true, Ordering::Relaxed);
        let until = Instant::now() + self.body;
        self.inner.call(request.map(|body| Body::new(Timed { body, until, timer: None }))).map_ok(as_it_says)
    }
}

/// No browser takes what an answer holds, which somebody else may have written, for another type than the answer says.
fn as_it_says(mut answer: Response) -> Response {
    answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// A body that breaks off when it does not come in time.
struct Timed {
    body: Incoming,
    until: Instant,
    /// Set when the body is waited for at all.
    timer: Option<Pin<Box<Sleep>>>,
}

impl HttpBody for Timed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)));
        }
        let until = self.until;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        ready!(timer.as_mut().poll(cx));
        let late = io::Error::new(io::ErrorKind::TimedOut, "the body did not come in time");
        Poll::Ready(Some(Err(axum::Error::new(late))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::Notify;
    use tokio::task::JoinHandle;

    use super::*;

    const SHORT: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(60);

    /// A server whose `/wait` answers when it is told to, and says when it was asked.
    struct Rig {
        address: std::net::SocketAddr,
        stop: CancellationToken,
        asked: Arc<Notify>,
        answer: Arc<Notify>,
        task: JoinHandle<Result<()>>,
    }

    async fn start(limits: Limits) -> Rig {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let (asked, answer) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let bells = (Arc::clone(&asked), Arc::clone(&answer));
        let wait = async move || {
            bells.0.notify_one();
            bells.1.notified().await;
            "done"
        };
        let routes = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/read", post(|body: Bytes| async move { body.len().to_string() }))
            .route("/wait", get(wait));
        let task = tokio::spawn(serve(listener, routes, limits, stop.clone()));
        Rig { address, stop, asked, answer, task }
    }

    async fn send(rig: &Rig, bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// All that comes until the connection ends.
    async fn rest(mut stream: TcpStream) -> String {
        let mut text = Vec::new();
        // A connection that is cut may be reset.
        let _ = timeout(LONG, stream.read_to_end(&mut text)).await.expect("an end within a minute");
        String::from_utf8(text).unwrap()
    }

    /// What comes until it ends so.
    async fn until(stream: &mut TcpStream, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            let mut byte = [0];
            stream.read_exact(&mut byte).await.unwrap();
            text.push(byte[0].into());
        }
        text
    }

    #[tokio::test]
    async fn a_head_that_does_not_come_is_cut() {
        let rig = start(Limits { head: SHORT, ..Limits::default() }).await;
        for slow in ["", "GET / HTTP/1.1\r\nhost: a\r\n"] {
            assert_eq!(rest(send(&rig, slow.as_bytes()).await).await, "", "{slow:?}");
        }
        let idle = send(&rig, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(rest(idle).await.ends_with("here"), "answered, and then it waited for no other one");
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_cut() {
        let rig = start(Limits { body: SHORT, ..Limits::default() }).await;
        let slow = b"POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nabc";
        let answer = rest(send(&rig, slow).await).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{answer:?}");
        let whole = b"POST /read HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc";
        assert!(rest(send(&rig, whole).await).await.ends_with('3'));
    }

    #[tokio::test]
    async fn a_head_that_is_too_large_is_refused() {
        let rig = start(Limits::default()).await;
        let large = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "y".repeat(2 * HEAD));
        let mut stream = TcpStream::connect(rig.address).await.unwrap();
        // It may be refused before all of it is written.
        let _ = stream.write_all(large.as_bytes()).await;
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 431");
        let many = format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(200));
        assert!(rest(send(&rig, many.as_bytes()).await).await.starts_with("HTTP/1.1 431"));
    }

    #[tokio::test]
    async fn no_more_connections_than_allowed_are_served_and_the_next_one_waits() {
        let rig = start(Limits { connections: 1, ..Limits::default() }).await;
        let mut first = send(&rig, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        until(&mut first, "here").await;
        let mut second = send(&rig, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        assert!(timeout(SHORT, second.readable()).await.is_err(), "not served yet");
        drop(first);
        until(&mut second, "here").await;
    }

    #[tokio::test]
    async fn a_stop_answers_what_is_under_way_and_waits_for_nobody_else() {
        let rig = start(Limits { head: LONG, stop: LONG, ..Limits::default() }).await;
        let silent = send(&rig, b"GET / HT").await;
        let mut idle = send(&rig, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        until(&mut idle, "here").await;
        let busy = send(&rig, b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
        rig.asked.notified().await;
        let began = Instant::now();
        rig.stop.cancel();
        assert_eq!((rest(silent).await, rest(idle).await), (String::new(), String::new()));
        assert!(!rig.task.is_finished(), "one is under way");
        rig.answer.notify_one();
        assert!(rest(busy).await.ends_with("done"));
        rig.task.await.unwrap().unwrap();
        assert!(began.elapsed() < LONG / 2);
    }

    #[tokio::test]
    async fn a_stop_has_a_bound() {
        let rig = start(Limits { stop: SHORT, ..Limits::default() }).await;
        let busy = send(&rig, b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await;
        rig.asked.notified().await;
        rig.stop.cancel();
        timeout(LONG, rig.task).await.unwrap().unwrap().unwrap();
        assert_eq!(rest(busy).await, "");
    }
}
