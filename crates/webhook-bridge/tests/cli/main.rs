//! The command line against a running bridge: the program itself, on both sides.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test helper that fails is a test that fails")]

mod again;
mod bus;
mod calls;
mod page;
mod rabbitmq;
#[path = "../delivery/receiver.rs"]
#[allow(dead_code, reason = "the deliveries' tests need more of it")]
mod receiver;
mod redis;
mod rig;
mod serve;
mod signatures;
mod tools;
mod tree;
