//! What whoever runs the bridge sees of it, at a real bridge with real receivers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test helper that fails is a test that fails")]

mod alerts;
#[path = "../delivery/caller.rs"]
#[allow(dead_code, reason = "shared; not all of it is needed here")]
mod caller;
mod metrics;
mod ops;
#[path = "../ingress/rig.rs"]
#[allow(dead_code, reason = "shared; not all of it is needed here")]
mod provider;
mod ready;
#[path = "../delivery/receiver.rs"]
#[allow(dead_code, reason = "shared; not all of it is needed here")]
mod receiver;
mod rig;
mod stop;
mod tls;
mod trace;
