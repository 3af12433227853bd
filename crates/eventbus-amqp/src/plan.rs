//! What lies in the queue of what is published later: events with their times, requests to take one back, what was taken
//! back, and marks.

use lapin::BasicProperties;
use lapin::message::Delivery;
use lapin::types::{AMQPValue, FieldTable};

use crate::message::{Headers, Original, PERSISTENT, Parcel, text};

/// What a message says of itself.
const NOTE: &str = "eventbus-note";
/// When an event is published, in ms since 1970.
const DUE: &str = "eventbus-due";
/// Where an event belongs among those of the same time.
const PLACE: &str = "eventbus-place";
/// That it is not the message an event was planned with, but a later copy of it.
const COPY: &str = "eventbus-copy";
/// The number of a plan or of a mark.
const NUMBER: &str = "eventbus-number";
/// The routing key that an event is published with.
const ROUTE: &str = "eventbus-route";

/// The keys that lead from the exchange to the queue.
pub(crate) const EVENTS: &str = "event";
pub(crate) const REQUESTS: &str = "request";

/// That an event is to be published, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) id: String,
    /// Unique for ever: an event may be planned again.
    pub(crate) number: i64,
    /// In ms since 1970, by the clock of whoever planned it.
    pub(crate) due: i64,
    /// Grows with every plan, by the same clock.
    pub(crate) place: i64,
    /// Whether a keeper wrote it again: then it says nothing new.
    pub(crate) is_copy: bool,
    /// Whether its message was handed to somebody before.
    pub(crate) was_read: bool,
}

/// Somebody wants an event to be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) id: String,
    /// Unique for ever; the same when it is asked again.
    pub(crate) name: String,
    /// The queue for the answer.
    pub(crate) answers: String,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The event will never be published.
    TakenBack,
    /// There is none, or its time has come.
    NotThere,
}

/// A plan was taken back: whoever finds both publishes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stone {
    pub(crate) id: String,
    /// That of the plan.
    pub(crate) number: i64,
    /// The name of the request.
    pub(crate) by: String,
}

/// A message in the queue.
#[derive(Debug)]
pub(crate) enum Note {
    Event(Plan, Box<Original>),
    Request(Request),
    Stone(Stone),
    /// Whoever reads its own has read everything that was there before.
    Mark(i64),
    /// Another program's.
    Foreign,
}

impl Note {
    pub(crate) fn read(delivery: Delivery) -> Self {
        let Delivery { properties, data, redelivered, .. } = delivery;
        let mut note = Self::of(properties, data).unwrap_or(Self::Foreign);
        if let Self::Event(plan, _) = &mut note {
            plan.was_read = redelivered;
        }
        note
    }

    fn of(properties: BasicProperties, data: Vec<u8>) -> Option<Self> {
        let headers = Headers(properties.headers().as_ref());
        let id = properties.message_id().as_ref().map(ToString::to_string);
        let number = headers.number(NUMBER);
        let name = properties.correlation_id().as_ref().map(ToString::to_string);
        Some(match headers.text(NOTE)? {
            "event" => {
                let (due, place) = (headers.number(DUE)?, headers.number(PLACE)?);
                let is_copy = headers.number(COPY).is_some();
                let plan = Plan { id: id?, number: number?, due, place, is_copy, was_read: false };
                let route = headers.text(ROUTE)?.to_owned();
                Self::Event(plan, Box::new(Original { properties, route, body: data.into() }))
            }
            "request" => {
                let answers = properties.reply_to().as_ref()?.to_string();
                Self::Request(Request { id: id?, name: name?, answers })
            }
            "stone" => Self::Stone(Stone { id: id?, number: number?, by: name? }),
            "mark" => Self::Mark(number?),
            _ => return None,
        })
    }
}

impl Plan {
    /// An event as it waits for its time, on its way to the exchange that leads to the queue.
    pub(crate) fn parcel(&self, exchange: &str, event: &Parcel) -> Parcel {
        let Parcel { route, properties, body, .. } = event.clone();
        self.write(exchange, EVENTS, &Original { properties, route, body })
    }

    /// The same again, on its way to the end of the queue.
    pub(crate) fn again(&self, queue: &str, original: &Original) -> Parcel {
        Self { is_copy: true, ..self.clone() }.write("", queue, original)
    }

    fn write(&self, exchange: &str, route: &str, original: &Original) -> Parcel {
        let mut headers = original.headers();
        headers.insert(NOTE.into(), text("event"));
        headers.insert(DUE.into(), AMQPValue::LongLongInt(self.due));
        headers.insert(PLACE.into(), AMQPValue::LongLongInt(self.place));
        headers.insert(NUMBER.into(), AMQPValue::LongLongInt(self.number));
        headers.insert(ROUTE.into(), text(&original.route));
        if self.is_copy {
            headers.insert(COPY.into(), AMQPValue::LongLongInt(1));
        }
        original.with_headers(exchange, route, headers)
    }
}

/// An event whose time has come, for everybody.
pub(crate) fn published(exchange: &str, original: &Original) -> Parcel {
    original.with_headers(exchange, &original.route, original.headers())
}

impl Request {
    pub(crate) fn parcel(&self, exchange: &str) -> Parcel {
        let properties = BasicProperties::default()
            .with_message_id(self.id.as_str().into())
            .with_correlation_id(self.name.as_str().into())
            .with_reply_to(self.answers.as_str().into());
        note((exchange, REQUESTS), properties, ("request", None))
    }

    /// The answer, for the queue it is awaited in.
    pub(crate) fn answer(&self, answer: Answer) -> Parcel {
        Parcel {
            exchange: String::new(),
            route: self.answers.clone(),
            properties: BasicProperties::default().with_correlation_id(self.name.as_str().into()),
            body: answer.text().into(),
        }
    }
}

impl Answer {
    fn text(self) -> &'static str {
        match self {
            Self::TakenBack => "true",
            Self::NotThere => "false",
        }
    }

    /// Reads an answer, and the name of its request.
    pub(crate) fn read(delivery: &Delivery) -> Option<(String, Self)> {
        let name = delivery.properties.correlation_id().as_ref()?.to_string();
        let is = |answer: &Self| answer.text().as_bytes() == delivery.data;
        Some((name, [Self::TakenBack, Self::NotThere].into_iter().find(is)?))
    }
}

impl Stone {
    pub(crate) fn parcel(&self, queue: &str) -> Parcel {
        let properties = BasicProperties::default()
            .with_message_id(self.id.as_str().into())
            .with_correlation_id(self.by.as_str().into());
        note(("", queue), properties, ("stone", Some(self.number)))
    }
}

/// A mark, for the exchange that leads to the queue.
pub(crate) fn mark(exchange: &str, number: i64) -> Parcel {
    note((exchange, REQUESTS), BasicProperties::default(), ("mark", Some(number)))
}

/// What lies in a queue so that it is full.
pub(crate) fn filler(queue: &str) -> Parcel {
    note(("", queue), BasicProperties::default(), ("filler", None))
}

fn note(
    (exchange, route): (&str, &str),
    properties: BasicProperties,
    (what, number): (&str, Option<i64>),
) -> Parcel {
    let mut headers = FieldTable::default();
    headers.insert(NOTE.into(), text(what));
    if let Some(number) = number {
        headers.insert(NUMBER.into(), AMQPValue::LongLongInt(number));
    }
    let properties = properties.with_headers(headers).with_delivery_mode(PERSISTENT);
    let (exchange, route) = (exchange.to_owned(), route.to_owned());
    Parcel { exchange, route, properties, body: bytes::Bytes::new() }
}
