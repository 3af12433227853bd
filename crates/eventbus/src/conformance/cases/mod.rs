//! The cases, a file per theme; each function is named as the promise it checks.

pub(super) mod clock;
pub(super) mod dead_letters;
pub(super) mod delayed;
pub(super) mod groups;
pub(super) mod handlers;
pub(super) mod health;
pub(super) mod idempotency;
pub(super) mod order;
pub(super) mod outages;
pub(super) mod overflow;
pub(super) mod processes;
pub(super) mod publish;
pub(super) mod refusal;
pub(super) mod replay;
pub(super) mod resources;
pub(super) mod retry;
pub(super) mod routing;
pub(super) mod settlement;
pub(super) mod shutdown;
pub(super) mod soak;
