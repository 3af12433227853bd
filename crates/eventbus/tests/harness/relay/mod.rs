//! A transport between processes, just good enough for consumers that are killed: the local transport behind a socket.

mod client;
mod server;

use serde::{Deserialize, Serialize};

pub(crate) use client::Client;
pub(crate) use server::serve;

/// How long a member may say nothing.
const LEASE: std::time::Duration = std::time::Duration::from_secs(1);

/// What a client says: the first three begin a connection, the others are said by members.
#[derive(Serialize, Deserialize)]
enum Ask {
    Publish(Vec<String>),
    Backlog(String),
    Open { group: String, ordered: bool },
    Receive(u32),
    Settle(Vec<(u64, bool)>),
    Live,
    Stop,
}

/// What the server says.
#[derive(Serialize, Deserialize)]
enum Answer {
    Published(bool),
    Backlog(Option<u64>),
    Opened,
    /// Messages: token, attempt, event.
    Batch(Vec<(u64, u32, String)>),
    /// Which settlements were applied.
    Settled(Vec<bool>),
}

fn line(said: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(said).expect("it is plain data");
    line.push(b'\n');
    line
}

fn heard<T: for<'a> Deserialize<'a>>(line: &str) -> T {
    serde_json::from_str(line).expect("both sides speak alike")
}
