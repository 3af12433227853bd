//! [`LineItems`]: what is bought.

use super::ProductStatus;
use crate::json::Json;
use crate::object::{object, open_enum};

object! {
    /// What is bought.
    pub struct LineItems {
        /// The items, in order.
        pub items: Option<Vec<LineItem>>,
    }

    /// One thing bought, with its quantity.
    pub struct LineItem {
        /// The item's id.
        pub line_item_id = "lineItemId": Option<String>,
        /// Whether it is a product of the catalogue.
        pub item_type = "itemType": Option<ItemType>,
        /// The product.
        pub product_id = "productId": Option<String>,
        /// How many.
        pub quantity: Option<i64>,
        /// The price of one, in micro-USD.
        pub unit_price = "unitPrice": Option<i64>,
        /// The product as it was at the time.
        pub product_data = "productData": Option<LineItemProduct>,
    }

    /// A product as it was when it was bought: less than a [`Product`](super::Product), and with names of its own.
    pub struct LineItemProduct {
        /// The product's name.
        pub product_name = "productName": Option<String>,
        /// What it is.
        pub product_description = "productDescription": Option<String>,
        /// The address of its picture.
        pub image_url = "imageUrl": Option<String>,
        /// Its attributes.
        pub attributes: Option<Json>,
        /// Whether it could be bought.
        pub status: Option<ProductStatus>,
    }
}

open_enum! {
    /// What a line item is.
    pub enum ItemType {
        /// A product of the catalogue.
        Product = "product",
        /// Made for this sale only.
        OneTime = "one_time",
        /// Priced by the payer.
        UserPriced = "user_priced",
    }
}
