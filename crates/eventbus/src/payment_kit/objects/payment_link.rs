//! [`PaymentLink`]: an address at which anybody can buy.

use super::checkout_page::{
    AfterPayment, BillingAddressCollection, ConsentCollection, CrossSellBehavior, CustomField, CustomText,
    CustomerCreation, PhoneNumberCollection, SubmitType,
};
use super::created_via::CreatedVia;
use super::donation::DonationSettings;
use super::line_item::LineItem;
use super::nft::NftMintSettings;
use super::payment_intent::PaymentIntentData;
use super::subscription_data::SubscriptionData;
use crate::json::{Json, JsonMap};
use crate::object::object;

object! {
    /// An address at which anybody can buy.
    pub struct PaymentLink {
        /// The object's id.
        pub id: String,
        /// Whether it can be used for new purchases.
        pub active: Option<bool>,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// Its name, for people.
        pub name: Option<String>,
        /// What is bought.
        pub line_items: Option<Vec<LineItem>>,
        /// The currency it is paid in.
        pub currency_id: Option<String>,
        /// What the customer sees after paying.
        pub after_completion: Option<AfterPayment>,
        /// Whether promotion codes are accepted.
        pub allow_promotion_codes: Option<bool>,
        /// Which consents to ask for.
        pub consent_collection: Option<ConsentCollection>,
        /// What else to ask the customer for.
        pub custom_fields: Option<Vec<CustomField>>,
        /// Texts of the application's own on the page.
        pub custom_text: Option<CustomText>,
        /// When a customer is made of the buyer.
        pub customer_creation: Option<CustomerCreation>,
        /// Whether to make an invoice for a single payment, and of what.
        pub invoice_creation: Option<PaymentLinkInvoiceCreation>,
        /// The kinds of payment method accepted.
        pub payment_method_types: Option<Vec<String>>,
        /// Whether to ask for a phone number.
        pub phone_number_collection: Option<PhoneNumberCollection>,
        /// Whether to ask for the billing address.
        pub billing_address_collection: Option<BillingAddressCollection>,
        /// What the pay button says.
        pub submit_type: Option<SubmitType>,
        /// How to make the subscription.
        pub subscription_data: Option<Box<SubscriptionData>>,
        /// Which NFT the buyer gets.
        pub nft_mint_settings: Option<NftMintSettings>,
        /// Whether the cross-sell must be taken.
        pub cross_sell_behavior: Option<CrossSellBehavior>,
        /// How it takes donations.
        pub donation_settings: Option<Box<DonationSettings>>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// How to make the payment intent.
        pub payment_intent_data: Option<PaymentIntentData>,
        /// Whether each line item may become a subscription of its own.
        pub enable_subscription_grouping: Option<bool>,
        /// A name of the application's own to find it by.
        pub lookup_key: Option<String>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// Where it was made.
        pub created_via: Option<CreatedVia>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// Whether a payment link makes an invoice for a single payment.
    pub struct PaymentLinkInvoiceCreation {
        /// Whether it is switched on.
        pub enabled: Option<bool>,
        /// What the invoice says.
        pub invoice_data: Option<Json>,
    }
}
