//! [`TaxRate`]: a tax of a place.

use crate::json::{Decimal, JsonMap};
use crate::object::object;

object! {
    /// A tax of a place.
    pub struct TaxRate {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// Whether it can be used for new purchases.
        pub active: Option<bool>,
        /// The country.
        pub country: Option<String>,
        /// The state or province.
        pub state: Option<String>,
        /// The postal code.
        pub postal_code: Option<String>,
        /// The tax code.
        pub tax_code: Option<String>,
        /// The rate, in percent.
        pub percentage: Option<Decimal>,
        /// The name on invoices.
        pub display_name: Option<String>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }
}
