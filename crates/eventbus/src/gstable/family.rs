//! [`Family`]: a kind of resource has three spellings, none of which follows from another; hence a table.

/// A kind of resource, in each of its spellings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Family {
    /// What its event types begin with, with the last dot: `payment.link.`.
    pub prefix: &'static str,
    /// The envelope's `businessType`: `payment_link`.
    pub business_type: &'static str,
    /// The resource's name in the envelope's `payload`: `linkData`.
    pub payload_key: &'static str,
    /// The model of the resource: `PaymentLink`.
    pub object_type: &'static str,
    /// The name of the resource's id: `linkId`.
    pub id_field: &'static str,
}

/// Every family that is documented.
pub const FAMILIES: &[Family] = &[
    Family::new(["session.", "session", "sessionData", "Session", "sessionId"]),
    Family::new(["payment.link.", "payment_link", "linkData", "PaymentLink", "linkId"]),
    Family::new(["product.", "product", "productData", "Product", "productId"]),
    Family::new(["account.", "account", "accountData", "Account", "accountId"]),
];

impl Family {
    const fn new([prefix, business_type, payload_key, object_type, id_field]: [&'static str; 5]) -> Self {
        Self { prefix, business_type, payload_key, object_type, id_field }
    }

    /// The family of an event type.
    pub fn of_type(event_type: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| event_type.starts_with(family.prefix))
    }

    /// The family of an envelope's `businessType`.
    pub fn of_business(business_type: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| business_type == family.business_type)
    }

    /// The family of a resource's name in the payload.
    pub fn of_payload(key: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| key == family.payload_key)
    }
}
