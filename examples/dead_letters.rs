//! Run with `cargo run -p eventbus-examples --bin dead_letters`: what was given up is listed, redriven and purged.
#![expect(clippy::print_stdout, reason = "examples speak to the terminal")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eventbus::payment_kit::{Invoice, InvoicePaid, Refund, RefundCreated};
use eventbus::transport::{Body, Reason};
use eventbus::{AnyEvent, EventBus, HandlerError, HandlerResult, Retry, Select};

#[tokio::main(flavor = "current_thread")]
async fn main() -> eventbus::Result<()> {
    let bus = EventBus::connect("local:").await?;
    bus.subscribe("ledger")
        .on(post)
        .retry(Retry::fixed(Duration::from_millis(10)).attempts(3))
        .start()
        .await?;

    for id in ["in_1", "in_2", "in_3"] {
        bus.publish(InvoicePaid::new(Invoice { id: id.into(), ..Default::default() })).await?;
    }
    bus.publish(RefundCreated::new(Refund { id: "re_1".into(), ..Default::default() })).await?;

    let dead = bus.dead_letters("ledger")?;
    while dead.list(Select::all(), 10).await?.len() < 4 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for letter in dead.list(Select::all(), 10).await? {
        let why = letter.history.last().map_or("", |failure| &failure.message);
        println!("{}: {} after {} attempt(s), {why}", letter.id, letter.reason, letter.attempts);
    }
    if let Some(Body::Event(event)) = dead.inspect(1).await?.map(|letter| letter.body) {
        println!("1 is {} of {:?}", event.event_type(), event.key());
    }

    // The database is back. Everything that failed for that reason goes out again, at most 50 per second.
    DATABASE.store(true, Ordering::Relaxed);
    let transient = Select::all().reason(Reason::Transient).pattern("invoice.*".parse()?);
    println!("would redrive {}", dead.redrive(transient.clone()).dry_run().await?.matched);
    println!("redriven {}", dead.redrive(transient).rate(50).run().await?.redriven);

    // Nobody will ever want the rest.
    println!("purged {}", dead.purge(Select::all()).await?);
    let report = bus.shutdown(Duration::from_secs(1)).await;
    println!("posted {}, left {}", report.groups[0].acked, report.groups[0].unfinished());
    Ok(())
}

async fn post(event: AnyEvent) -> HandlerResult {
    if event.event_type() == "refund.created" {
        return Err(HandlerError::permanent("refunds are booked by hand"));
    }
    if !DATABASE.load(Ordering::Relaxed) {
        return Err(HandlerError::transient("the database is gone"));
    }
    Ok(())
}

static DATABASE: AtomicBool = AtomicBool::new(false);
