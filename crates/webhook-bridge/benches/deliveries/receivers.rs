//! Receivers of webhooks, in a process of their own, so that their processor time is not the bridge's.
//!
//! The process is this program again. It is told what to do by lines on its standard input and answers by lines.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What makes this program receivers: followed by how many answer and how many never do.
pub(crate) const ARGUMENT: &str = "--receive";
/// In a body, what the time it was published at follows, in nanoseconds since 1970.
pub(crate) const PUBLISHED: &str = "\"published_ns\":\"";

/// The process, seen from the benchmark.
pub(crate) struct Receivers {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Of those that answer, then of those that never do.
    pub(crate) ports: Vec<u16>,
}

/// How long it took from publishing to receipt, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Latency {
    pub(crate) count: usize,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) most: f64,
}

impl Receivers {
    pub(crate) fn start(answering: usize, hanging: usize) -> Self {
        let program = std::env::current_exe().expect("a program knows where it is");
        let mut child = Command::new(program)
            .args([ARGUMENT, &answering.to_string(), &hanging.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started");
        let orders = child.stdin.take().expect("it is a pipe");
        let answers = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let mut receivers = Self { child, orders, answers, ports: Vec::new() };
        receivers.ports = receivers.answer().split(' ').map(|port| port.parse().expect("a port")).collect();
        receivers
    }

    pub(crate) fn url(&self, number: usize) -> String {
        format!("http://127.0.0.1:{}/hooks", self.ports[number])
    }

    /// How many requests came since it was last asked.
    pub(crate) fn count(&mut self) -> u64 {
        self.ask("count").parse().expect("a number")
    }

    /// How long what came at those that answer took, since it was last asked.
    pub(crate) fn latency(&mut self) -> Latency {
        let answer = self.ask("latency");
        let numbers: Vec<f64> = answer.split(' ').map(|number| number.parse().expect("a number")).collect();
        let [count, p50, p99, most] = numbers[..] else { panic!("four numbers: {answer}") };
        Latency { count: count as usize, p50: p50 / 1e6, p99: p99 / 1e6, most: most / 1e6 }
    }

    fn ask(&mut self, order: &str) -> String {
        writeln!(self.orders, "{order}").expect("the receivers live");
        self.answer()
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the receivers live");
        line.trim_end().to_owned()
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Now, in nanoseconds since 1970: one clock for all processes.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    u64::try_from(since.as_nanos()).expect("before the year 2554")
}

#[derive(Default)]
struct Tally {
    count: AtomicU64,
    latencies: Mutex<Vec<u64>>,
}

/// Receives until standard input ends.
pub(crate) async fn receive(answering: usize, hanging: usize) {
    let tally = Arc::new(Tally::default());
    let mut ports = Vec::new();
    for number in 0..answering + hanging {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        ports.push(listener.local_addr().expect("it is bound").port().to_string());
        let tally = (number < answering).then(|| Arc::clone(&tally));
        tokio::spawn(accept(listener, tally));
    }
    println!("{}", ports.join(" "));
    tokio::task::spawn_blocking(move || obey(&tally)).await.expect("it does not panic");
}

fn obey(tally: &Tally) {
    for order in std::io::stdin().lines() {
        match order.expect("a line").as_str() {
            "count" => println!("{}", tally.count.swap(0, Ordering::Relaxed)),
            _ => {
                let mut took = std::mem::take(&mut *tally.latencies.lock().expect("nobody panics"));
                took.sort_unstable();
                let at = |part: usize| took.get(took.len() * part / 1000).copied().unwrap_or_default();
                let most = took.last().copied().unwrap_or_default();
                println!("{} {} {} {most}", took.len(), at(500), at(990));
            }
        }
    }
}

async fn accept(listener: TcpListener, tally: Option<Arc<Tally>>) {
    while let Ok((stream, _)) = listener.accept().await {
        match &tally {
            Some(tally) => _ = tokio::spawn(answer(stream, Arc::clone(tally))),
            None => _ = tokio::spawn(hang(stream)),
        }
    }
}

async fn hang(mut stream: TcpStream) {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
}

/// As little as a receiver can do: reads a request whole, counts it, says 200.
async fn answer(mut stream: TcpStream, tally: Arc<Tally>) {
    const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        while let Some((head, body)) = whole(&buffer) {
            tally.count.fetch_add(1, Ordering::Relaxed);
            if let Some(published) = published(&buffer[head..head + body]) {
                let took = now().saturating_sub(published);
                tally.latencies.lock().expect("nobody panics").push(took);
            }
            buffer.drain(..head + body);
            if stream.write_all(OK).await.is_err() {
                return;
            }
        }
        if !stream.read_buf(&mut buffer).await.is_ok_and(|read| read > 0) {
            return;
        }
    }
}

/// The lengths of head and body, once both are there.
fn whole(buffer: &[u8]) -> Option<(usize, usize)> {
    const LENGTH: &[u8] = b"content-length: ";
    let head = find(buffer, b"\r\n\r\n")? + 4;
    let digits = &buffer[find(&buffer[..head], LENGTH)? + LENGTH.len()..head];
    let body = number(digits) as usize;
    (buffer.len() >= head + body).then_some((head, body))
}

fn published(body: &[u8]) -> Option<u64> {
    let at = find(body, PUBLISHED.as_bytes())? + PUBLISHED.len();
    Some(number(&body[at..]))
}

fn number(digits: &[u8]) -> u64 {
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
