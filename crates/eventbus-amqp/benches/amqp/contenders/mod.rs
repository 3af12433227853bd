//! Who is compared: our bus, and what a user would write on lapin by hand.

mod ours;
mod twin;

pub(crate) use ours::Ours;
pub(crate) use twin::Twin;
#[allow(
    unused_imports,
    reason = "shared with the benchmarks beside other libraries, which declare nothing themselves"
)]
pub(crate) use twin::group;
