//! The server: a member whose connection ends, or says nothing for a lease, is lost.

use std::future::pending;
use std::num::NonZeroU32;
use std::time::Duration;

use eventbus::local::LocalTransport;
use eventbus::transport::{
    Body, Group, Membership, Mode, Order, Publishing, Reader, Received, Settled, Settlement, Settler, Start,
    SubscriptionSpec, Token, Transport as _, WhenFull,
};
use eventbus::{AnyEvent, Filter};
use futures::future::BoxFuture;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{Answer, Ask, LEASE, heard, line};

/// Serves until the runtime ends; returns the port.
pub(crate) async fn serve(transport: LocalTransport) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a port");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(connection(transport.clone(), stream));
        }
    });
    port
}

async fn connection(transport: LocalTransport, stream: TcpStream) {
    let (read, mut write) = stream.into_split();
    let mut asked = BufReader::new(read).lines();
    while let Ok(Some(ask)) = asked.next_line().await {
        let answer = match heard(&ask) {
            Ask::Publish(events) => Answer::Published(publish(&transport, &events).await),
            Ask::Backlog(group) => {
                let backlog = transport.backlog(&named(&group)).await.expect("it is told");
                Answer::Backlog(backlog.map(|backlog| backlog.unsettled()))
            }
            Ask::Open { group, ordered } => {
                let membership = transport
                    .open(&spec(&group, if ordered { Order::PerKey } else { Order::None }))
                    .await
                    .expect("the group is joined");
                if write.write_all(&line(&Answer::Opened)).await.is_ok() {
                    member(membership, asked, write).await;
                }
                return;
            }
            _ => return,
        };
        if write.write_all(&line(&answer)).await.is_err() {
            return;
        }
    }
}

async fn publish(transport: &LocalTransport, events: &[String]) -> bool {
    let events: Vec<_> =
        events.iter().map(|event| AnyEvent::from_json(event.clone()).expect("it is an event")).collect();
    let publishing = Publishing { deadline: Duration::from_secs(10), when_full: WhenFull::Wait };
    transport.publish(&events, publishing).await.iter().all(Result::is_ok)
}

fn named(group: &str) -> Group {
    Group::new(group.to_owned()).expect("the name is legal")
}

fn spec(group: &str, order: Order) -> SubscriptionSpec {
    SubscriptionSpec {
        group: named(group),
        mode: Mode::Shared,
        ephemeral: false,
        filters: vec![Filter::all()],
        order,
        overflow: None,
        capacity: None,
        start: Start::Now,
    }
}

type Receiving = BoxFuture<'static, (Box<dyn Reader>, Option<Answer>)>;

async fn member(
    Membership { reader, settler }: Membership,
    mut asked: Lines<BufReader<OwnedReadHalf>>,
    mut write: OwnedWriteHalf,
) {
    let (mut reader, mut receiving) = (Some(reader), None::<Receiving>);
    loop {
        let received = async {
            match &mut receiving {
                Some(receiving) => receiving.await,
                None => pending().await,
            }
        };
        let answer = tokio::select! {
            (back, batch) = received => {
                (reader, receiving) = (Some(back), None);
                batch
            }
            ask = timeout(LEASE, asked.next_line()) => {
                let Ok(Ok(Some(ask))) = ask else { return };
                match heard(&ask) {
                    Ask::Receive(credit) => {
                        receiving = reader.take().map(|reader| receive(reader, credit));
                        continue;
                    }
                    Ask::Settle(settlements) => Some(Answer::Settled(settle(&*settler, &settlements).await)),
                    Ask::Stop => {
                        settler.stop().await;
                        continue;
                    }
                    _ => continue,
                }
            }
        };
        let Some(answer) = answer else { return };
        if write.write_all(&line(&answer)).await.is_err() {
            return;
        }
    }
}

fn receive(mut reader: Box<dyn Reader>, credit: u32) -> Receiving {
    Box::pin(async move {
        let batch = reader.receive(NonZeroU32::new(credit).expect("it asks for some")).await.ok();
        let batch = batch.map(|batch| Answer::Batch(batch.map(written).collect()));
        (reader, batch)
    })
}

fn written(Received { token, attempt, body, .. }: Received) -> (u64, u32, String) {
    let Body::Event(event) = body else { unreachable!("events are published, and nothing else") };
    let event = event.to_json().expect("it has a body");
    (token.0, attempt, String::from_utf8(event.to_vec()).expect("JSON is text"))
}

async fn settle(settler: &dyn Settler, settlements: &[(u64, bool)]) -> Vec<bool> {
    let settlement = |acked| if acked { Settlement::Ack } else { Settlement::Return };
    let settlements: Vec<_> =
        settlements.iter().map(|(token, acked)| (Token(*token), settlement(*acked))).collect();
    settler.settle(&settlements).await.iter().map(|settled| *settled == Settled::Applied).collect()
}
