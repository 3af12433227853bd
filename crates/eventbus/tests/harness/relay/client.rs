//! The client: a connection for every question, and one for every member.

use std::num::NonZeroU32;
use std::sync::Arc;

use async_trait::async_trait;
use eventbus::transport::{
    Backlog, Batch, Capabilities, Durability, Group, Membership, Order, Publishing, Reader, Received,
    Settled, Settlement, Settler, SubscriptionSpec, Token, Transport,
};
use eventbus::{AnyEvent, Error, ErrorKind, EventId, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{Mutex, mpsc};
use tokio::time::sleep;

use super::{Answer, Ask, LEASE, heard, line};

#[derive(Debug)]
pub(crate) struct Client {
    port: u16,
}

impl Client {
    /// A client of the server at this URL, which is its port.
    pub(crate) fn new(url: &str) -> Self {
        Self { port: url.parse().expect("the URL is a port") }
    }

    async fn connect(&self, ask: &Ask) -> Result<(Lines<BufReader<OwnedReadHalf>>, OwnedWriteHalf, Answer)> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).await.map_err(broken)?;
        let (read, mut write) = stream.into_split();
        write.write_all(&line(ask)).await.map_err(broken)?;
        let mut told = BufReader::new(read).lines();
        let answer = told.next_line().await.map_err(broken)?.ok_or_else(|| broken("it has ended"))?;
        Ok((told, write, heard(&answer)))
    }
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::NotSent, "the relay cannot be reached").with_source(error)
}

#[async_trait]
impl Transport for Client {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            durability: Durability::Memory,
            key_order: true,
            encodes: true,
            lease: Some(LEASE),
            ..Capabilities::minimal("relay")
        }
    }

    async fn publish(&self, batch: &[AnyEvent], _: Publishing) -> Vec<Result<()>> {
        let json = |event: &AnyEvent| {
            String::from_utf8(event.to_json().expect("it has a body").to_vec()).expect("JSON is text")
        };
        let answer = self.connect(&Ask::Publish(batch.iter().map(json).collect())).await;
        let stored = matches!(answer, Ok((_, _, Answer::Published(true))));
        batch.iter().map(|_| if stored { Ok(()) } else { Err(broken("it is not stored")) }).collect()
    }

    async fn open(&self, subscription: &SubscriptionSpec) -> Result<Membership> {
        let group = subscription.group.to_string();
        let open = Ask::Open { group, ordered: subscription.order == Order::PerKey };
        let (told, write, _) = self.connect(&open).await?;
        let (batches, received) = mpsc::unbounded_channel();
        let (settled, settlements) = mpsc::unbounded_channel();
        tokio::spawn(listen(told, batches, settled));
        let write = Arc::new(Mutex::new(write));
        tokio::spawn(live(Arc::clone(&write)));
        let reader = Box::new(Incoming { write: Arc::clone(&write), received });
        Ok(Membership { reader, settler: Arc::new(Outgoing { write, settlements: Mutex::new(settlements) }) })
    }

    async fn forget(&self, _: &Group) -> Result<bool> {
        Ok(false)
    }

    async fn cancel(&self, _: &EventId) -> Result<bool> {
        Ok(false)
    }

    async fn backlog(&self, group: &Group) -> Result<Option<Backlog>> {
        match self.connect(&Ask::Backlog(group.to_string())).await? {
            (_, _, Answer::Backlog(queued)) => {
                Ok(queued.map(|queued| Backlog { queued, ..Backlog::default() }))
            }
            _ => Err(broken("it has answered something else")),
        }
    }

    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

async fn listen(
    mut told: Lines<BufReader<OwnedReadHalf>>,
    batches: mpsc::UnboundedSender<Vec<(u64, u32, String)>>,
    settled: mpsc::UnboundedSender<Vec<bool>>,
) {
    while let Ok(Some(answer)) = told.next_line().await {
        let sent = match heard(&answer) {
            Answer::Batch(batch) => batches.send(batch).is_ok(),
            Answer::Settled(applied) => settled.send(applied).is_ok(),
            _ => false,
        };
        if !sent {
            return;
        }
    }
}

/// Gives signs of life while the member lives.
async fn live(write: Arc<Mutex<OwnedWriteHalf>>) {
    while Arc::strong_count(&write) > 1 && write.lock().await.write_all(&line(&Ask::Live)).await.is_ok() {
        sleep(LEASE / 4).await;
    }
}

#[derive(Debug)]
struct Incoming {
    write: Arc<Mutex<OwnedWriteHalf>>,
    received: mpsc::UnboundedReceiver<Vec<(u64, u32, String)>>,
}

#[async_trait]
impl Reader for Incoming {
    async fn receive(&mut self, credit: NonZeroU32) -> Result<Batch> {
        self.write.lock().await.write_all(&line(&Ask::Receive(credit.get()))).await.map_err(broken)?;
        let batch = self.received.recv().await.ok_or_else(|| broken("the connection broke"))?;
        let received = |(token, attempt, event)| Received {
            attempt,
            ..Received::first(Token(token), AnyEvent::from_json(event).expect("it is an event"))
        };
        Ok(batch.into_iter().map(received).collect::<Vec<_>>().into())
    }
}

#[derive(Debug)]
struct Outgoing {
    write: Arc<Mutex<OwnedWriteHalf>>,
    settlements: Mutex<mpsc::UnboundedReceiver<Vec<bool>>>,
}

#[async_trait]
impl Settler for Outgoing {
    async fn settle(&self, settlements: &[(Token, Settlement)]) -> Vec<Settled> {
        let asked =
            settlements.iter().map(|(token, what)| (token.0, matches!(what, Settlement::Ack))).collect();
        let mut answers = self.settlements.lock().await;
        let sent = self.write.lock().await.write_all(&line(&Ask::Settle(asked))).await;
        let answer = if sent.is_ok() { answers.recv().await } else { None };
        let told = |applied| if applied { Settled::Applied } else { Settled::Lost };
        match answer {
            Some(applied) => applied.into_iter().map(told).collect(),
            None => vec![Settled::Unknown; settlements.len()],
        }
    }

    async fn stop(&self) {
        let _ = self.write.lock().await.write_all(&line(&Ask::Stop)).await;
    }
}
