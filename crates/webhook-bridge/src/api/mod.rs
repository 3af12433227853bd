//! The HTTP API: every route on one screen, what is behind each in the file of its noun.

mod attempt;
mod auth;
mod body;
mod delivery;
mod document;
mod endpoint;
mod event;
mod event_type;
mod explain;
mod group;
mod gstable;
mod health;
mod key;
mod meter;
mod payment_kit;
mod problem;
mod publish;
mod recovery;
mod reply;
mod request;
mod secret;
pub mod server;
mod session;
mod statistics;
mod stream;
mod tag;
mod warning;
mod wish;

use std::ops::Deref;
use std::sync::Arc;

use aide::axum::routing::{delete_with, get_with, post_with};
use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::middleware;
use axum::routing::{get, post};
use eventbus::EventBus;

use self::document::{Documented, about};
use self::problem::Problem;
pub use self::stream::Streams;
use crate::dashboard::{self, Access, Dashboard};
use crate::dispatcher::Sender;
use crate::error::{Error, ErrorKind};
use crate::ingress::{self, Ingress};
use crate::metrics::Metrics;
use crate::signing::AppKey;
use crate::store::Store;
use crate::vault::Vault;
use crate::watch::Watch;

pub use gstable::{GstableConfig, WhileInactive};

/// The largest body of a request.
const BODY: usize = 256 * 1024;

/// What requests need; cheap to clone, since each request takes several.
#[derive(Debug, Clone)]
pub struct Api(Arc<Parts>);

/// What an [`Api`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where everything is.
    pub store: Arc<dyn Store>,
    /// Whose guard judges URLs.
    pub sender: Arc<Sender>,
    /// Where secrets are sealed.
    pub vault: Arc<Vault>,
    /// Whose components may call Payment Kit's API.
    pub app_key: Option<Arc<AppKey>>,
    /// How GStable's API is here.
    pub gstable: Arc<GstableConfig>,
    /// How the bridge is doing.
    pub watch: Arc<Watch>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whose webhooks are taken.
    pub ingress: Arc<Ingress>,
    /// Who is signed in.
    pub dashboard: Arc<Dashboard>,
    /// The bus, whose groups are shown.
    pub bus: EventBus,
    /// Who listens to events.
    pub streams: Streams,
}

impl Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl FromRef<Api> for Arc<Ingress> {
    fn from_ref(api: &Api) -> Self {
        Self::clone(&api.ingress)
    }
}

/// The native API. Each route is in its document too, because both are made here.
fn v1() -> Documented {
    access(groups(deliveries(endpoints(events(Documented::new())))))
}

fn events(routes: Documented) -> Documented {
    routes
        .at(
            "/v1/events",
            post_with(publish::publish, about("Publish an event"))
                .get_with(event::list, about("List events")),
        )
        .at("/v1/events/stream", get_with(stream::stream, about("Listen to events as they are stored")))
        .at("/v1/event_types", get_with(event_type::list, about("List the types of both catalogues")))
        .at("/v1/events/batch", post_with(publish::batch, about("Publish events, all or none")))
        .at("/v1/events/{id}", get_with(event::retrieve, about("Retrieve an event")))
        .at("/v1/events/{id}/body", get_with(event::body, about("Retrieve the bytes of an event")))
        .at("/v1/events/{id}/deliveries", get_with(event::deliveries, about("List what is owed of an event")))
        .at(
            "/v1/events/{id}/explain",
            get_with(explain::explain, about("Why an endpoint got an event, or not")),
        )
}

fn endpoints(routes: Documented) -> Documented {
    routes
        .at(
            "/v1/endpoints",
            post_with(endpoint::create, about("Create an endpoint"))
                .get_with(endpoint::list, about("List endpoints")),
        )
        .at(
            "/v1/endpoints/{id}",
            get_with(endpoint::retrieve, about("Retrieve an endpoint"))
                .patch_with(endpoint::update, about("Update an endpoint"))
                .delete_with(endpoint::delete, about("Delete an endpoint")),
        )
        .at(
            "/v1/endpoints/{id}/statistics",
            get_with(statistics::statistics, about("How it did over time, by its newest attempts")),
        )
        .at("/v1/endpoints/{id}/pause", post_with(endpoint::pause, about("Let what it is owed gather")))
        .at("/v1/endpoints/{id}/resume", post_with(endpoint::resume, about("Send what gathered")))
        .at("/v1/endpoints/{id}/enable", post_with(recovery::enable, about("Enable it, with what it missed")))
        .at("/v1/endpoints/{id}/rotate_secret", post_with(secret::rotate, about("Give it a new secret")))
        .at(
            "/v1/endpoints/{id}/secrets",
            get_with(secret::list, about("List its secrets, without their texts")),
        )
        .at("/v1/endpoints/{id}/test", post_with(recovery::test, about("Send a test event to it alone")))
        .at("/v1/endpoints/{id}/recover", post_with(recovery::recover, about("Try again what was given up")))
        .at(
            "/v1/endpoints/{id}/replay",
            post_with(recovery::replay, about("Send what it was not owed when it came")),
        )
}

fn deliveries(routes: Documented) -> Documented {
    routes
        .at("/v1/deliveries", get_with(delivery::list, about("List deliveries")))
        .at("/v1/deliveries/{id}", get_with(delivery::retrieve, about("Retrieve a delivery")))
        .at("/v1/deliveries/{id}/attempts", get_with(attempt::of_delivery, about("List its attempts")))
        .at(
            "/v1/deliveries/{id}/resend",
            post_with(delivery::resend, about("Attempt it now, however it ended")),
        )
        .at(
            "/v1/deliveries/{id}/release",
            post_with(delivery::release, about("Attempt it now that was parked")),
        )
        .at("/v1/deliveries/{id}/request", get_with(request::request, about("What an attempt of it sent")))
        .at("/v1/attempts", get_with(attempt::list, about("List attempts at an endpoint")))
}

fn groups(routes: Documented) -> Documented {
    routes
        .at(
            "/v1/groups",
            get_with(group::list, about("List the bridge's own groups of the bus, with their lag")),
        )
        .at("/v1/groups/{id}", get_with(group::retrieve, about("How far any group of the bus is behind")))
        .at("/v1/groups/{id}/dead_letters", get_with(group::dead_letters, about("List what a group gave up")))
        .at(
            "/v1/groups/{id}/redrive",
            post_with(group::redrive, about("Hand dead letters out to the group again")),
        )
        .at("/v1/groups/{id}/purge", post_with(group::purge, about("Remove dead letters for good")))
}

fn access(routes: Documented) -> Documented {
    routes
        .at(
            "/v1/api_keys",
            post_with(key::create, about("Create an API key")).get_with(key::list, about("List API keys")),
        )
        .at("/v1/api_keys/{id}", delete_with(key::delete, about("Delete an API key")))
        .at(
            "/v1/session",
            post_with(session::create, about("Sign a browser in to the dashboard"))
                .get_with(session::retrieve, about("Whose key it is"))
                .delete_with(session::delete, about("Sign the browser out")),
        )
}

/// All routes.
pub fn router(parts: Parts) -> Router {
    let api = Api(Arc::new(parts));
    let pages = if api.dashboard.access == Access::Off { Router::new() } else { dashboard::routes() };
    v1().finish()
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(meter::metrics))
        .merge(payment_kit::routes())
        .merge(gstable::routes(&api.gstable))
        .route(ingress::PATH, post(ingress::receive))
        .merge(pages)
        .fallback(|| async { Problem::from(Error::new(ErrorKind::NotFound, "there is no such route")) })
        .method_not_allowed_fallback(problem::wrong_method)
        .layer(middleware::from_fn_with_state(api.clone(), meter::count))
        .layer(DefaultBodyLimit::max(BODY))
        .with_state(api)
}
