//! Run with `cargo run -p eventbus-examples --bin order_under_failure`: a failure holds its key, and no other.
#![expect(clippy::print_stdout, reason = "examples speak to the terminal")]

use std::time::Duration;

use eventbus::payment_kit::{
    PaymentIntent, PaymentIntentCreated, PaymentIntentProcessing, PaymentIntentSucceeded,
};
use eventbus::transport::Order;
use eventbus::{AnyEvent, Context, EventBus, HandlerError, HandlerResult, Retry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> eventbus::Result<()> {
    let bus = EventBus::connect("local:").await?;
    bus.subscribe("ledger")
        .on(post)
        .order(Order::PerKey)
        .retry(Retry::fixed(Duration::from_millis(50)).attempts(5))
        .start()
        .await?;

    // The key is the id of the object unless the event sets another with `.key(…)`.
    for id in ["pi_1", "pi_2"] {
        bus.publish(PaymentIntentCreated::new(payment(id))).await?;
        bus.publish(PaymentIntentProcessing::new(payment(id))).await?;
        bus.publish(PaymentIntentSucceeded::new(payment(id))).await?;
    }

    bus.shutdown(Duration::from_secs(10)).await;
    Ok(())
}

/// The events of a payment build on one another: a ledger that saw `succeeded` before `processing` would be wrong.
async fn post(event: AnyEvent, context: Context) -> HandlerResult {
    let payment = event.key().map_or("", |key| key.as_str());
    if payment == "pi_1" && event.event_type() == "payment_intent.processing" && context.attempt() < 3 {
        println!("{payment}: {} failed, attempt {}", event.event_type(), context.attempt());
        return Err(HandlerError::transient("the database is locked"));
    }
    println!("{payment}: {}", event.event_type());
    Ok(())
}

fn payment(id: &str) -> PaymentIntent {
    PaymentIntent { id: id.into(), ..Default::default() }
}
