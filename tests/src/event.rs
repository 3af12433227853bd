//! What the included sources find under `crate::event`, and events for the models.

use serde::Deserialize;

pub(crate) use eventbus::{AnyEvent, EventType, Filter, Key, Pattern, Source, Timestamp};

/// What the models' events are about: the `number`th event of a key.
#[derive(Deserialize)]
pub(crate) struct Step {
    pub(crate) number: u32,
}

/// The `number`th event of a key; its id tells both, and nothing in it is random.
pub(crate) fn step(key: &str, number: u32) -> AnyEvent {
    of_type("model.step", key, number)
}

/// The same of another type.
pub(crate) fn of_type(event_type: &str, key: &str, number: u32) -> AnyEvent {
    let body = format!(
        r#"{{"id":"{key}{number}","type":"{event_type}","source":"model","livemode":false,"object_id":"{key}",
            "data":{{"object":{{"number":{number}}}}},"created_at":"2026-01-01T00:00:00.000Z"}}"#
    );
    AnyEvent::from_json(body).expect("a good event")
}
