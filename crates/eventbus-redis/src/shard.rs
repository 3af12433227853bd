//! One shard of a bus, as a member of a group sees it.

use std::collections::HashSet;
use std::sync::Mutex;

use eventbus::transport::Order;
use redis::Cmd;
use tokio::time::Instant;

use crate::connection::Line;
use crate::keys::GroupKeys;
use crate::member::lock;
use crate::message::EntryId;

/// A shard, as a member sees it.
pub(crate) struct Shard {
    pub(crate) keys: GroupKeys,
    /// A connection that blocks in its reads.
    pub(crate) line: Line,
    pub(crate) state: Mutex<ShardState>,
    /// Keys that may be held; all that are.
    pub(crate) held: Mutex<HashSet<String>>,
    /// Entries the group does not want, to be acknowledged.
    pub(crate) skipped: Mutex<Vec<EntryId>>,
}

impl Shard {
    /// A shard of a member that has just joined: in a group with order, it is nobody's until it is dealt out.
    pub(crate) fn new(keys: GroupKeys, line: Line, order: Order) -> Self {
        let mut state = ShardState {
            own: order == Order::None,
            mine: true,
            dropping: false,
            reading: false,
            last: EntryId::default(),
            claim: None,
            searches: 0,
            unseen: None,
        };
        state.search();
        Self { keys, line, state: Mutex::new(state), held: Mutex::default(), skipped: Mutex::default() }
    }
}

/// Whether, and how, a shard is read.
#[derive(Debug, Clone)]
pub(crate) struct ShardState {
    /// Whether it is this member's to read: always, in a group without order.
    pub(crate) own: bool,
    /// Whether it is this member's part, in a group with order.
    pub(crate) mine: bool,
    /// Whether it is to be given to another member once nothing of it is held.
    pub(crate) dropping: bool,
    /// Whether messages are under way that are not noted as held yet.
    pub(crate) reading: bool,
    /// The newest entry of the log that was read.
    pub(crate) last: EntryId,
    /// Where to go on taking over messages, in the log and in the group's stream; `None` when there are none to take.
    pub(crate) claim: Option<(String, String)>,
    /// Counts searches.
    pub(crate) searches: u64,
    /// Since when the server has had more for this member than it knows of.
    pub(crate) unseen: Option<Instant>,
}

/// Which search for messages to take over, and where it goes on in the log and in the group's stream.
pub(crate) type Claiming = (u64, (String, String));

impl ShardState {
    /// Where to take messages over from, if that may be done now; it then counts as reading.
    pub(crate) fn begin_claim(&mut self) -> Option<Claiming> {
        let claim = self.claim.clone().filter(|_| self.own && !self.dropping)?;
        self.reading = true;
        Some((self.searches, claim))
    }

    /// Notes where to go on, unless another search was asked for meanwhile: that begins from the start.
    pub(crate) fn claimed(&mut self, search: u64, rest: Option<(String, String)>) {
        if self.searches == search {
            self.claim = rest;
        }
    }

    /// Whether a read may begin now; it then counts as reading.
    pub(crate) fn begin_read(&mut self) -> bool {
        let begins = self.own && !self.dropping && self.claim.is_none();
        self.reading |= begins;
        begins
    }

    /// Whether a read that is under way should end soon.
    pub(crate) fn wants_quiet(&self) -> bool {
        self.dropping || self.claim.is_some()
    }

    /// Begins to look for messages to take over, from the start.
    pub(crate) fn search(&mut self) {
        self.searches += 1;
        self.claim = Some(("-".to_owned(), "-".to_owned()));
    }
}

/// Entries that are being acknowledged; what is left of them when that is dropped is put back.
pub(crate) struct Skipped<'a> {
    pub(crate) of: &'a Shard,
    pub(crate) ids: Vec<EntryId>,
}

impl Drop for Skipped<'_> {
    fn drop(&mut self) {
        lock(&self.of.skipped).append(&mut self.ids);
    }
}

/// Acknowledges entries of the log.
pub(crate) fn acknowledge(keys: &GroupKeys, group: &str, ids: &[EntryId]) -> Cmd {
    let mut command = Cmd::with_capacity(3 + ids.len(), 64 + ids.len() * 20);
    command.arg("XACK").arg(keys.log()).arg(group);
    for id in ids {
        command.arg(id.to_string());
    }
    command
}
