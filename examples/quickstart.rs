//! Run with `cargo run -p eventbus-examples --bin quickstart`: both providers, a retry, a dead letter, a redrive.
#![expect(clippy::print_stdout, reason = "examples speak to the terminal")]

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventbus::gstable::{Envelope, SessionPaid, UtcOffset};
use eventbus::payment_kit::{
    CustomerSubscriptionDeleted, CustomerSubscriptionRenewed, CustomerSubscriptionUpgraded,
};
use eventbus::transport::Order;
use eventbus::{AnyEvent, Context, Event, EventBus, HandlerError, HandlerResult, Retry, Select};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let bus = EventBus::connect("local:").await?;
    bus.subscribe("entitlements") // the group; its members share the work
        .on(extend)
        .on(upgrade)
        .on(end)
        .on(fulfil)
        .order(Order::PerKey) // a subscription's events stay in order, also across retries
        .retry(Retry::fixed(Duration::from_millis(100)).attempts(5))
        .start()
        .await?;

    let renewed: Event<CustomerSubscriptionRenewed> = AnyEvent::from_json(RENEWED)?.try_into()?;
    let subscription = renewed.object().clone();
    let paid = Envelope::from_json(PAID.as_bytes())?;
    bus.publish(renewed).await?; // Ok means that the bus holds it
    bus.publish(CustomerSubscriptionUpgraded::new(subscription.clone())).await?;
    bus.publish(CustomerSubscriptionDeleted::new(subscription)).await?;
    bus.publish(paid.into_event(UtcOffset::UTC)?).await?;

    let dead = bus.dead_letters("entitlements")?;
    let letter = loop {
        match dead.list(Select::all(), 1).await?.pop() {
            Some(letter) => break letter,
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    println!("dead letter: {:?}", letter.history.last().map(|failure| &failure.message));
    PLAN_EXISTS.store(true, Ordering::Relaxed); // somebody repairs what was wrong
    dead.redrive(Select::all()).run().await?;

    let report = bus.shutdown(Duration::from_secs(10)).await; // finishes what waits
    println!("all handled: {}", report.is_complete());
    Ok(())
}

async fn extend(renewed: Event<CustomerSubscriptionRenewed>, context: Context) -> HandlerResult {
    let subscription = renewed.object(); // typed by the handler's argument
    if context.attempt() == 1 {
        println!("{} renewed: the database is locked", subscription.id);
        return Err(HandlerError::transient("the database is locked")); // tried again
    }
    println!("{} renewed: {:?}", subscription.id, subscription.status);
    Ok(()) // acknowledged, for good
}

async fn upgrade(upgraded: Event<CustomerSubscriptionUpgraded>) -> HandlerResult {
    if !PLAN_EXISTS.load(Ordering::Relaxed) {
        return Err(HandlerError::permanent("there is no such plan")); // to the dead letters
    }
    println!("{} upgraded", upgraded.object_id());
    Ok(())
}

async fn end(deleted: Event<CustomerSubscriptionDeleted>) -> HandlerResult {
    println!("{} deleted", deleted.object_id());
    Ok(())
}

async fn fulfil(paid: Event<SessionPaid>) -> HandlerResult {
    println!("{} paid: {:?} micro-USD", paid.object_id(), paid.object().amount);
    Ok(())
}

static PLAN_EXISTS: AtomicBool = AtomicBool::new(false);

/// The body of a webhook from Payment Kit.
const RENEWED: &str = include_str!("../crates/eventbus/tests/samples/payment-kit-subscription-renewed.json");
/// The body of a webhook from GStable.
const PAID: &str = include_str!("../crates/eventbus/tests/samples/gstable-session-paid.json");
