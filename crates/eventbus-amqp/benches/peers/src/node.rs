//! Node's amqplib, in a process of its own that is told what to do line by line.

use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use eventbus::AnyEvent;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinHandle;

use crate::contenders::group;
use crate::events;
use crate::load::{Contender, Handler, Load, PREFETCH};

const NAME: &str = "amqplib";

/// The processes that run.
static RUNNING: Mutex<Vec<u32>> = Mutex::new(Vec::new());

/// What it publishes: a line of JSON per event.
static POOL: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("eventbus-bench-{}.jsonl", std::process::id()));
    let mut file = std::fs::File::create(&path).expect("the temporary folder can be written");
    for event in events::renewed().iter() {
        file.write_all(&event.to_json().expect("the events were made of JSON")).expect("it can be written");
        file.write_all(b"\n").expect("it can be written");
    }
    path
});

pub(crate) struct Node(AsyncMutex<Script>);

/// A process.
pub(crate) struct Script {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Script {
    async fn start(work: &str, url: &str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/node");
        let mut command = Command::new("node");
        command.arg(format!("{folder}/client.js")).args([work, url, NAME, &PREFETCH.to_string()]).arg(&*POOL);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Node.js is installed");
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut script = Self { child, input, output };
        assert_eq!(script.line().await, "ready", "`npm ci --prefix {folder}` installs what it needs");
        running().extend(script.child.id());
        script
    }

    async fn line(&mut self) -> String {
        self.output.next_line().await.expect("it prints text").unwrap_or_default()
    }

    async fn end(mut self) {
        running().retain(|pid| Some(*pid) != self.child.id());
        drop(self.input);
        self.child.wait().await.expect("it ends");
    }
}

fn running() -> std::sync::MutexGuard<'static, Vec<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Contender for Node {
    const QUEUE: &str = NAME;
    type Member = JoinHandle<()>;

    async fn connect(url: &str) -> Self {
        Self(AsyncMutex::new(Script::start("publish", url).await))
    }

    async fn publish(&self, load: &Load) {
        let mut script = self.0.lock().await;
        script.input.write_all(format!("{}\n", load.count).as_bytes()).await.expect("it reads");
        assert_eq!(script.line().await, "confirmed");
    }

    fn send(&self, _: &AnyEvent) -> impl Future<Output = ()> + Send + 'static {
        std::future::ready(())
    }

    async fn group(url: &str) {
        group(url, NAME).await;
    }

    /// The handler runs here for every message that the process says it has handled.
    async fn join(url: &str, handler: impl Handler) -> JoinHandle<()> {
        group(url, NAME).await;
        let mut script = Script::start("consume", url).await;
        let event = events::renewed()[0].clone();
        tokio::spawn(async move {
            while let Ok(handled) = script.line().await.parse::<usize>() {
                for _ in 0..handled {
                    handler(event.clone()).await.expect("the handler does not fail");
                }
            }
        })
    }

    async fn leave(member: JoinHandle<()>) {
        member.abort();
        let _ = member.await;
        running().clear();
    }

    async fn stop(self) {
        self.0.into_inner().end().await;
    }

    fn used() -> Duration {
        let of = |pid: &u32| {
            let threads = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
            let used = threads.flatten().filter_map(|thread| {
                let line = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
                line.split(' ').next()?.parse().ok().map(Duration::from_nanos)
            });
            Some(used.sum::<Duration>())
        };
        running().iter().filter_map(of).sum()
    }
}
