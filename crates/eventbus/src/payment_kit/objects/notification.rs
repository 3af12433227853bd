//! Which notices are sent, and the buttons on them.

use crate::json::JsonMap;
use crate::object::{object, open_enum};

object! {
    /// Which notices the application sends itself.
    pub struct NotificationSetting {
        /// Whether the application sends the notices itself.
        pub self_handle: Option<bool>,
        /// The types of event not to be told of.
        pub exclude_events: Option<Vec<String>>,
        /// The types of event to be told of.
        pub include_events: Option<Vec<String>>,
    }

    /// A button the service adds to notices and pages.
    pub struct ServiceAction {
        /// What the action is.
        pub kind = "type": Option<ServiceActionKind>,
        /// The types of event it is shown for.
        pub trigger_events = "triggerEvents": Option<Vec<String>>,
        /// Its name, for people.
        pub name: Option<String>,
        /// The button's colour.
        pub color: Option<ServiceActionColor>,
        /// The button's shape.
        pub variant: Option<ServiceActionVariant>,
        /// The button's text, by language.
        pub text: Option<JsonMap<String>>,
        /// Where the button leads.
        pub link: Option<String>,
    }
}

open_enum! {
    /// What a service action is.
    pub enum ServiceActionKind {
        Notification = "notification",
        Custom = "custom",
    }

    /// The colour of a service action's button.
    pub enum ServiceActionColor {
        Primary = "primary",
        Secondary = "secondary",
        Success = "success",
        Error = "error",
        Warning = "warning",
    }

    /// The shape of a service action's button.
    pub enum ServiceActionVariant {
        Text = "text",
        Contained = "contained",
        Outlined = "outlined",
    }
}
