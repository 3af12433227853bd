//! The objects Payment Kit's events are about, one file each, and the smaller objects inside them.
//!
//! Fields are the documented ones, in the documented order. Only `id` is required; see [`crate::object`] for why, and
//! for what becomes of fields and words that are not documented. Three things hold everywhere:
//!
//! - amounts are strings: integers in the currency's smallest unit;
//! - times are Unix seconds where they are numbers (milliseconds where the name ends in `_ms`), and ISO-8601 with
//!   milliseconds where they are strings;
//! - numbers that may have decimals are [`Decimal`](crate::json::Decimal)s, which are never rounded.

mod address;
mod checkout_page;
mod checkout_session;
mod checkout_total;
mod coupon;
mod created_via;
mod credit_grant;
mod credit_transaction;
mod customer;
mod discount;
mod donation;
mod invoice;
mod invoice_item;
mod line_item;
mod meter;
mod meter_event;
mod nft;
mod notification;
mod payment_currency;
mod payment_details;
mod payment_error;
mod payment_intent;
mod payment_link;
mod payment_method;
mod payout;
mod price;
mod pricing_table;
mod product;
mod promotion_code;
mod refund;
mod setup_intent;
mod subscription;
mod subscription_data;
mod subscription_item;
mod subscription_schedule;
mod tax_rate;
mod usage_record;
mod vendor;
mod webhook_attempt;
mod webhook_endpoint;

pub use address::{CustomerAddress, CustomerDetail, CustomerShipping};
pub use checkout_page::{
    AfterPayment, AfterPaymentConfirmation, AfterPaymentKind, AfterPaymentRedirect, BillingAddressCollection,
    ConsentCollection, CrossSellBehavior, CustomField, CustomFieldDropdown, CustomFieldKind,
    CustomFieldLength, CustomFieldOption, CustomText, CustomerCreation, PhoneNumberCollection,
    PromotionsCollection, SubmitType, TermsOfServiceCollection,
};
pub use checkout_session::{
    CheckoutSession, CheckoutSessionAfterExpiration, CheckoutSessionConsent, CheckoutSessionCustomerUpdate,
    CheckoutSessionDiscount, CheckoutSessionInvoiceCreation, CheckoutSessionMode,
    CheckoutSessionPaymentStatus, CheckoutSessionRecovery, CheckoutSessionStatus, CustomerUpdate,
    PromotionsConsent, TermsOfServiceConsent,
};
pub use checkout_total::{
    CheckoutSessionTotalBreakdown, CheckoutSessionTotalDetails, CheckoutSessionTotalDiscount,
    CheckoutSessionTotalTax, CurrencyConversion,
};
pub use coupon::{Coupon, CouponAppliesTo, CouponCurrencyOption, CouponDuration};
pub use created_via::CreatedVia;
pub use credit_grant::{
    CreditGrant, CreditGrantApplicabilityConfig, CreditGrantCategory, CreditGrantChainDetail,
    CreditGrantChainRefund, CreditGrantChainStatus, CreditGrantChainStep, CreditGrantScope,
    CreditGrantStatus, CreditGrantVoidedReason,
};
pub use credit_transaction::{CreditTransaction, CreditTransferStatus};
pub use customer::{Customer, CustomerInvoiceSettings, CustomerPreferences};
pub use discount::{Discount, DiscountAmount};
pub use donation::{
    DonationAmount, DonationAppearance, DonationButton, DonationHistory, DonationMessage, DonationSettings,
    PaymentBeneficiary,
};
pub use invoice::{
    CollectionMethod, Invoice, InvoiceBillingReason, InvoiceData, InvoiceStatus, InvoiceStatusTransitions,
    SimpleCustomField,
};
pub use invoice_item::{
    InvoiceItem, InvoiceItemCreditedItems, InvoiceItemPeriod, InvoiceItemProrationDetails,
};
pub use line_item::{AdjustableQuantity, LineItem};
pub use meter::{Meter, MeterAggregationMethod, MeterStatus};
pub use meter_event::{MeterEvent, MeterEventPayload, MeterEventStatus};
pub use nft::{NftMintBehavior, NftMintDetails, NftMintItem, NftMintSettings, NftMintStatus};
pub use notification::{
    NotificationSetting, ServiceAction, ServiceActionColor, ServiceActionKind, ServiceActionVariant,
};
pub use payment_currency::{PaymentCurrency, PaymentCurrencyKind, RechargeConfig, RechargeSettings};
pub use payment_details::{
    ArcblockPaymentDetails, ArcblockStaking, ArcblockTransactionKind, BitcoinPaymentDetails,
    EvmPaymentDetails, EvmTransactionKind, PaymentDetails, PaymentMethodOptions, PaymentMethodPayer,
    PaymentSettings, StripePaymentDetails,
};
pub use payment_error::{PaymentError, PaymentErrorKind};
pub use payment_intent::{
    CaptureMethod, ConfirmationMethod, IntentCancellationReason, IntentStatus, PaymentIntent,
    PaymentIntentAmountDetails, PaymentIntentData,
};
pub use payment_link::{PaymentLink, PaymentLinkInvoiceCreation};
pub use payment_method::{
    PaymentConfirmationKind, PaymentMethod, PaymentMethodConfirmation, PaymentMethodFeatures,
    PaymentMethodKind, PaymentMethodSettings,
};
pub use payout::{Payout, PayoutFailureCode, PayoutStatus, PayoutVendorInfo};
pub use price::{
    AggregateUsage, CustomUnitAmount, Price, PriceBillingScheme, PriceCurrency, PriceDynamicPricingConfig,
    PriceKind, PriceRecurring, PriceTier, PriceTiersMode, PriceUpsell, PricingType, RecurringInterval,
    RoundDirection, TaxBehavior, TransformQuantity, UsageType,
};
pub use pricing_table::PricingTable;
pub use product::{CommissionType, Product, ProductCrossSell, ProductKind, ProductVendorConfig};
pub use promotion_code::{PromotionCode, Restrictions, RestrictionsCurrencyOption};
pub use refund::{Refund, RefundFailureReason, RefundKind, RefundReason, RefundStatus};
pub use setup_intent::{FlowDirection, FutureUsage, SetupIntent};
pub use subscription::{
    CancelationFeedback, CancelationReason, CancelationRefund, CreditSchedulePriceState, PauseBehavior,
    PaymentBehavior, SlippageMode, Subscription, SubscriptionCancelationDetails,
    SubscriptionOverdraftProtection, SubscriptionPauseCollection, SubscriptionPendingUpdate,
    SubscriptionSlippageConfig, SubscriptionStatus,
};
pub use subscription_data::{
    MissingPaymentMethod, ProrationBehavior, SubscriptionBillingThresholds, SubscriptionData,
    TrialEndBehavior, TrialSettings,
};
pub use subscription_item::{SubscriptionItem, SubscriptionItemBillingThresholds};
pub use subscription_schedule::{
    ScheduleBillingCycleAnchor, ScheduleEndBehavior, SubscriptionSchedule, SubscriptionScheduleCurrentPhase,
    SubscriptionScheduleDefaultSettings, SubscriptionScheduleInvoiceSettings, SubscriptionScheduleStatus,
};
pub use tax_rate::TaxRate;
pub use usage_record::UsageRecord;
pub use vendor::{CheckoutSessionVendorInfo, FulfillmentStatus, VendorReturnRequest, VendorReturnStatus};
pub use webhook_attempt::{WebhookAttempt, WebhookAttemptStatus};
pub use webhook_endpoint::{WebhookEndpoint, WebhookEndpointStatus};
