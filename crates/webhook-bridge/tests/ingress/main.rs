//! Webhooks of others at a running bridge, over real HTTP, signed by code that shares nothing with the verifiers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test helper that fails is a test that fails")]

mod application;
mod blocklet;
mod bounds;
mod loops;
mod once;
mod outage;
mod redis;
mod rig;
mod schemes;
mod signers;
