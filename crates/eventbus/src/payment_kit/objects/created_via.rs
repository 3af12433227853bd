//! [`CreatedVia`]: where an object was made.

use crate::object::open_enum;

open_enum! {
    /// Where an object was made; each object uses some of these.
    pub enum CreatedVia {
        Api = "api",
        Dashboard = "dashboard",
        Portal = "portal",
        Webhook = "webhook",
        Batch = "batch",
        Donation = "donation",
    }
}
