//! The engine: what happens between a transport and a handler, written once for every transport.

mod attempt;
mod backlog;
mod control;
mod current;
mod dispatch;
mod driver;
mod failure;
mod handler;
mod idempotency;
mod lanes;
mod layer;
mod plan;
mod receiving;
mod retry;
mod starting;
mod stream;

pub use failure::{Class, HandlerError, HandlerResult};
pub use handler::{Context, Handler};
pub use idempotency::{Claim, Idempotency, IdempotencyStore, MemoryStore};
pub use layer::{HandlerService, Invocation};
pub use plan::OnDeadLetter;
pub use retry::Retry;
pub use stream::{Message, Messages};

pub(crate) use control::{Command, Control, FOREVER};
pub(crate) use current::{is_handling, trace};
pub(crate) use dispatch::Dispatch;
pub(crate) use driver::{Driver, HEARTBEAT};
pub(crate) use handler::{AnyHandler, erase};
pub(crate) use layer::{AnyLayer, erase_layer};
pub(crate) use plan::Plan;
pub(crate) use stream::by_hand;
