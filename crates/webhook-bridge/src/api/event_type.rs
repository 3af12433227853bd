//! The types of event that are known: both catalogues.

use axum::Json;
use schemars::JsonSchema;
use serde::Serialize;

use super::auth::Caller;
use super::delivery::List;
use super::problem::Problem;

/// A type on the wire.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventType")]
pub(super) struct View {
    #[serde(rename = "type")]
    event_type: &'static str,
    source: &'static str,
    /// The model of the object it is about.
    object_type: &'static str,
    description: &'static str,
}

/// `GET /v1/event_types`: others are taken as well.
pub(super) async fn list(_: Caller) -> Result<Json<List<View>>, Problem> {
    let list = eventbus::catalogue().map(|entry| View {
        event_type: entry.event_type,
        source: entry.source,
        object_type: entry.object_type,
        description: entry.description,
    });
    Ok(Json(List { list: list.collect(), next: None }))
}
