//! What is taken although it may not be what was meant.

use eventbus::{Pattern, catalogue};

use crate::model::EnabledEvents;

/// A warning for each type that no catalogue lists, and for each pattern that none of their types matches. Types are open,
/// so these are no errors: an application has its own, and providers send some that they do not list.
pub(super) fn warnings(events: &EnabledEvents) -> Vec<String> {
    let known = |pattern: &Pattern| catalogue().any(|entry| pattern.matches(entry.event_type));
    let unknown = events.patterns().iter().zip(events.texts()).filter(|(pattern, _)| !known(pattern));
    unknown.map(|(_, text)| format!("enabled_events: {text} is in no catalogue")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_catalogue_lists_is_warned_of_and_taken() {
        for (text, warned) in [
            ("checkout.session.completed", false),
            ("customer.*", false),
            ("*", false),
            ("checkout.session.complete", true),
            ("shop.#", true),
        ] {
            let events = EnabledEvents::parse(vec![text.to_owned()]).unwrap();
            assert_eq!(!warnings(&events).is_empty(), warned, "{text}");
        }
    }
}
