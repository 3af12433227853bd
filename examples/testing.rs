//! Run with `cargo test -p eventbus-examples --bin testing`: a test of handlers, on a bus that breaks on demand.
#![expect(clippy::print_stdout, reason = "examples speak to the terminal")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use eventbus::payment_kit::{CustomerSubscriptionRenewed, Subscription};
use eventbus::{Event, EventBus, HandlerResult, Idempotency, MemoryStore};

#[tokio::main(flavor = "current_thread")]
async fn main() -> eventbus::Result<()> {
    let (bus, months) = (EventBus::connect("local:").await?, Arc::default());
    entitlements(&bus, &months).await?;
    bus.publish(renewed("sub_1")).await?;
    bus.shutdown(Duration::from_secs(1)).await;
    println!("{} month(s)", months.load(Ordering::SeqCst));
    Ok(())
}

/// The part of an application that is tested: it gets the bus, so a test can give it another.
async fn entitlements(bus: &EventBus, months: &Arc<AtomicU32>) -> eventbus::Result<()> {
    let months = Arc::clone(months);
    let extend = move |_: Event<CustomerSubscriptionRenewed>| {
        let months = Arc::clone(&months);
        async move {
            months.fetch_add(1, Ordering::SeqCst);
            HandlerResult::Ok(())
        }
    };
    let guard = Idempotency::new(MemoryStore::new(10_000)); // at least once, but extended once
    bus.subscribe("entitlements").on(extend).idempotent(guard).start().await?;
    Ok(())
}

fn renewed(id: &str) -> eventbus::EventBuilder<CustomerSubscriptionRenewed> {
    CustomerSubscriptionRenewed::new(Subscription { id: id.into(), ..Default::default() })
}

#[cfg(test)]
mod tests {
    use eventbus::testing::{Fault, TestBus};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_renewal_counts_once_even_when_the_process_dies_before_the_ack() -> eventbus::Result<()> {
        let (bus, months) = (TestBus::new().await?, Arc::default());
        entitlements(&bus, &months).await?;

        bus.inject(Fault::crash_before_ack("entitlements"));
        bus.publish(renewed("sub_1")).await?;
        bus.settled().await; // retries and delays included, in no time: the clock is paused

        assert_eq!(bus.injected().len(), 1);
        assert_eq!(months.load(Ordering::SeqCst), 1);
        assert_eq!(bus.published_of::<CustomerSubscriptionRenewed>().len(), 1);
        Ok(())
    }
}
