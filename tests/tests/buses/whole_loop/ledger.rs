//! The book of what was sent, handled and verified, each time that it was.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufRead, Lines};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::IN_FLIGHT;
use super::node::Node;
use super::provider::AT_ONCE;
use super::role::CONCURRENCY;

/// How long the last of it may take after the last was accepted: more than what was interrupted twice waits.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often each id was seen.
type Seen = BTreeMap<String, usize>;

#[derive(Default)]
pub(super) struct Ledger {
    sent: BTreeSet<String>,
    book: Arc<Book>,
    /// Who notes; one that found something wrong has ended by that.
    clerks: Mutex<JoinSet<()>>,
    pub(super) kills: Kills,
}

/// What was killed how often.
#[derive(Debug, Default)]
pub(super) struct Kills {
    pub(super) bridge: usize,
    pub(super) handler: usize,
    pub(super) broker: usize,
}

#[derive(Default)]
struct Book {
    handled: Mutex<Seen>,
    verified: Mutex<Seen>,
    noted: Notify,
}

impl Ledger {
    /// Notes whatever a merchant's endpoint gets, all of which must be signed right.
    pub(super) fn merchant(&mut self, mut node: Node) {
        let book = Arc::clone(&self.book);
        self.clerks.lock().unwrap().spawn(async move {
            while let Some(said) = node.later().await {
                assert_eq!(said["status"], 200, "{said}");
                book.note(&book.verified, said["id"].as_str().unwrap());
            }
        });
    }

    /// Notes what a handler says that it handles, until it is killed.
    pub(super) fn handler(&self, mut lines: Lines<impl AsyncBufRead + Send + Unpin + 'static>) {
        let book = Arc::clone(&self.book);
        self.clerks.lock().unwrap().spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let ["handled", id, session] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
                assert_eq!(session, format!("sess_{id}"), "typed");
                book.note(&book.handled, id);
            }
        });
    }

    /// These were accepted.
    pub(super) fn sent(&mut self, ids: Vec<String>) {
        self.sent.extend(ids);
    }

    /// Waits until all that was accepted was handled and verified.
    pub(super) async fn arrived(&self) {
        let all = async {
            loop {
                let noted = self.book.noted.notified();
                if self.missing().iter().all(Vec::is_empty) {
                    return;
                }
                noted.await;
            }
        };
        if timeout(PATIENCE, all).await.is_err() {
            let [handled, verified] = self.missing();
            panic!("accepted and lost: {handled:?} by the handler, {verified:?} by the merchant");
        }
    }

    fn missing(&self) -> [Vec<&String>; 2] {
        [&self.book.handled, &self.book.verified].map(|seen| {
            let seen = seen.lock().unwrap();
            self.sent.iter().filter(|id| !seen.contains_key(*id)).collect()
        })
    }

    /// Compares what was sent with what came, and with what the store has: events, what is owed of them, what is not delivered.
    #[expect(clippy::print_stdout, reason = "figures of a long run")]
    pub(super) fn check(&self, name: &str, (events, owed, left): (usize, usize, usize)) {
        while let Some(ended) = self.clerks.lock().unwrap().try_join_next() {
            ended.unwrap();
        }
        let count = self.sent.len();
        assert_eq!((events, owed, left), (count, count, 0), "each stored once, owed once and delivered");
        let [handled, verified] =
            [&self.book.handled, &self.book.verified].map(|seen| again(seen, &self.sent));
        let Kills { bridge, handler, broker } = self.kills;
        // Published again, for the answer to the first time was lost; or in a handler's hands and not acknowledged.
        let (twice, hands) = ((bridge + broker) * AT_ONCE, (handler + broker) * UNSETTLED);
        assert!(handled <= twice + hands, "{handled} handled again after {:?}", self.kills);
        assert!(verified <= bridge * IN_FLIGHT, "{verified} delivered again after {:?}", self.kills);
        println!(
            "{name}: {count} sent, {handled} handled again, {verified} delivered again, killed {:?}",
            self.kills
        );
    }
}

/// What a handler's process has done and the broker does not know: its acknowledgements go together.
const UNSETTLED: usize = 8 * CONCURRENCY;

impl Book {
    fn note(&self, seen: &Mutex<Seen>, id: &str) {
        *seen.lock().unwrap().entry(id.to_owned()).or_default() += 1;
        self.noted.notify_waiters();
    }
}

/// How many came too many, of those that were sent and no others.
fn again(seen: &Mutex<Seen>, sent: &BTreeSet<String>) -> usize {
    let seen = seen.lock().unwrap();
    assert!(seen.keys().all(|id| sent.contains(id)), "nothing foreign");
    seen.values().map(|times| times - 1).sum()
}
