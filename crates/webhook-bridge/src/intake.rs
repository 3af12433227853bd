//! From the bus into the store: an event is stored with all its deliveries before the bus's message is acked.

use std::sync::Arc;
use std::time::Duration;

use eventbus::transport::Order;
use eventbus::{
    AnyEvent, EventBus, HandlerError, HandlerResult, OnDeadLetter, Retry, Subscription, TraceContext,
};
use tracing::Instrument as _;

use crate::error::{ErrorKind, Result};
use crate::metrics::{Intake, Metrics};
use crate::model::Mode;
use crate::store::Store;
use crate::trace;

/// How many events are on their way into the store at once: as many as it commits together.
const TOGETHER: usize = 256;

/// Subscribes to everything on the bus as this group: bridges of one group share the events, so only those that share a
/// store may be one. From when this returns, no event is missed, and what has one key is stored in its order.
///
/// A message is acked by its handler's return, which is after the commit. One that comes again is found by its id. What
/// the store cannot take is tried again for ever: an event is never dead-lettered because a disk is full.
///
/// # Errors
/// As [`SubscriptionBuilder::start`](eventbus::SubscriptionBuilder::start).
pub async fn subscribe(
    bus: &EventBus,
    group: &str,
    store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
) -> Result<Subscription> {
    let subscription = bus
        .subscribe(group)
        .on(move |event: AnyEvent| take(Arc::clone(&store), Arc::clone(&metrics), event))
        .concurrency(TOGETHER)
        .prefetch(2 * TOGETHER)
        .no_timeout()
        .order(Order::PerKey)
        // What cannot be encoded now never can, so nothing of its key waits for it.
        .on_dead_letter(OnDeadLetter::Skip)
        .retry(Retry::exponential(Duration::from_millis(100)..=Duration::from_secs(30)).forever())
        .start()
        .await?;
    Ok(subscription)
}

async fn take(store: Arc<dyn Store>, metrics: Arc<Metrics>, event: AnyEvent) -> HandlerResult {
    let mode = Mode::from(event.livemode());
    let context = event.trace().map(TraceContext::child);
    let (trace_id, span_id) = trace::ids(context.as_ref());
    let span = tracing::info_span!("ingest", event = event.id().as_str(), trace_id, span_id);
    match store.ingest_patiently(event).instrument(span).await {
        Ok(ingested) => {
            metrics.took(Intake::Bus, mode, &ingested);
            Ok(())
        }
        // An object that cannot be encoded never will be.
        Err(error) if error.kind() == ErrorKind::Invalid => Err(HandlerError::permanent(error)),
        Err(error) => Err(HandlerError::transient(error)),
    }
}
