//! [`PricingTable`]: prices side by side.

use super::created_via::CreatedVia;
use crate::json::{Json, JsonMap};
use crate::object::object;

object! {
    /// Prices set side by side on a page.
    pub struct PricingTable {
        /// The object's id.
        pub id: String,
        /// Whether it is shown.
        pub active: Option<bool>,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// Whether it can no longer be changed.
        pub locked: Option<bool>,
        /// Its name, for people.
        pub name: Option<String>,
        /// What it shows; the shape is not documented.
        pub items: Option<Vec<Json>>,
        /// How it looks; the shape is not documented.
        pub branding_settings: Option<Json>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// Where it was made.
        pub created_via: Option<CreatedVia>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }
}
