//! [`Product`]: what is sold.

use super::created_via::CreatedVia;
use crate::json::{Decimal, Json, JsonMap};
use crate::object::{object, open_enum};

object! {
    /// What is sold.
    pub struct Product {
        /// The object's id.
        pub id: String,
        /// Whether it can be used for new purchases.
        pub active: Option<bool>,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// Whether it can no longer be changed.
        pub locked: Option<bool>,
        /// What is sold.
        pub kind = "type": Option<ProductKind>,
        /// Its name, for people.
        pub name: Option<String>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// The addresses of its pictures.
        pub images: Option<Vec<Json>>,
        /// What it offers; the shape is not documented.
        pub features: Option<Vec<Json>>,
        /// What one of it is called.
        pub unit_label: Option<String>,
        /// The price used unless another is named.
        pub default_price_id: Option<String>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// The text on the customer's statement.
        pub statement_descriptor: Option<String>,
        /// The factory of the NFT it comes with.
        pub nft_factory: Option<String>,
        /// The tax code.
        pub tax_code: Option<String>,
        /// The product to offer with it.
        pub cross_sell: Option<ProductCrossSell>,
        /// The vendors who deliver it.
        pub vendor_config: Option<Vec<ProductVendorConfig>>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// Where it was made.
        pub created_via: Option<CreatedVia>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// The product to offer with another.
    pub struct ProductCrossSell {
        /// The product to offer.
        pub cross_sells_to_id: Option<String>,
    }

    /// A vendor who delivers a product.
    pub struct ProductVendorConfig {
        /// The vendor's id.
        pub vendor_id: Option<String>,
        /// The vendor's key.
        pub vendor_key: Option<String>,
        /// What kind of vendor it is.
        pub vendor_type: Option<String>,
        /// The vendor's name.
        pub name: Option<String>,
        /// What the vendor does.
        pub description: Option<String>,
        /// The vendor's share, in percent.
        pub commission_rate: Option<Decimal>,
        /// What the share is counted in.
        pub commission_type: Option<CommissionType>,
        /// The vendor's fixed share, in the currency's smallest unit.
        pub amount: Option<String>,
        /// The share worked out, in the currency's smallest unit.
        pub commission_amount = "commissionAmount": Option<String>,
        /// What the vendor needs to know.
        pub custom_params: Option<JsonMap>,
    }
}

open_enum! {
    /// What kind of thing is sold.
    pub enum ProductKind {
        Service = "service",
        Good = "good",
        Credit = "credit",
    }

    /// What a vendor's share is counted in.
    pub enum CommissionType {
        Percentage = "percentage",
        FixedAmount = "fixed_amount",
    }
}
