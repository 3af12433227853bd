//! Events as they are stored, to whoever listens: server-sent events.
//!
//! Nothing is kept for a listener but where it is. Who reads slowly is further behind in the store, and who is too far behind
//! is told how much it missed; so any number of events costs a listener the same memory.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use aide::OperationOutput;
use aide::generate::GenContext;
use aide::openapi::{MediaType, Operation, Response as Documented, SchemaObject};
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use schemars::json_schema;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Api;
use super::auth::Caller;
use super::event;
use super::problem::Problem;
use crate::error::{Error, ErrorKind, Result};
use crate::model::News;

/// How many listen at once.
const LISTENERS: usize = 64;
/// How many events are read at once; who is further behind misses the rest.
const MOST: u32 = 200;
/// How often the store is looked at at most, whatever is stored.
const EVERY: Duration = Duration::from_millis(200);
/// How often a word is sent where there is nothing to say: and it is seen whether the caller may still listen.
const BEAT: Duration = Duration::from_secs(10);

/// Who may listen, and until when.
#[derive(Debug, Clone)]
pub struct Streams {
    room: Arc<Semaphore>,
    stop: CancellationToken,
    /// Rings when a key or a session has ended: it may be that of a listener.
    ended: Arc<watch::Sender<()>>,
}

impl Streams {
    /// Streams that end when this is done.
    pub fn new(stop: CancellationToken) -> Self {
        Self { room: Arc::new(Semaphore::new(LISTENERS)), stop, ended: Arc::default() }
    }

    /// Ends the streams of those that may not listen any more.
    pub(super) fn look_again(&self) {
        self.ended.send_replace(());
    }
}

/// Where a listener is.
struct Listener {
    api: Api,
    caller: Caller,
    commits: watch::Receiver<()>,
    /// The number of the last event that it was sent or that it missed.
    last: u64,
    /// When the store was looked at last; none before the first word.
    looked: Option<Instant>,
    ended: watch::Receiver<()>,
    /// When it was known last that the caller may listen.
    known: Instant,
    _place: OwnedSemaphorePermit,
}

/// What a listener gets.
pub(super) struct EventStream(Body);

/// `GET /v1/events/stream`: from now on, or from after the `Last-Event-ID` that a browser sends when it comes again.
pub(super) async fn stream(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<EventStream, Problem> {
    let full = |_| Error::new(ErrorKind::Conflict, "as many listen already as may");
    let place = Arc::clone(&api.streams.room).try_acquire_owned().map_err(full)?;
    let (commits, mut ended) = (api.store.hints().commits(), api.streams.ended.subscribe());
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse::<i64>().ok());
    let last = match last.and_then(|no| u64::try_from(no).ok()) {
        Some(last) => last,
        None => api.store.news(caller.mode, None, MOST).await?.last,
    };
    // It may have ended since it was asked who calls.
    ended.mark_changed();
    let known = Instant::now();
    let listener = Listener { api, caller, commits, last, looked: None, ended, known, _place: place };
    let stop = listener.api.streams.stop.clone();
    let frames = stream::unfold(listener, move |mut listener| {
        let stop = stop.clone();
        async move {
            let frame = stop.run_until_cancelled(listener.next()).await??;
            Some((Ok::<_, Infallible>(Bytes::from(frame)), listener))
        }
    });
    Ok(EventStream(Body::from_stream(frames)))
}

impl Listener {
    /// What is to be said next; `None` when there is nobody to say it to any more. What a store cannot tell at present ends
    /// the stream, and its listener comes again.
    async fn next(&mut self) -> Option<String> {
        let Some(mut looked) = self.looked else {
            self.looked = Some(Instant::now());
            return Some("event: ready\ndata: {}\n\n".to_owned());
        };
        loop {
            let beat = self.known + BEAT;
            let changed = tokio::select! {
                ended = self.ended.changed() => {
                    ended.ok()?;
                    self.allowed().await?;
                    continue;
                }
                changed = timeout_at(beat, self.commits.changed()) => changed,
            };
            // Also where something comes all the time: a key may have run out.
            if Instant::now() >= beat {
                self.allowed().await?;
            }
            match changed {
                Ok(changed) => changed.ok()?,
                Err(_) => return Some(": \n\n".to_owned()),
            }
            sleep_until(looked + EVERY).await;
            self.commits.borrow_and_update();
            let news = self.api.store.news(self.caller.mode, Some(self.last), MOST).await.ok()?;
            looked = Instant::now();
            self.looked = Some(looked);
            // Nothing that was stored after a key was deleted is for whoever had it.
            if self.ended.has_changed().ok()? {
                self.allowed().await?;
            }
            if let Some(frames) = self.frames(news) {
                return Some(frames);
            }
        }
    }

    /// `None` when the caller may not listen any more.
    async fn allowed(&mut self) -> Option<()> {
        self.ended.mark_unchanged();
        self.caller.key(&self.api).await.ok()??;
        self.known = Instant::now();
        Some(())
    }

    fn frames(&mut self, news: News) -> Option<String> {
        self.last = news.last;
        let mut text = String::new();
        if news.missed > 0 {
            // Writing to a string does not fail.
            let _ =
                write!(text, "event: missed\ndata: {{\"count\":{},\"more\":{}}}\n\n", news.missed, news.more);
        }
        for event in news.events {
            let no = event.no;
            let view = serde_json::to_string(&event::view(self.caller.mode, event)).ok()?;
            let _ = write!(text, "id: {no}\nevent: event\ndata: {view}\n\n");
        }
        (!text.is_empty()).then_some(text)
    }
}

impl IntoResponse for EventStream {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")], self.0).into_response()
    }
}

impl OperationOutput for EventStream {
    type Inner = Self;

    fn inferred_responses(_: &mut GenContext, _: &mut Operation) -> Vec<(Option<u16>, Documented)> {
        let json_schema = json_schema!({ "type": "string" });
        let schema = Some(SchemaObject { json_schema, example: None, external_docs: None });
        let media = MediaType { schema, ..MediaType::default() };
        let description = "Server-sent events: `ready`; `event` with an event as its data; `missed` with how many were \
                           stored faster than they were read, `count`, or `more`.";
        let content = [("text/event-stream".to_owned(), media)].into_iter().collect();
        vec![(
            Some(200),
            Documented { description: description.to_owned(), content, ..Documented::default() },
        )]
    }
}
