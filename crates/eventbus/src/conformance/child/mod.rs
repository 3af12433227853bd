//! Consumers in processes of their own, which can be killed while they hold messages.
//!
//! Such a process is this test's own executable once more, running one test that consumes. A transport's author writes
//! that test with one line and says its name:
//!
//! ```no_run
//! use std::sync::Arc;
//! use eventbus::conformance::{Child, Harness};
//! use eventbus::transport::Transport;
//! # async fn somehow(url: &str) -> eventbus::Result<Arc<dyn Transport>> { todo!("{url}") }
//!
//! async fn connect(url: String) -> eventbus::Result<Arc<dyn Transport>> {
//!     somehow(&url).await
//! }
//! eventbus::conformance_child!(connect); // makes the test `conformance_child`
//!
//! # #[derive(Debug)]
//! struct MyHarness { url: String }
//! # #[async_trait::async_trait]
//! impl Harness for MyHarness {
//!     // …
//! #   async fn connect(&self) -> eventbus::Result<Arc<dyn Transport>> { connect(self.url.clone()).await }
//!     fn child(&self) -> Option<Child> {
//!         Some(Child::new("conformance_child", &self.url))
//!     }
//! }
//! # fn main() {}
//! ```

mod clock;
mod inside;
mod outside;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::transport::Order;

pub use inside::{consume, run};
pub use outside::ChildProcess;

/// How to start a consumer as a process of its own.
#[derive(Debug, Clone)]
pub struct Child {
    test: String,
    url: String,
}

/// What a consumer in a process of its own does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumer {
    group: String,
    ordered: bool,
    concurrency: usize,
    prefetch: usize,
    work: Work,
}

/// What its handler does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// Succeeds after a while.
    AckAfter(Duration),
    /// Never comes back.
    Hold,
}

/// What a child is told, in the environment.
#[derive(Serialize, Deserialize)]
struct Orders {
    url: String,
    consumer: Consumer,
}

/// A line that a child prints, after [`MARK`].
#[derive(Serialize, Deserialize)]
enum Line {
    /// The group was joined.
    Joined,
    /// A handling begins.
    Begin { number: u64, at: u64, event: String, attempt: u32, key: Option<String> },
    /// It has succeeded.
    End { number: u64, at: u64 },
}

/// The environment variable with the orders, as JSON.
const VARIABLE: &str = "EVENTBUS_CONFORMANCE_CHILD";

/// What tells the lines of a child from those of its test runner.
const MARK: &str = "eventbus child: ";

impl Child {
    /// A process that runs this test, by its full name (`conformance_child`, or `module::conformance_child`) in this
    /// test's own executable, and consumes from the server at this URL.
    pub fn new(test: impl Into<String>, url: impl Into<String>) -> Self {
        Self { test: test.into(), url: url.into() }
    }
}

impl Consumer {
    /// A member of this group that acknowledges everything at once, without order.
    pub fn new(group: impl Into<String>) -> Self {
        let work = Work::AckAfter(Duration::ZERO);
        Self { group: group.into(), ordered: false, concurrency: 4, prefetch: 16, work }
    }

    /// Whether it keeps the order per key. Default: no.
    #[must_use]
    pub fn order(self, order: Order) -> Self {
        Self { ordered: order == Order::PerKey, ..self }
    }

    /// How many messages it handles at once. Default 4.
    #[must_use]
    pub fn concurrency(self, handlers: usize) -> Self {
        Self { concurrency: handlers, ..self }
    }

    /// How many messages it holds at most. Default 16.
    #[must_use]
    pub fn prefetch(self, messages: usize) -> Self {
        Self { prefetch: messages, ..self }
    }

    /// What its handler does. Default: it succeeds at once.
    #[must_use]
    pub fn work(self, work: Work) -> Self {
        Self { work, ..self }
    }
}

/// Makes the test that a [`Child`] runs; the argument is an `async fn(url: String) -> eventbus::Result<Arc<dyn
/// Transport>>`. In an ordinary run of the tests it does nothing.
///
/// [`FaultyServer`](crate::conformance::FaultyServer) shows it in a whole harness.
///
/// [`Child`]: crate::conformance::Child
#[macro_export]
macro_rules! conformance_child {
    ($connect:expr) => {
        #[tokio::test]
        async fn conformance_child() {
            $crate::conformance::run_child($connect).await;
        }
    };
}
