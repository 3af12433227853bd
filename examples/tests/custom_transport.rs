//! The transport of the example passes the conformance suite: every case its capabilities do not rule out.

use std::sync::Arc;

use async_trait::async_trait;
use eventbus::Result;
use eventbus::conformance::{Fault, Harness, Pace};
use eventbus::transport::Transport;

#[path = "../custom_transport/transport.rs"]
mod queue_transport;

/// One transport per case, on paused time.
#[derive(Debug, Default)]
struct Queues(queue_transport::QueueTransport);

#[async_trait]
impl Harness for Queues {
    async fn start(&self, _: &[Fault]) {
        tokio::time::pause();
    }

    async fn connect(&self) -> Result<Arc<dyn Transport>> {
        Ok(Arc::new(self.0.clone()))
    }

    fn pace(&self) -> Pace {
        Pace::paused()
    }
}

eventbus::conformance!(Queues::default());
