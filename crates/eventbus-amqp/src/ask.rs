//! Asking the members of a group what they hold: the broker counts what lies in queues, and tells nobody what was handed
//! out.

use std::sync::Arc;
use std::time::Duration;

use eventbus::transport::Group;
use eventbus::{Error, ErrorKind, Result};
use futures::StreamExt as _;
use lapin::message::Delivery;
use lapin::options::{BasicConsumeOptions, BasicPublishOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Consumer};
use tokio::time::{Instant, timeout_at};

use crate::connection::Link;
use crate::error::transient;
use crate::member::{Holding, Member};
use crate::order;
use crate::shared::Shared;

/// How long an answer may take: who does not answer stands still, or is about to be found lost.
const PATIENCE: Duration = Duration::from_secs(1);
/// The broker's own name for a queue of answers that is never made.
const REPLY_TO: &str = "amq.rabbitmq.reply-to";

/// Answers a question.
pub(crate) async fn answer(member: Arc<Member>, question: Delivery) {
    let Some(reply_to) = question.properties.reply_to().clone() else { return };
    order::sync(&member).await;
    let holding = member.holding();
    let Ok(body) = serde_json::to_vec(&holding) else { return };
    let mut properties = BasicProperties::default();
    if let Some(id) = question.properties.correlation_id() {
        properties = properties.with_correlation_id(id.clone());
    }
    let answered = async {
        let (link, channel) = member.shared.replies().await?;
        let options = BasicPublishOptions::default();
        link.within(channel.basic_publish("".into(), reply_to, options, &body, properties)).await
    };
    if let Err(error) = answered.await {
        tracing::debug!(group = %member.spec.group, %error, "a question was not answered");
    }
}

/// Somebody who asks.
pub(crate) struct Asker {
    link: Arc<Link>,
    channel: Channel,
    answers: Consumer,
    exchange: ShortString,
    asked: u64,
}

impl Asker {
    pub(crate) async fn new(shared: &Shared) -> Result<Self> {
        let failed = |error| transient("asking members", error);
        let link = shared.publishing.question().await.map_err(failed)?;
        let channel = link.channel().await.map_err(failed)?;
        let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let answers =
            channel.basic_consume(REPLY_TO.into(), "answers".into(), options, FieldTable::default());
        let answers = link.within(answers).await.map_err(failed)?;
        Ok(Self { link, channel, answers, exchange: shared.bus.ask(), asked: 0 })
    }

    /// Asks everybody of a group, and waits for this many answers, for a while. Those who do not answer hold something, for
    /// all anybody knows.
    pub(crate) async fn ask(&mut self, group: &Group, members: usize) -> Result<Vec<Holding>> {
        if members == 0 {
            return Ok(Vec::new());
        }
        self.asked += 1;
        let id = self.asked.to_string();
        let properties =
            BasicProperties::default().with_reply_to(REPLY_TO.into()).with_correlation_id(id.as_str().into());
        let (exchange, route) = (self.exchange.clone(), group.as_str().into());
        let asked =
            self.channel.basic_publish(exchange, route, BasicPublishOptions::default(), b"", properties);
        self.link.within(asked).await.map_err(|error| transient("asking members", error))?;
        let (mut holdings, end) = (Vec::new(), Instant::now() + PATIENCE);
        while holdings.len() < members {
            match timeout_at(end, self.answers.next()).await {
                Ok(Some(Ok(answer))) => {
                    let this =
                        answer.properties.correlation_id().as_ref().is_some_and(|this| this.as_str() == id);
                    holdings.extend(this.then(|| serde_json::from_slice(&answer.data).ok()).flatten());
                }
                Ok(_) => {
                    return Err(Error::new(ErrorKind::NotSent, "asking members: the connection was lost"));
                }
                Err(_) => {
                    holdings.resize_with(members, || Holding { in_flight: 1, ..Holding::default() });
                }
            }
        }
        Ok(holdings)
    }

    pub(crate) async fn done(self) {
        let _ = self.link.within(self.channel.close(200, "done".into())).await;
    }
}
