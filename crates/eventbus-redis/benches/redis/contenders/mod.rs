//! Who is compared: our bus, and what a user would write on redis-rs by hand.

mod ours;
mod twin;

pub(crate) use ours::Ours;
pub(crate) use twin::Twin;
