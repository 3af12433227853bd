//! README.md's `console` blocks, run as they stand there: what is printed is what the page shows.
//!
//! `…` on the page stands for what differs each time, within a word. What it stood for in a word that begins alike, such as
//! `we_…`, is put into the commands that follow, and for `…` alone what the last line began with that began so. A block with a
//! command in the background (`&`) shows what both say. Each command ends well, unless `echo $?` follows, which shows how it ended.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use crate::receiver::Receiver as Endpoint;
use crate::redis::{Redis, free_port};
use crate::rig::{Begun, Serving};
use crate::tree::commands;

const PAGE: &str = include_str!("../../README.md");
const PATIENCE: Duration = Duration::from_secs(60);

/// A command of the page, and what it shows below it.
#[derive(Debug)]
struct Step {
    command: String,
    shown: Vec<String>,
}

const STATUS: &str = "echo $?";

/// Who runs them: where things are, and what was seen.
struct Reader {
    folder: tempfile::TempDir,
    /// What the page calls something, and what that is here.
    places: Vec<(&'static str, String)>,
    keys: String,
    /// What `…` stood for.
    seen: BTreeMap<String, String>,
}

fn blocks() -> Vec<Vec<Step>> {
    let block = |text: &str| {
        let mut steps: Vec<Step> = Vec::new();
        for line in text.split("```").next().unwrap().lines() {
            match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: command.to_owned(), shown: Vec::new() }),
                None => steps.last_mut().expect("a command comes first").shown.push(line.to_owned()),
            }
        }
        steps
    };
    PAGE.split("```console\n").skip(1).map(block).collect()
}

impl Reader {
    /// The page's words here.
    fn command(&self, text: &str) -> String {
        let placed =
            self.places.iter().fold(text.to_owned(), |text, (there, here)| text.replace(there, here));
        let known = self.seen.iter().filter(|(there, _)| *there != "…");
        let known = known.fold(placed, |text, (there, here)| text.replace(there, here));
        let first = self.seen.get("…").map_or("…", String::as_str);
        known.split(' ').map(|word| if word == "…" { first } else { word }).collect::<Vec<_>>().join(" ")
    }

    fn start(&self, command: &str) -> Begun {
        let built = Path::new(env!("CARGO_BIN_EXE_webhook-bridge")).parent().unwrap();
        let path = format!("{}:{}", built.display(), std::env::var("PATH").unwrap());
        let mut child = Command::new("bash");
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WEBHOOK_BRIDGE_"))
        {
            child.env_remove(name);
        }
        let (_, url) = self.places.iter().find(|(there, _)| there.ends_with(":8440")).unwrap();
        child
            .env("PATH", path)
            .env("WEBHOOK_BRIDGE_URL", format!("http://{url}"))
            .env("WEBHOOK_BRIDGE_KEY", &self.keys);
        let script = format!("set -o pipefail; exec 2>&1; {command}");
        child.args(["-c", &script]).current_dir(self.folder.path());
        Begun(child.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Whether a line is as the page has it; then what `…` stood for is kept.
    fn is(&mut self, shown: &str, line: &str) -> bool {
        let here = self.places.iter().fold(shown.to_owned(), |text, (there, here)| text.replace(there, here));
        let (words, said): (Vec<_>, Vec<_>) =
            (here.split_whitespace().collect(), line.split_whitespace().collect());
        let same = |(word, said): (&&str, &&str)| match word.split_once('…') {
            None => word == said,
            Some((begin, end)) => {
                said.len() > begin.len() + end.len() && said.starts_with(begin) && said.ends_with(end)
            }
        };
        if words.len() != said.len() || !words.iter().zip(&said).all(same) {
            return false;
        }
        for (at, (word, said)) in words.iter().zip(&said).enumerate() {
            if word.ends_with("_…") || (at == 0 && *word == "…") {
                self.seen.insert((*word).to_owned(), (*said).to_owned());
            }
        }
        true
    }

    fn run(&mut self, block: &[Step]) {
        let ((tell, lines), mut children, mut expected) = (channel(), Vec::new(), Vec::new());
        let mut ended = 0;
        for (at, Step { command, shown }) in block.iter().enumerate() {
            let beside = command.trim_end().strip_suffix('&');
            let here = self.command(beside.unwrap_or(command));
            // In the background it is the program itself that is told to end.
            let mut child = self.start(&match beside {
                Some(_) => format!("exec {here}"),
                None if command == STATUS => format!("(exit {ended}); {here}"),
                None => here,
            });
            listen(&mut child.0, &tell);
            expected.extend(shown.iter().filter(|line| !line.is_empty()).cloned());
            // What was started in the background has said that it is there before the next begins.
            self.until(&mut expected, &lines, command);
            if beside.is_some() {
                children.push((command, child));
                continue;
            }
            ended = child.0.wait().unwrap().code().unwrap();
            let said_next = block.get(at + 1).is_some_and(|next| next.command == STATUS);
            assert!(ended == 0 || said_next, "{command}: ends with {ended}, and the page does not say so");
        }
        for (command, mut child) in children {
            // Whoever reads the page ends it with Ctrl-C.
            let pid = rustix::process::Pid::from_child(&child.0);
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
            assert_eq!(child.0.wait().unwrap().code(), Some(0), "{command}");
        }
        drop(tell);
        let more: Vec<_> = lines.iter().filter(|line: &String| !line.trim().is_empty()).collect();
        assert!(more.is_empty(), "{block:#?} says more: {more:#?}");
    }

    /// Takes lines until all that are expected were there.
    fn until(&mut self, expected: &mut Vec<String>, lines: &Receiver<String>, command: &str) {
        let began = Instant::now();
        while !expected.is_empty() {
            let line = lines.recv_timeout(PATIENCE.saturating_sub(began.elapsed()));
            let line = line.unwrap_or_else(|_| panic!("{command}: does not say {expected:#?}"));
            if line.trim().is_empty() {
                continue;
            }
            let found = expected.iter().position(|shown| self.is(shown, &line));
            let found = found.unwrap_or_else(|| panic!("{command}: says {line:?}, and not {expected:#?}"));
            expected.remove(found);
        }
    }
}

/// Tells each line that it says.
fn listen(child: &mut Child, tell: &Sender<String>) {
    let (mut out, tell) = (child.stdout.take().unwrap(), tell.clone());
    std::thread::spawn(move || {
        let (mut text, mut byte) = (Vec::new(), [0]);
        while out.read(&mut byte).is_ok_and(|count| count == 1) {
            match byte[0] {
                b'\n' => drop(tell.send(String::from_utf8(std::mem::take(&mut text)).unwrap())),
                byte => text.push(byte),
            }
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_page_prints_what_the_page_shows() {
    let (redis, mut shop, folder) =
        (Redis::start().await, Endpoint::start().await, tempfile::tempdir().unwrap());
    let port = free_port();
    let allowed = format!("{},127.0.0.1/32:{port}", shop.target_text());
    let bridge = Serving::start(&folder.path().join("webhook-bridge-data"), &["--allow-targets", &allowed]);
    let places = vec![
        ("127.0.0.1:6379", format!("127.0.0.1:{}", redis.port)),
        ("127.0.0.1:8441", format!("127.0.0.1:{}", free_port())),
        ("127.0.0.1:8440", bridge.url.strip_prefix("http://").unwrap().to_owned()),
        // A port of its own; everything else is as the page says.
        ("webhook-bridge listen ", format!("webhook-bridge listen --address 127.0.0.1:{port} ")),
        ("127.0.0.1:3000", format!("127.0.0.1:{}", shop.port())),
        ("127.0.0.1/32:3000", shop.target_text()),
    ];
    // The shop takes what it gets.
    let answers = tokio::spawn(async move {
        loop {
            shop.wait().await.answer(http::StatusCode::OK);
        }
    });
    ledger(&redis.url()).await;
    let keys = bridge.keys[0].clone();
    let mut reader = Reader { folder, places, keys, seen: BTreeMap::new() };
    let blocks = blocks();
    assert!(blocks.len() > 5, "the page shows commands");
    tokio::task::spawn_blocking(move || blocks.iter().for_each(|block| reader.run(block))).await.unwrap();
    answers.abort();
}

/// A group that gave two events up, whose members are gone.
async fn ledger(url: &str) {
    let bus = crate::bus::gives_up(url, "ledger").await;
    for id in ["evt_6", "evt_7"] {
        let event = eventbus::payment_kit::RefundCreated::new(eventbus::payment_kit::Refund {
            id: "re_1".to_owned(),
            ..Default::default()
        });
        bus.publish(event.id(id)).await.unwrap();
    }
    crate::bus::until_dead(&bus, "ledger", 2).await;
    bus.shutdown(Duration::from_secs(5)).await;
}

/// Every command is on the page with what it prints: one that is new is shown there too.
#[test]
fn the_page_shows_every_command_with_what_it_prints() {
    let mut missing: BTreeSet<_> = commands().into_iter().map(|(words, _)| words.join(" ")).collect();
    let all = missing.clone();
    for step in blocks().into_iter().flatten().filter(|step| !step.shown.is_empty()) {
        let Some((_, called)) = step.command.split_once("webhook-bridge ") else { continue };
        let is_called = |words: &&String| called == **words || called.starts_with(&format!("{words} "));
        if let Some(words) = all.iter().filter(is_called).max_by_key(|words| words.len()) {
            missing.remove(words);
        }
    }
    assert!(missing.is_empty(), "not on the page: {missing:?}");
}
