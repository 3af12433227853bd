//! Run with `cargo run -p eventbus-examples --bin custom_transport`: a transport of one's own.
#![expect(clippy::print_stdout, reason = "examples speak to the terminal")]

use std::sync::Arc;
use std::time::Duration;

use eventbus::payment_kit::{Invoice, InvoicePaid};
use eventbus::transport::Order;
use eventbus::{BusConfig, Event, EventBus, HandlerResult};

mod transport;

use transport::QueueTransport;

#[tokio::main(flavor = "current_thread")]
async fn main() -> eventbus::Result<()> {
    let bus = EventBus::new(Arc::new(QueueTransport::default()), BusConfig::new());
    for (capability, value) in bus.capabilities().rows() {
        println!("{capability}: {value}");
    }

    // What it cannot do is refused when a subscription starts, not when the first event comes.
    let refused = bus.subscribe("ledger").on(post).order(Order::PerKey).start().await;
    println!("{}", refused.map_or_else(|error| error.to_string(), |_| "started".to_owned()));

    bus.subscribe("ledger").on(post).start().await?;
    bus.publish(InvoicePaid::new(Invoice { id: "in_1".into(), ..Default::default() })).await?;
    let report = bus.shutdown(Duration::from_secs(1)).await;
    println!("all handled: {}", report.is_complete());
    Ok(())
}

async fn post(paid: Event<InvoicePaid>) -> HandlerResult {
    println!("{} is posted", paid.object_id());
    Ok(())
}
