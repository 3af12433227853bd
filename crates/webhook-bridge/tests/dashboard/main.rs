//! The dashboard in a real browser, at a bridge that runs, with a receiver that answers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test helper that fails is a test that fails")]

mod browser;
#[path = "../api/client.rs"]
#[allow(dead_code, reason = "the API's tests need more of it")]
mod client;
mod driver;
mod https;
mod live;
mod looks;
mod paths;
#[path = "../delivery/receiver.rs"]
#[allow(dead_code, reason = "the deliveries' tests need more of it")]
mod receiver;
mod rig;
mod session;
