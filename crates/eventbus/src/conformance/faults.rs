//! The faults a harness can inflict on the way to its server, and on the server itself.

use std::fmt::{self, Debug};
use std::num::NonZeroU64;

use async_trait::async_trait;

/// Breaks things on purpose. A harness implements what [`can`](Self::can) lists; the rest is never called.
#[async_trait]
pub trait Faults: Debug + Send + Sync {
    /// What this harness can break.
    fn can(&self) -> &[Fault];

    /// Kills the server as `SIGKILL` does: it has no time to write anything.
    async fn kill(&self);

    /// Starts the server again with what it had stored, and returns when its port is up.
    async fn restart(&self);

    /// Resets every connection; new ones work at once.
    async fn cut(&self);

    /// Lets packets vanish both ways until [`resume`](Self::resume): connections look open and are not.
    async fn half_open(&self);

    /// Accepts bytes and passes none on until [`resume`](Self::resume), then passes all of them on.
    async fn stall(&self);

    /// Passes no more than this on per second, until [`resume`](Self::resume).
    async fn throttle(&self, bytes: NonZeroU64);

    /// Stops the server where it stands, as `SIGSTOP` does, until [`resume`](Self::resume).
    async fn stop(&self) {
        unreachable!("this harness does not list `Fault::Stop`")
    }

    /// Ends [`half_open`](Self::half_open), [`stall`](Self::stall), [`throttle`](Self::throttle) and
    /// [`stop`](Self::stop). A connection that has lost bytes is reset, as by a peer that does not know it any more.
    async fn resume(&self);

    /// Removes everything the server holds in an instant, while it goes on running: events, groups, what was taken.
    async fn vanish(&self) {
        unreachable!("this harness does not list `Fault::Vanish`")
    }
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// [`Faults::kill`] and [`Faults::restart`].
    Kill,
    /// [`Faults::cut`].
    Cut,
    /// [`Faults::half_open`].
    HalfOpen,
    /// [`Faults::stall`].
    Stall,
    /// [`Faults::throttle`].
    Throttle,
    /// [`Faults::stop`].
    Stop,
    /// [`Faults::vanish`].
    Vanish,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "kill",
            Self::Cut => "cut",
            Self::HalfOpen => "half-open",
            Self::Stall => "stall",
            Self::Throttle => "throttle",
            Self::Stop => "stop",
            Self::Vanish => "vanish",
        })
    }
}
