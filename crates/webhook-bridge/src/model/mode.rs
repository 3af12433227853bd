//! Test or live: a wall, not a field.

use std::fmt;

use serde::Deserialize;

/// Whether something is about real money. Nothing of one mode is seen, matched or delivered in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Pretended payments.
    Test,
    /// Real money: `livemode` on the wire.
    Live,
}

impl Mode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Test, Self::Live];

    /// Tells whether it is live: the value of `livemode`.
    pub fn is_live(self) -> bool {
        self == Self::Live
    }
}

impl From<bool> for Mode {
    fn from(livemode: bool) -> Self {
        if livemode { Self::Live } else { Self::Test }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_live() { "live" } else { "test" })
    }
}
