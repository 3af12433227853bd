//! What threads share in the local transport, the engine's lanes over it, and their models.
#![allow(dead_code, reason = "the models do not use every part of the sources")]

#[path = "../../../crates/eventbus/src/local/bell.rs"]
mod bell;
#[path = "../../../crates/eventbus/src/local/channel.rs"]
mod channel;
#[path = "../../../crates/eventbus/src/local/dead.rs"]
mod dead;
#[path = "../../../crates/eventbus/src/local/group.rs"]
mod group;
#[path = "../../../crates/eventbus/src/local/holds.rs"]
mod holds;
#[path = "../../../crates/eventbus/src/engine/lanes.rs"]
mod lanes;
#[path = "../../../crates/eventbus/src/local/log.rs"]
mod log;
#[path = "../../../crates/eventbus/src/local/message.rs"]
mod message;
#[path = "../../../crates/eventbus/src/local/registry.rs"]
mod registry;
#[path = "../../../crates/eventbus/src/local/waiters.rs"]
mod waiters;

mod queue;
mod sync;
mod wheel;

pub mod groups;
pub mod keys;
pub mod logs;
pub mod registries;
pub mod waiting;
