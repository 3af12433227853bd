//! The inside of a child: it consumes and says so.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::sleep;

use super::{Consumer, Line, MARK, Orders, VARIABLE, Work, clock};
use crate::bus::{BusConfig, EventBus};
use crate::engine::{Context, Retry};
use crate::error::Result;
use crate::event::{AnyEvent, Key};
use crate::transport::{Order, Transport};

/// How long handlers may go on when the parent has asked for the end.
const DEADLINE: Duration = Duration::from_secs(10);

/// Consumes as the parent ordered, until it asks for the end; returns at once in a process that is nobody's child.
///
/// # Panics
/// When it cannot connect or join; the parent shows why.
pub async fn run(connect: impl AsyncFnOnce(String) -> Result<Arc<dyn Transport>>) {
    let Some(orders) = std::env::var_os(VARIABLE) else { return };
    let orders = orders.into_string().expect("orders are text");
    let Orders { url, consumer } = serde_json::from_str(&orders).expect("orders are those of this version");
    let transport = connect(url).await.expect("a child connects");
    consume(EventBus::new(transport, BusConfig::new()), &consumer).await;
}

/// Consumes on this bus, one line on standard output for each beginning and each end of a handling, until standard
/// input ends.
///
/// # Panics
/// When it cannot join the group.
pub async fn consume(bus: EventBus, consumer: &Consumer) {
    let (numbers, work) = (Arc::new(AtomicU64::new(0)), consumer.work);
    let handler = move |event: AnyEvent, context: Context| {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        async move {
            say(&Line::Begin {
                number,
                at: clock::now(),
                event: event.id().to_string(),
                attempt: context.attempt(),
                key: event.key().map(Key::as_str).map(str::to_owned),
            });
            match work {
                Work::AckAfter(Duration::ZERO) => {}
                Work::AckAfter(while_) => sleep(while_).await,
                Work::Hold => std::future::pending().await,
            }
            say(&Line::End { number, at: clock::now() });
            Ok(())
        }
    };
    let order = if consumer.ordered { Order::PerKey } else { Order::None };
    let retry = if bus.capabilities().retry_delay.is_some() { Retry::default() } else { Retry::never() };
    let subscription =
        bus.subscribe(consumer.group.as_str()).on(handler).order(order).no_timeout().retry(retry);
    let subscription = subscription.concurrency(consumer.concurrency).prefetch(consumer.prefetch);
    let running = subscription.start().await.expect("a child joins its group");
    say(&Line::Joined);
    let _ = end_of_input().await;
    running.stop(DEADLINE).await;
    bus.shutdown(DEADLINE).await;
}

/// Prints a line at once: what was printed before a kill is known.
fn say(line: &Line) {
    let line = serde_json::to_string(line).unwrap_or_default();
    // The runner has begun a line of its own before the first one.
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(format!("\n{MARK}{line}\n").as_bytes());
    let _ = output.flush();
}

/// Comes when the parent closes its end, on a thread because reading standard input blocks.
fn end_of_input() -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = tell.send(());
    });
    told
}
