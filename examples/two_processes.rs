//! Run with `cargo run -p eventbus-examples --bin two_processes -- 'redis://localhost?lease=1s'`: a killed process.
#![expect(clippy::print_stdout, reason = "examples speak to the terminal")]

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use eventbus::payment_kit::{PaymentIntent, PaymentIntentCreated, PaymentIntentSucceeded};
use eventbus::{AnyEvent, EventBus, HandlerResult, IntoEvent as _, Key, transport::Order};
use tokio::{sync::mpsc, time::sleep};

type Outcome = Result<(), Box<dyn Error>>;
type Lines = mpsc::UnboundedReceiver<io::Result<String>>;
type Members = HashMap<String, Child>;
/// On `local:` one process does it all; on a broker two more are the members of the group, with the same code.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or("local:".to_owned());
    eventbus_redis::install(); // once, so that the bus knows redis://
    eventbus_amqp::install(); // and amqp://
    let bus = EventBus::connect(&url).await?;
    if let Some(name) = arguments.next() {
        subscribe(&bus, name, io::stdout()).await?; // until the first process closes its end, or dies
        tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new())).await??;
    } else {
        bus.forget("ledger").await?; // what an earlier run left
        let (handled, write) = io::pipe()?;
        let (mut members, (lines, read)) = (HashMap::new(), mpsc::unbounded_channel());
        std::thread::spawn(move || BufReader::new(handled).lines().try_for_each(|line| lines.send(line)));
        if url.starts_with("local:") {
            subscribe(&bus, "only".to_owned(), write).await?;
        } else {
            for name in ["first", "second"] {
                let mut member = Command::new(std::env::current_exe()?);
                let member = member.args([&url, name]).stdin(Stdio::piped()).stdout(write.try_clone()?);
                members.insert(name.to_owned(), member.spawn()?);
            }
            drop(write); // so that the other ends are the members'
        }
        publish(&bus, members.len().max(1) as u64).await?;
        watch(&bus, members, read).await?;
    }
    bus.shutdown(Duration::from_secs(10)).await;
    Ok(())
}

async fn subscribe(bus: &EventBus, name: String, out: impl Write + Send + 'static) -> Outcome {
    let out = Mutex::new(out);
    let post = move |event: AnyEvent| {
        let line = format!("{name} {} {}\n", event.key().map_or("", Key::as_str), event.event_type());
        let written = out.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
        async move {
            written?;
            sleep(Duration::from_millis(20)).await; // killed here, the work is done and not acknowledged
            HandlerResult::Ok(())
        }
    };
    bus.subscribe("ledger").on_pattern("payment_intent.*", post).order(Order::PerKey).start().await?;
    Ok(())
}

async fn publish(bus: &EventBus, members: u64) -> Outcome {
    while bus.backlog("ledger").await?.is_none_or(|ledger| ledger.members < members) {
        sleep(Duration::from_millis(10)).await;
    }
    let mut events = Vec::new();
    for number in 0..200 {
        let payment = PaymentIntent { id: format!("pi_{number}"), ..Default::default() };
        events.push(PaymentIntentCreated::new(payment.clone()).into_event()?);
        events.push(PaymentIntentSucceeded::new(payment).into_event()?);
    }
    println!("published: {}", bus.publish_all(events).await?);
    Ok(())
}

/// Reads what was handled, kills a process in the middle of it, and says how it ended.
async fn watch(bus: &EventBus, mut members: Members, mut lines: Lines) -> Outcome {
    let (mut payments, mut handled) = (HashMap::<String, String>::new(), 0);
    while handled < 400 {
        let line = lines.recv().await.ok_or("nobody is left")??;
        let [name, payment, event_type] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        let seen = payments.entry(payment.to_owned()).or_default();
        if !seen.contains(event_type) {
            (*seen, handled) = (format!("{seen}{event_type} "), handled + 1); // once: later ones are repetitions
        }
        if handled == 100 && members.len() == 2 {
            let held = bus.backlog("ledger").await?.is_some_and(|ledger| ledger.in_flight > 0);
            members.remove(name).ok_or("it is no member")?.kill()?; // SIGKILL
            println!("one of two processes killed, while it held messages: {held}");
        }
    }
    let in_order = |seen: &String| seen == "payment_intent.created payment_intent.succeeded ";
    println!("handled: {handled}, all in order: {}", payments.values().all(in_order));
    members.into_values().try_for_each(|mut member| member.wait().map(drop))?;
    Ok(())
}
