//! Run with `cargo run -p eventbus-examples --bin pattern_match`: a whole catalogue in one `match`, and a pattern.
#![expect(clippy::print_stdout, reason = "examples speak to the terminal")]

use std::time::Duration;

use eventbus::payment_kit::{self, Customer, Invoice, PaymentEvent, Subscription};
use eventbus::{AnyEvent, EventBus, HandlerResult};

#[tokio::main(flavor = "current_thread")]
async fn main() -> eventbus::Result<()> {
    let bus = EventBus::connect("local:").await?;
    bus.subscribe("crm").on(every_event).start().await?;
    bus.subscribe("audit").on_pattern("customer.#", audit).start().await?;

    let customer = Customer { id: "cus_1".into(), ..Default::default() };
    let subscription = Subscription { id: "sub_1".into(), ..Default::default() };
    let invoice = Invoice { id: "in_1".into(), ..Default::default() };
    bus.publish(payment_kit::CustomerCreated::new(customer)).await?;
    bus.publish(payment_kit::CustomerSubscriptionStarted::new(subscription)).await?;
    bus.publish(payment_kit::InvoicePaid::new(invoice)).await?;
    // The provider may name a type tomorrow that no catalogue lists today.
    bus.publish(AnyEvent::from_json(NEW_TYPE)?).await?;

    bus.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

/// Every group gets every event it wants, so this one and `audit` both see customers.
async fn every_event(event: PaymentEvent) -> HandlerResult {
    match event {
        PaymentEvent::CustomerCreated(created) => println!("crm: new customer {}", created.object().id),
        PaymentEvent::CustomerSubscriptionStarted(started) => println!("crm: {} starts", started.object().id),
        PaymentEvent::Other(event) => println!("crm: {} is new to us", event.event_type()),
        event => println!("crm: {} is of no interest", event.event_type()),
    }
    Ok(())
}

/// `*` stands for one segment, `#` for zero or more.
async fn audit(event: AnyEvent) -> HandlerResult {
    println!("audit: {}", event.event_type());
    Ok(())
}

const NEW_TYPE: &str = r#"{
    "id": "evt_1", "object": "event", "type": "customer.moved", "api_version": "2023-09-05", "livemode": false,
    "object_id": "cus_1", "object_type": "Customer", "data": { "object": { "id": "cus_1" } },
    "request": { "id": "", "idempotency_key": "" }, "pending_webhooks": 0, "metadata": {},
    "created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:00:00.000Z"
}"#;
