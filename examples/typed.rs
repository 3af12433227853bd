//! Run with `cargo run -p eventbus-examples --bin typed`: the argument of a handler says which events it gets.
#![expect(clippy::print_stdout, reason = "examples speak to the terminal")]

use std::time::Duration;

use eventbus::{AnyEvent, Context, Event, EventBus, HandlerResult, gstable, payment_kit};

#[tokio::main(flavor = "current_thread")]
async fn main() -> eventbus::Result<()> {
    let bus = EventBus::connect("local:").await?;
    bus.subscribe("catalog")
        .on(kit_product)
        .on(gstable_product)
        .on(invoice)
        .on_pattern("invoice.#", other_invoice) // only what no exact type takes
        .start()
        .await?;

    // Both providers have a `product.created`, with different objects. The source keeps them apart.
    let product = payment_kit::Product { id: "prod_1".into(), ..Default::default() };
    bus.publish(payment_kit::ProductCreated::new(product)).await?;
    let product = gstable::Product { product_id: "prd_1".into(), ..Default::default() };
    bus.publish(gstable::ProductCreated::new(product)).await?;

    let invoice =
        payment_kit::Invoice { id: "in_1".into(), total: Some("1990".into()), ..Default::default() };
    bus.publish(payment_kit::InvoicePaid::new(invoice.clone()).livemode(true)).await?;
    bus.publish(payment_kit::InvoiceCreated::new(invoice)).await?;

    bus.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

async fn kit_product(created: Event<payment_kit::ProductCreated>) -> HandlerResult {
    println!("Payment Kit's product {}", created.object().id);
    Ok(())
}

async fn gstable_product(created: Event<gstable::ProductCreated>) -> HandlerResult {
    println!("GStable's product {}", created.object().product_id);
    Ok(())
}

/// A second argument tells what is known of the message beside the event.
async fn invoice(paid: Event<payment_kit::InvoicePaid>, context: Context) -> HandlerResult {
    let (total, live) = (paid.object().total.as_deref(), paid.livemode());
    println!("invoice {}: {total:?}, live: {live}, attempt {}", paid.object_id(), context.attempt());
    Ok(())
}

async fn other_invoice(event: AnyEvent) -> HandlerResult {
    println!("{} of {}", event.event_type(), event.source());
    Ok(())
}
