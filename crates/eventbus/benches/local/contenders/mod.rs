//! Who is compared: our bus, tokio's broadcast channel, and what a user would write by hand.

mod broadcast;
mod ours;
mod twin;

pub(crate) use broadcast::Broadcast;
pub(crate) use ours::Ours;
pub(crate) use twin::Twin;
