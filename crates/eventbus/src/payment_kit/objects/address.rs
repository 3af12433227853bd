//! Postal addresses.

use crate::object::object;

object! {
    /// A postal address.
    pub struct CustomerAddress {
        /// The city.
        pub city: Option<String>,
        /// The country.
        pub country: Option<String>,
        /// The first line: street and number.
        pub line1: Option<String>,
        /// The second line.
        pub line2: Option<String>,
        /// The postal code.
        pub postal_code: Option<String>,
        /// The state or province.
        pub state: Option<String>,
    }

    /// Where goods are sent.
    pub struct CustomerShipping {
        /// The postal address.
        pub address: Option<CustomerAddress>,
        /// The recipient.
        pub name: Option<String>,
        /// The phone number.
        pub phone: Option<String>,
    }

    /// What a customer entered on the payment page.
    pub struct CustomerDetail {
        /// The postal address.
        pub address: Option<CustomerAddress>,
        /// The e-mail address.
        pub email: Option<String>,
        /// The name.
        pub name: Option<String>,
        /// The phone number.
        pub phone: Option<String>,
    }
}
