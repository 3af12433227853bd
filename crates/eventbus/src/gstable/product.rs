//! [`Product`]: what is sold.

use crate::json::Json;
use crate::object::{object, open_enum};

object! {
    /// What is sold: `productData` in webhooks.
    pub struct Product {
        /// The product's id, `prd_…` or `prod_…`.
        pub product_id = "productId": String,
        /// Its name.
        pub name: Option<String>,
        /// Whether it can be bought.
        pub status: Option<ProductStatus>,
        /// The prices to choose from, in micro-USD: one to five.
        pub common_prices = "commonPrices": Option<Vec<i64>>,
        /// What it is.
        pub description: Option<String>,
        /// The address of its picture.
        pub image_url = "imageUrl": Option<String>,
        /// When it was created, as text without a zone.
        pub create_at = "createAt": Option<String>,
        /// Its attributes, at most ten.
        pub attributes: Option<Vec<ProductAttribute>>,
    }

    /// An attribute of a product.
    pub struct ProductAttribute {
        /// The attribute's name.
        pub name: Option<String>,
        /// Its value.
        pub value: Option<Json>,
    }
}

open_enum! {
    /// Whether a product can be bought.
    pub enum ProductStatus {
        /// It can.
        Active = "active",
        /// It cannot.
        Archived = "archived",
    }
}
