//! The conformance suite: every promise of a transport, and of the engine above it, as one named case.
//!
//! Whoever writes a transport implements a [`Harness`] and writes one line in an integration test:
//!
//! ```
//! # use std::sync::Arc;
//! use eventbus::conformance::Harness;
//! # use eventbus::local::{LocalConfig, LocalTransport};
//! # use eventbus::transport::Transport;
//! # #[derive(Debug)]
//! # struct MyHarness(LocalTransport);
//! # impl MyHarness {
//! #     fn new() -> Self { Self(LocalTransport::new(LocalConfig::new()).expect("bounds above 0")) }
//! # }
//! # #[async_trait::async_trait]
//! impl Harness for MyHarness {
//!     // …
//! #     async fn connect(&self) -> eventbus::Result<Arc<dyn Transport>> { Ok(Arc::new(self.0.clone())) }
//! }
//!
//! eventbus::conformance!(MyHarness::new());
//! # fn main() {}
//! ```
//!
//! It becomes one test per case, so that the test runner shows the names. A case whose capability is missing says so
//! and is skipped; what ran is appended to a matrix (see [`matrix`]). A failed case prints its seed: run it again with
//! `CONFORMANCE_SEED`. `CONFORMANCE_LONG=1` gives cases about kills their long form, and more time to all of them.
//!
//! Cases about outages need [`Harness::faults`], for which [`FaultyServer`] and [`VirtualHost`] are ready-made, and
//! [`Harness::child`].
//! Both need a Unix; the servers are killed with the test on Linux only, by `setpriv` of util-linux.
//!
//! | file | what it is |
//! |---|---|
//! | `harness` | what the author of a transport implements |
//! | `faults` | what a harness can break, where it can |
//! | `server/*`, `proxy`, `process` | a private server with every fault, ready to be returned by a harness |
//! | `child/*` | consumers in processes of their own, to be killed and stopped |
//! | `ledger` | the book of every event and every handling, with the invariants |
//! | `stage`, `member`, `puppet`, `sample` | what cases are written with |
//! | `list` | the list of cases: one row per case |
//! | `cases/*` | the cases, a file per theme |

mod cases;
mod child;
mod faults;
mod harness;
mod ledger;
mod list;
mod matrix;
mod member;
mod process;
mod proxy;
mod puppet;
mod sample;
mod server;
mod stage;

#[doc(hidden)]
pub use child::run as run_child;
pub use child::{Child, ChildProcess, Consumer, Work, consume};
pub use faults::{Fault, Faults};
pub use harness::{Harness, Pace};
pub use ledger::{Bounds, Breach, End, Handling, Invariant, Ledger, Summary};
pub use list::{CASES, Case, run};
pub use matrix::matrix;
pub use process::Process;
pub use proxy::Proxy;
pub use server::{
    AppendOnly, Broker, FaultyServer, Place, RabbitCluster, RabbitMq, RabbitMqServer, Redis, RedisServer,
    Reply, Server, VirtualHost,
};

/// Makes one `#[tokio::test]` per case of the suite; the argument is an expression that makes a [`Harness`].
///
/// [`Harness`]: crate::conformance::Harness
#[macro_export]
macro_rules! conformance {
    ($($harness:tt)*) => {
        $crate::conformance_cases! { [$crate::conformance_tests] [($($harness)*)] }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ([$harness:tt] $($theme:ident { $($case:ident [$($need:ident)*];)* })*) => {
        $(mod $theme {
            #[allow(unused_imports, reason = "the harness may be spelt with a full path")]
            use super::*;
            $(
                #[tokio::test]
                async fn $case() {
                    let title = concat!(stringify!($theme), "::", stringify!($case));
                    let folder = option_env!("CARGO_TARGET_TMPDIR");
                    $crate::conformance::run(::std::sync::Arc::new($harness), title, folder).await;
                }
            )*
        })*
    };
}
