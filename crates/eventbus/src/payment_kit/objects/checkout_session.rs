//! [`CheckoutSession`]: one purchase.

use super::address::CustomerDetail;
use super::checkout_page::{
    BillingAddressCollection, ConsentCollection, CrossSellBehavior, CustomField, CustomText,
    CustomerCreation, PhoneNumberCollection, SubmitType,
};
use super::checkout_total::{CheckoutSessionTotalDetails, CurrencyConversion};
use super::created_via::CreatedVia;
use super::invoice::InvoiceData;
use super::line_item::LineItem;
use super::nft::{NftMintDetails, NftMintSettings, NftMintStatus};
use super::payment_details::PaymentDetails;
use super::payment_intent::PaymentIntentData;
use super::subscription_data::SubscriptionData;
use super::vendor::{CheckoutSessionVendorInfo, FulfillmentStatus};
use crate::json::{Decimal, JsonMap};
use crate::object::{object, open_enum};

object! {
    /// One purchase, from opening the payment page to payment or expiry.
    pub struct CheckoutSession {
        /// The object's id.
        pub id: String,
        /// Whether it is about real money.
        pub livemode: Option<bool>,
        /// The application's own id for the purchase.
        pub client_reference_id: Option<String>,
        /// The currency of all its amounts.
        pub currency_id: Option<String>,
        /// The invoice the session made.
        pub invoice_id: Option<String>,
        /// The customer who buys.
        pub customer_id: Option<String>,
        /// The DID of the customer who buys.
        pub customer_did: Option<String>,
        /// The payment link it comes from.
        pub payment_link_id: Option<String>,
        /// The subscription the session made.
        pub subscription_id: Option<String>,
        /// Whether each line item may become a subscription of its own.
        pub enable_subscription_grouping: Option<bool>,
        /// The subscriptions made per price, when line items are grouped.
        pub subscription_groups: Option<JsonMap<String>>,
        /// How many subscriptions have been made so far.
        pub success_subscription_count: Option<i64>,
        /// The expired session this one continues.
        pub recovered_from: Option<String>,
        /// The payment intent of the session.
        pub payment_intent_id: Option<String>,
        /// The setup intent that stored the payment method.
        pub setup_intent_id: Option<String>,
        /// What the session is for.
        pub mode: Option<CheckoutSessionMode>,
        /// Where it stands.
        pub status: Option<CheckoutSessionStatus>,
        /// Whether it is paid; independent of `status`.
        pub payment_status: Option<CheckoutSessionPaymentStatus>,
        /// What is bought.
        pub line_items: Option<Vec<LineItem>>,
        /// The sum of the line items, in the currency's smallest unit.
        pub amount_subtotal: Option<String>,
        /// What is to be paid, in the currency's smallest unit.
        pub amount_total: Option<String>,
        /// How far a dynamic price may move, in percent.
        pub slippage_percent: Option<Decimal>,
        /// What makes the difference between subtotal and total.
        pub total_details: Option<CheckoutSessionTotalDetails>,
        /// The address of the payment page.
        pub url: Option<String>,
        /// Where the customer goes on giving up.
        pub cancel_url: Option<String>,
        /// Where the customer goes after paying.
        pub success_url: Option<String>,
        /// The amounts before conversion into the currency paid in.
        pub currency_conversion: Option<CurrencyConversion>,
        /// What the customer entered.
        pub customer_details: Option<CustomerDetail>,
        /// When a customer is made of the buyer.
        pub customer_creation: Option<CustomerCreation>,
        /// What of the customer's record the session may change.
        pub customer_update: Option<CheckoutSessionCustomerUpdate>,
        /// What happens when the session expires.
        pub after_expiration: Option<CheckoutSessionAfterExpiration>,
        /// Whether promotion codes are accepted.
        pub allow_promotion_codes: Option<bool>,
        /// Which consents to ask for.
        pub consent_collection: Option<ConsentCollection>,
        /// The consents given.
        pub consent: Option<CheckoutSessionConsent>,
        /// What else to ask the customer for.
        pub custom_fields: Option<Vec<CustomField>>,
        /// Texts of the application's own on the page.
        pub custom_text: Option<CustomText>,
        /// When the session expires, in Unix seconds.
        pub expires_at: Option<i64>,
        /// Whether to make an invoice for a single payment, and of what.
        pub invoice_creation: Option<CheckoutSessionInvoiceCreation>,
        /// The kinds of payment method accepted.
        pub payment_method_types: Option<Vec<String>>,
        /// Whether to ask for a phone number.
        pub phone_number_collection: Option<PhoneNumberCollection>,
        /// What the pay button says.
        pub submit_type: Option<SubmitType>,
        /// What the application attached.
        pub metadata: Option<JsonMap>,
        /// Whether to ask for the billing address.
        pub billing_address_collection: Option<BillingAddressCollection>,
        /// How to make the subscription.
        pub subscription_data: Option<Box<SubscriptionData>>,
        /// What each payment channel recorded about the payment.
        pub payment_details: Option<Box<PaymentDetails>>,
        /// How to make the payment intent.
        pub payment_intent_data: Option<PaymentIntentData>,
        /// How far the buyer's NFT is.
        pub nft_mint_status: Option<NftMintStatus>,
        /// Which NFT the buyer gets.
        pub nft_mint_settings: Option<NftMintSettings>,
        /// The NFT that was made.
        pub nft_mint_details: Option<Box<NftMintDetails>>,
        /// Whether the cross-sell must be taken.
        pub cross_sell_behavior: Option<CrossSellBehavior>,
        /// The discounts applied.
        pub discounts: Option<Vec<CheckoutSessionDiscount>>,
        /// How far vendors are with delivering.
        pub fulfillment_status: Option<FulfillmentStatus>,
        /// The vendors' orders.
        pub vendor_info: Option<Vec<CheckoutSessionVendorInfo>>,
        /// When the object was made, ISO-8601 with milliseconds.
        pub created_at: Option<String>,
        /// Where it was made.
        pub created_via: Option<CreatedVia>,
        /// When the object last changed, ISO-8601 with milliseconds.
        pub updated_at: Option<String>,
    }

    /// A discount applied in a session.
    pub struct CheckoutSessionDiscount {
        /// The coupon's id.
        pub coupon: Option<String>,
        /// The promotion code's id.
        pub promotion_code: Option<String>,
        /// What it takes off, in the currency's smallest unit.
        pub discount_amount: Option<String>,
        /// How the customer's right to it was checked.
        pub verification_method: Option<String>,
        /// What the check was made on.
        pub verification_data: Option<JsonMap>,
    }

    /// The consents given in a session.
    pub struct CheckoutSessionConsent {
        /// The choice about promotional messages.
        pub promotions: Option<PromotionsConsent>,
        /// The choice about the terms of service.
        pub terms_of_service: Option<TermsOfServiceConsent>,
    }

    /// What of the customer's record a session may change.
    pub struct CheckoutSessionCustomerUpdate {
        /// Whether the address is saved.
        pub address: Option<CustomerUpdate>,
        /// Whether the name is saved.
        pub name: Option<CustomerUpdate>,
        /// Whether the shipping address is saved.
        pub shipping: Option<CustomerUpdate>,
    }

    /// What happens when a session expires.
    pub struct CheckoutSessionAfterExpiration {
        /// Whether the purchase can be taken up again.
        pub recovery: Option<CheckoutSessionRecovery>,
    }

    /// Whether an expired purchase can be taken up again.
    pub struct CheckoutSessionRecovery {
        /// Whether it is switched on.
        pub enabled: Option<bool>,
        /// Whether promotion codes are accepted.
        pub allow_promotion_codes: Option<bool>,
    }

    /// Whether a session makes an invoice for a single payment.
    pub struct CheckoutSessionInvoiceCreation {
        /// Whether it is switched on.
        pub enabled: Option<bool>,
        /// What the invoice says.
        pub invoice_data: Option<InvoiceData>,
    }
}

open_enum! {
    /// What a checkout session is for.
    pub enum CheckoutSessionMode {
        Payment = "payment",
        Setup = "setup",
        Subscription = "subscription",
    }

    /// Where a checkout session stands.
    pub enum CheckoutSessionStatus {
        Complete = "complete",
        Open = "open",
        Expired = "expired",
    }

    /// Whether a checkout session is paid.
    pub enum CheckoutSessionPaymentStatus {
        Paid = "paid",
        Unpaid = "unpaid",
        NoPaymentRequired = "no_payment_required",
    }

    /// Whether a part of the customer's record may be changed.
    pub enum CustomerUpdate {
        Auto = "auto",
        Never = "never",
    }

    /// The consent to promotional messages.
    pub enum PromotionsConsent {
        OptIn = "opt_in",
    }

    /// The consent to the terms of service.
    pub enum TermsOfServiceConsent {
        Accepted = "accepted",
    }
}
