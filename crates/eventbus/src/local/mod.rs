//! The local transport: events within one process.
//!
//! | bus term | here |
//! |---|---|
//! | group | a cursor in the log of a channel; groups with the same filters share the channel |
//! | broadcast | a private group per member, named `group#number` |
//! | ack | the message leaves the group's in-flight table; a log segment goes with its last reader |
//! | retry | an entry on the timer wheel |
//! | held key | a parking place per key, in the order of the log |
//! | dead letter | an entry in the group's bounded store |
//! | order per key | the member that joined first receives; the others take over when it leaves |

mod bell;
mod channel;
mod config;
mod dead;
mod group;
mod holds;
mod log;
mod message;
mod reader;
mod registry;
mod sync;
mod transport;
mod waiters;
mod wheel;

pub use config::LocalConfig;
pub use transport::LocalTransport;
