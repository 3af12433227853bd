//! Run with `cargo run -p eventbus-examples --bin own_event_type`: an application's own type of event, beside a provider's.
#![expect(clippy::print_stdout, reason = "examples speak to the terminal")]

use std::borrow::Cow;
use std::time::Duration;

use eventbus::payment_kit::{CheckoutSession, CheckoutSessionCompleted};
use eventbus::{Event, EventBus, EventKind, HandlerResult};
use serde::{Deserialize, Serialize};

/// What the event is about. It is stored as `data.object`.
#[derive(Serialize, Deserialize)]
struct ParcelShipped {
    parcel: String,
    carrier: String,
}

impl EventKind for ParcelShipped {
    const TYPE: &'static str = "parcel.shipped";
    const SOURCE: &'static str = "shop";
    const OBJECT_TYPE: &'static str = "Parcel";
    type Object = Self;
    fn object_id(parcel: &Self) -> Cow<'_, str> {
        Cow::Borrowed(&parcel.parcel)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> eventbus::Result<()> {
    let bus = EventBus::connect("local:").await?;
    let warehouse = bus.clone();
    bus.subscribe("warehouse").on(move |completed| ship(warehouse.clone(), completed)).start().await?;
    bus.subscribe("notices").on(notify).start().await?;

    let session = CheckoutSession { id: "cs_1".into(), ..Default::default() };
    bus.publish(CheckoutSessionCompleted::new(session)).await?;

    bus.shutdown(Duration::from_secs(1)).await;
    Ok(())
}

async fn ship(bus: EventBus, completed: Event<CheckoutSessionCompleted>) -> HandlerResult {
    let parcel = format!("parcel of {}", completed.object_id());
    bus.publish(ParcelShipped { parcel, carrier: "post".into() }).await?;
    Ok(())
}

async fn notify(shipped: Event<ParcelShipped>) -> HandlerResult {
    println!(
        "{} {}: {} by {}",
        shipped.source(),
        shipped.event_type(),
        shipped.object_id(),
        shipped.object().carrier
    );
    Ok(())
}
