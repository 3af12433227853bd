//! A webhook as the argument of an axum handler.

use axum::extract::{FromRef, FromRequest, OriginalUri, Request};
use axum::response::{IntoResponse as _, Response};
use eventbus::{AnyEvent, FromEvent, Timestamp};
use http::StatusCode;
use http::request::Parts;

use super::body;
use super::refused::Refused;
use super::source::Source;
use crate::error::Error;
use crate::signing::Arrival;

/// A webhook of the [`Source`] in the router's state, verified, as an event of one type, of a catalogue, or any.
///
/// What is not believed never reaches the handler. An event that is verified and not of the handler's type is answered 204, so
/// that its provider does not send it again. An event may come twice, with the same id: answer 2xx when it is kept, and not
/// before.
#[derive(Debug, Clone)]
pub struct Webhook<E = AnyEvent>(pub E);

impl<S, E> FromRequest<S> for Webhook<E>
where
    S: Send + Sync,
    E: FromEvent,
    Source: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let source = Source::from_ref(state);
        let event = arrive(&source, request).await.map_err(|refused| {
            refused.note(source.name());
            refused.into_response()
        })?;
        let wanted = |event: &AnyEvent| {
            let (source, kind) = (event.source().as_str(), event.event_type().as_str());
            E::filters().iter().any(|filter| filter.matches(source, kind))
        };
        if !wanted(&event) {
            return Err(StatusCode::NO_CONTENT.into_response());
        }
        E::from_event(event).map(Self).map_err(|error| Refused::Event(Error::from(error)).into_response())
    }
}

/// Reads and verifies a request.
pub(super) async fn arrive(source: &Source, request: Request) -> Result<AnyEvent, Refused> {
    let (parts, body) = request.into_parts();
    let body = body::read(&parts.headers, body, source.max_bytes()).await?;
    let uri = original(&parts);
    source.verify(&Arrival {
        method: &parts.method,
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        headers: &parts.headers,
        body: &body,
        now: Timestamp::now(),
    })
}

/// The path as on the wire: routers that are nested see less of it.
fn original(parts: &Parts) -> &http::Uri {
    parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(uri)| uri)
}
