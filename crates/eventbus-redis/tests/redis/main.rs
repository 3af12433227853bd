//! What only Redis has: its settings, its bad answers, its log and what is left in it.

mod bad_input;
mod durability;
mod ground;
mod guard;
mod log;
mod mishaps;
mod secure;
mod sentinel;
mod shards;
mod vanished;
