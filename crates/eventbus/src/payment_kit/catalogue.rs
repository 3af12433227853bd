//! Payment Kit's event types: the 214 of its published list, and seven that its guides and code name beyond it.
//!
//! The rows are the whole truth: marker, enum variant, listing and documentation come from them. To add a type, add a
//! row. The list is open, so [`PaymentEvent::Other`] carries any type that is not in it.

use super::objects::{
    CheckoutSession, Coupon, CreditGrant, CreditTransaction, Customer, Discount, Invoice, InvoiceItem,
    PaymentIntent, PaymentLink, PaymentMethod, Payout, Price, Product, PromotionCode, Refund, SetupIntent,
    Subscription, SubscriptionSchedule, TaxRate,
};
use crate::catalogue::rows;
use crate::json::JsonMap;

rows! {
    /// Any event of Payment Kit, typed: one `match` over the whole catalogue.
    pub enum PaymentEvent: super::SOURCE, "2023-09-05";

    /// A seller authorised an application to use the account.
    AccountApplicationAuthorized("account.application.authorized"): JsonMap as Application;
    /// A seller withdrew an application's access to the account.
    AccountApplicationDeauthorized("account.application.deauthorized"): JsonMap as Application;
    /// A bank account or card to pay out to was added.
    AccountExternalAccountCreated("account.external_account.created"): JsonMap as ExternalAccount;
    /// A bank account or card to pay out to was removed.
    AccountExternalAccountDeleted("account.external_account.deleted"): JsonMap as ExternalAccount;
    /// A bank account or card to pay out to was changed.
    AccountExternalAccountUpdated("account.external_account.updated"): JsonMap as ExternalAccount;
    /// The seller's account was changed.
    AccountUpdated("account.updated"): JsonMap as Account;
    /// An application took its fee from a charge.
    ApplicationFeeCreated("application_fee.created"): JsonMap as ApplicationFee;
    /// The refund of an application's fee was changed.
    ApplicationFeeRefundUpdated("application_fee.refund.updated"): JsonMap as FeeRefund;
    /// An application gave its fee back, in full or in part.
    ApplicationFeeRefunded("application_fee.refunded"): JsonMap as ApplicationFee;
    /// Money that was pending became available for payouts.
    BalanceAvailable("balance.available"): JsonMap as Balance;
    /// What was billed and what was used do not agree.
    BillingDiscrepancy("billing.discrepancy"): JsonMap as BillingDiscrepancy;
    /// A set-up of the billing portal was made.
    BillingPortalConfigurationCreated("billing_portal.configuration.created"): JsonMap as BillingPortalConfiguration;
    /// A set-up of the billing portal was changed.
    BillingPortalConfigurationUpdated("billing_portal.configuration.updated"): JsonMap as BillingPortalConfiguration;
    /// A customer opened the billing portal.
    BillingPortalSessionCreated("billing_portal.session.created"): JsonMap as BillingPortalSession;
    /// What an account is allowed to do was changed.
    CapabilityUpdated("capability.updated"): JsonMap as Capability;
    /// A customer's cash balance can be used for payments.
    CashBalanceFundsAvailable("cash_balance.funds_available"): JsonMap as CashBalance;
    /// The money held by a charge was taken.
    ChargeCaptured("charge.captured"): JsonMap as Charge;
    /// A dispute over a charge ended: won, lost or withdrawn.
    ChargeDisputeClosed("charge.dispute.closed"): JsonMap as Dispute;
    /// A customer disputed a charge with the bank.
    ChargeDisputeCreated("charge.dispute.created"): JsonMap as Dispute;
    /// The money of a disputed charge was given back to the seller.
    ChargeDisputeFundsReinstated("charge.dispute.funds_reinstated"): JsonMap as Dispute;
    /// The money of a disputed charge was taken from the seller.
    ChargeDisputeFundsWithdrawn("charge.dispute.funds_withdrawn"): JsonMap as Dispute;
    /// A dispute over a charge was changed, for instance by new evidence.
    ChargeDisputeUpdated("charge.dispute.updated"): JsonMap as Dispute;
    /// A charge was not captured in time and lapsed.
    ChargeExpired("charge.expired"): JsonMap as Charge;
    /// A charge failed.
    ChargeFailed("charge.failed"): JsonMap as Charge;
    /// A charge was made and waits for the money.
    ChargePending("charge.pending"): JsonMap as Charge;
    /// The refund of a charge was changed.
    ChargeRefundUpdated("charge.refund.updated"): Refund;
    /// A charge was given back, in full or in part.
    ChargeRefunded("charge.refunded"): JsonMap as Charge;
    /// A charge went through.
    ChargeSucceeded("charge.succeeded"): JsonMap as Charge;
    /// The description or metadata of a charge was changed.
    ChargeUpdated("charge.updated"): JsonMap as Charge;
    /// The payment of a checkout session that takes time failed in the end.
    CheckoutSessionAsyncPaymentFailed("checkout.session.async_payment_failed"): CheckoutSession;
    /// The payment of a checkout session that takes time succeeded in the end.
    CheckoutSessionAsyncPaymentSucceeded("checkout.session.async_payment_succeeded"): CheckoutSession;
    /// The customer finished a checkout session.
    CheckoutSessionCompleted("checkout.session.completed"): CheckoutSession;
    /// A checkout session was opened.
    CheckoutSessionCreated("checkout.session.created"): CheckoutSession;
    /// A checkout session ran out of time.
    CheckoutSessionExpired("checkout.session.expired"): CheckoutSession;
    /// The NFT of a purchase was made for the buyer.
    CheckoutSessionNftMinted("checkout.session.nft_minted"): CheckoutSession;
    /// A coupon was made.
    CouponCreated("coupon.created"): Coupon;
    /// A coupon was deleted; it can no longer be redeemed.
    CouponDeleted("coupon.deleted"): Coupon;
    /// A coupon was changed.
    CouponUpdated("coupon.updated"): Coupon;
    /// A credit note lowered an invoice.
    CreditNoteCreated("credit_note.created"): JsonMap as CreditNote;
    /// A credit note was changed.
    CreditNoteUpdated("credit_note.updated"): JsonMap as CreditNote;
    /// A credit note was taken back.
    CreditNoteVoided("credit_note.voided"): JsonMap as CreditNote;
    /// A customer was made.
    CustomerCreated("customer.created"): Customer;
    /// A customer's credit did not cover reported usage.
    CustomerCreditInsufficient("customer.credit.insufficient"): JsonMap as Customer;
    /// A customer's credit is nearly used up.
    CustomerCreditLowBalance("customer.credit.low_balance"): JsonMap as Customer;
    /// Credit of a grant was used.
    CustomerCreditGrantConsumed("customer.credit_grant.consumed"): CreditGrant, Guides;
    /// A grant of credit was used up.
    CustomerCreditGrantDepleted("customer.credit_grant.depleted"): CreditGrant;
    /// Credit was given to a customer and can be used.
    CustomerCreditGrantGranted("customer.credit_grant.granted"): CreditGrant;
    /// A grant of credit is nearly used up.
    CustomerCreditGrantLowBalance("customer.credit_grant.low_balance"): CreditGrant, Guides;
    /// A grant of credit was changed.
    CustomerCreditGrantUpdated("customer.credit_grant.updated"): CreditGrant, Guides;
    /// A use of credit was booked.
    CustomerCreditTransactionCreated("customer.credit_transaction.created"): CreditTransaction, Guides;
    /// A customer was deleted.
    CustomerDeleted("customer.deleted"): Customer;
    /// A coupon was attached to a customer.
    CustomerDiscountCreated("customer.discount.created"): Discount;
    /// A customer's discount was removed.
    CustomerDiscountDeleted("customer.discount.deleted"): Discount;
    /// A customer changed from one coupon to another.
    CustomerDiscountUpdated("customer.discount.updated"): Discount;
    /// A payment source was added to a customer.
    CustomerSourceCreated("customer.source.created"): JsonMap as Source;
    /// A payment source was removed from a customer.
    CustomerSourceDeleted("customer.source.deleted"): JsonMap as Source;
    /// A customer's card expires at the end of the month.
    CustomerSourceExpiring("customer.source.expiring"): JsonMap as Source;
    /// The details of a customer's payment source were changed.
    CustomerSourceUpdated("customer.source.updated"): JsonMap as Source;
    /// A customer was signed up for a subscription.
    CustomerSubscriptionCreated("customer.subscription.created"): Subscription;
    /// A subscription ended.
    CustomerSubscriptionDeleted("customer.subscription.deleted"): Subscription;
    /// A subscription's invoice was not paid in time.
    CustomerSubscriptionPastDue("customer.subscription.past_due"): Subscription;
    /// A subscription was paused: nothing is billed and nothing is provided.
    CustomerSubscriptionPaused("customer.subscription.paused"): Subscription;
    /// A change that waited for payment took effect on a subscription.
    CustomerSubscriptionPendingUpdateApplied("customer.subscription.pending_update_applied"): Subscription;
    /// A change that waited for payment lapsed; the subscription stays as it was.
    CustomerSubscriptionPendingUpdateExpired("customer.subscription.pending_update_expired"): Subscription;
    /// A canceled or unpaid subscription was brought back.
    CustomerSubscriptionRecovered("customer.subscription.recovered"): Subscription;
    /// The payment for a subscription's next period failed.
    CustomerSubscriptionRenewFailed("customer.subscription.renew_failed"): Subscription;
    /// A subscription was paid for another period.
    CustomerSubscriptionRenewed("customer.subscription.renewed"): Subscription;
    /// A paused subscription runs again.
    CustomerSubscriptionResumed("customer.subscription.resumed"): Subscription;
    /// A subscription came into force: its first payment or its trial is settled.
    CustomerSubscriptionStarted("customer.subscription.started"): Subscription;
    /// A subscription's trial ended.
    CustomerSubscriptionTrialEnd("customer.subscription.trial_end"): Subscription;
    /// A subscription's trial began.
    CustomerSubscriptionTrialStart("customer.subscription.trial_start"): Subscription;
    /// A subscription's trial ends soon.
    CustomerSubscriptionTrialWillEnd("customer.subscription.trial_will_end"): Subscription;
    /// A subscription was changed in any way.
    CustomerSubscriptionUpdated("customer.subscription.updated"): Subscription;
    /// A subscription moved to another plan.
    CustomerSubscriptionUpgraded("customer.subscription.upgraded"): Subscription;
    /// A subscription will be canceled soon.
    CustomerSubscriptionWillCanceled("customer.subscription.will_canceled"): Subscription, Guides;
    /// A subscription renews soon.
    CustomerSubscriptionWillRenew("customer.subscription.will_renew"): Subscription, Guides;
    /// A tax number was added to a customer.
    CustomerTaxIdCreated("customer.tax_id.created"): JsonMap as TaxId;
    /// A tax number was removed from a customer.
    CustomerTaxIdDeleted("customer.tax_id.deleted"): JsonMap as TaxId;
    /// A customer's tax number was changed, for instance verified.
    CustomerTaxIdUpdated("customer.tax_id.updated"): JsonMap as TaxId;
    /// A customer's record was changed.
    CustomerUpdated("customer.updated"): Customer;
    /// Money moved in or out of a customer's cash balance.
    CustomerCashBalanceTransactionCreated("customer_cash_balance_transaction.created"): JsonMap as CustomerCashBalanceTransaction;
    /// No provider of exchange rates answered.
    ExchangeRateProvidersUnavailable("exchange_rate.providers_unavailable"): JsonMap as ExchangeRate;
    /// The providers of exchange rates disagree by too much.
    ExchangeRateSpreadExceeded("exchange_rate.spread_exceeded"): JsonMap as ExchangeRate;
    /// A file was uploaded or generated.
    FileCreated("file.created"): JsonMap as File;
    /// A customer connected a bank account.
    FinancialConnectionsAccountCreated("financial_connections.account.created"): JsonMap as FinancialConnectionsAccount;
    /// The connection to a bank account stopped working and can be repaired.
    FinancialConnectionsAccountDeactivated("financial_connections.account.deactivated"): JsonMap as FinancialConnectionsAccount;
    /// The connection to a bank account was cut.
    FinancialConnectionsAccountDisconnected("financial_connections.account.disconnected"): JsonMap as FinancialConnectionsAccount;
    /// The connection to a bank account works again.
    FinancialConnectionsAccountReactivated("financial_connections.account.reactivated"): JsonMap as FinancialConnectionsAccount;
    /// The balance of a connected bank account was read anew.
    FinancialConnectionsAccountRefreshedBalance("financial_connections.account.refreshed_balance"): JsonMap as FinancialConnectionsAccount;
    /// The check of a person's identity was canceled.
    IdentityVerificationSessionCanceled("identity.verification_session.canceled"): JsonMap as VerificationSession;
    /// The check of a person's identity was begun.
    IdentityVerificationSessionCreated("identity.verification_session.created"): JsonMap as VerificationSession;
    /// The documents of an identity check are being examined.
    IdentityVerificationSessionProcessing("identity.verification_session.processing"): JsonMap as VerificationSession;
    /// The personal data of an identity check was deleted.
    IdentityVerificationSessionRedacted("identity.verification_session.redacted"): JsonMap as VerificationSession;
    /// An identity check failed and wants other documents.
    IdentityVerificationSessionRequiresInput("identity.verification_session.requires_input"): JsonMap as VerificationSession;
    /// A person's identity was confirmed.
    IdentityVerificationSessionVerified("identity.verification_session.verified"): JsonMap as VerificationSession;
    /// An invoice was drawn up.
    InvoiceCreated("invoice.created"): Invoice;
    /// A draft invoice was deleted.
    InvoiceDeleted("invoice.deleted"): Invoice;
    /// A draft invoice could not be made final.
    InvoiceFinalizationFailed("invoice.finalization_failed"): Invoice;
    /// A draft invoice was made final and is open for payment.
    InvoiceFinalized("invoice.finalized"): Invoice;
    /// An invoice was given up as uncollectible.
    InvoiceMarkedUncollectible("invoice.marked_uncollectible"): Invoice;
    /// An invoice was paid, or marked as paid outside Payment Kit.
    InvoicePaid("invoice.paid"): Invoice;
    /// The payment of an invoice waits for the customer to confirm it.
    InvoicePaymentActionRequired("invoice.payment_action_required"): Invoice;
    /// An attempt to pay an invoice failed.
    InvoicePaymentFailed("invoice.payment_failed"): Invoice;
    /// An attempt to pay an invoice succeeded.
    InvoicePaymentSucceeded("invoice.payment_succeeded"): Invoice;
    /// An invoice was sent to the customer by e-mail.
    InvoiceSent("invoice.sent"): Invoice;
    /// A subscription will be invoiced in a few days.
    InvoiceUpcoming("invoice.upcoming"): Invoice;
    /// An invoice was changed, for instance its amount or status.
    InvoiceUpdated("invoice.updated"): Invoice;
    /// An invoice was declared void.
    InvoiceVoided("invoice.voided"): Invoice;
    /// A line was added to be invoiced.
    InvoiceitemCreated("invoiceitem.created"): InvoiceItem;
    /// A line to be invoiced was deleted.
    InvoiceitemDeleted("invoiceitem.deleted"): InvoiceItem;
    /// A payment with an issued card was authorised or declined.
    IssuingAuthorizationCreated("issuing_authorization.created"): JsonMap as IssuingAuthorization;
    /// A payment with an issued card asks for approval.
    IssuingAuthorizationRequest("issuing_authorization.request"): JsonMap as IssuingAuthorization;
    /// The authorisation of a payment with an issued card was changed.
    IssuingAuthorizationUpdated("issuing_authorization.updated"): JsonMap as IssuingAuthorization;
    /// A card was issued.
    IssuingCardCreated("issuing_card.created"): JsonMap as IssuingCard;
    /// An issued card was changed.
    IssuingCardUpdated("issuing_card.updated"): JsonMap as IssuingCard;
    /// A holder of issued cards was made.
    IssuingCardholderCreated("issuing_cardholder.created"): JsonMap as IssuingCardholder;
    /// A holder of issued cards was changed.
    IssuingCardholderUpdated("issuing_cardholder.updated"): JsonMap as IssuingCardholder;
    /// A dispute over a payment with an issued card ended.
    IssuingDisputeClosed("issuing_dispute.closed"): JsonMap as IssuingDispute;
    /// A dispute over a payment with an issued card was begun.
    IssuingDisputeCreated("issuing_dispute.created"): JsonMap as IssuingDispute;
    /// The money of a disputed payment with an issued card came back.
    IssuingDisputeFundsReinstated("issuing_dispute.funds_reinstated"): JsonMap as IssuingDispute;
    /// A dispute over a payment with an issued card was handed in.
    IssuingDisputeSubmitted("issuing_dispute.submitted"): JsonMap as IssuingDispute;
    /// A dispute over a payment with an issued card was changed.
    IssuingDisputeUpdated("issuing_dispute.updated"): JsonMap as IssuingDispute;
    /// A payment with an issued card was booked.
    IssuingTransactionCreated("issuing_transaction.created"): JsonMap as IssuingTransaction;
    /// The booking of a payment with an issued card was changed.
    IssuingTransactionUpdated("issuing_transaction.updated"): JsonMap as IssuingTransaction;
    /// A customer's permission to debit was changed.
    MandateUpdated("mandate.updated"): JsonMap as Mandate;
    /// An order was placed.
    OrderCreated("order.created"): JsonMap as Order;
    /// Money is held for a payment and waits to be captured.
    PaymentIntentAmountCapturableUpdated("payment_intent.amount_capturable_updated"): PaymentIntent;
    /// A payment was canceled before it was made.
    PaymentIntentCanceled("payment_intent.canceled"): PaymentIntent;
    /// A payment was set out to be made.
    PaymentIntentCreated("payment_intent.created"): PaymentIntent;
    /// A part of the money for a payment has arrived.
    PaymentIntentPartiallyFunded("payment_intent.partially_funded"): PaymentIntent;
    /// An attempt at a payment failed.
    PaymentIntentPaymentFailed("payment_intent.payment_failed"): PaymentIntent;
    /// A payment was started and is being processed.
    PaymentIntentProcessing("payment_intent.processing"): PaymentIntent;
    /// A payment waits for the customer to act.
    PaymentIntentRequiresAction("payment_intent.requires_action"): PaymentIntent;
    /// A payment was completed.
    PaymentIntentSucceeded("payment_intent.succeeded"): PaymentIntent;
    /// A payment link was made.
    PaymentLinkCreated("payment_link.created"): PaymentLink;
    /// A payment link was changed.
    PaymentLinkUpdated("payment_link.updated"): PaymentLink;
    /// A payment method was attached to a customer.
    PaymentMethodAttached("payment_method.attached"): PaymentMethod;
    /// The card network brought the details of a payment method up to date.
    PaymentMethodAutomaticallyUpdated("payment_method.automatically_updated"): PaymentMethod;
    /// A payment method was detached from a customer.
    PaymentMethodDetached("payment_method.detached"): PaymentMethod;
    /// A payment method was changed.
    PaymentMethodUpdated("payment_method.updated"): PaymentMethod;
    /// A payout was canceled.
    PayoutCanceled("payout.canceled"): Payout;
    /// A payout was begun.
    PayoutCreated("payout.created"): Payout;
    /// A payout failed.
    PayoutFailed("payout.failed"): Payout;
    /// A payout should have arrived.
    PayoutPaid("payout.paid"): Payout;
    /// The payments behind a payout are all known.
    PayoutReconciliationCompleted("payout.reconciliation_completed"): Payout;
    /// A payout was changed.
    PayoutUpdated("payout.updated"): Payout;
    /// A person was added to an account.
    PersonCreated("person.created"): JsonMap as Person;
    /// A person was removed from an account.
    PersonDeleted("person.deleted"): JsonMap as Person;
    /// A person of an account was changed.
    PersonUpdated("person.updated"): JsonMap as Person;
    /// A plan was made.
    PlanCreated("plan.created"): JsonMap as Plan;
    /// A plan was deleted.
    PlanDeleted("plan.deleted"): JsonMap as Plan;
    /// A plan was changed.
    PlanUpdated("plan.updated"): JsonMap as Plan;
    /// A price was made.
    PriceCreated("price.created"): Price;
    /// A price was deleted.
    PriceDeleted("price.deleted"): Price;
    /// A price was changed.
    PriceUpdated("price.updated"): Price;
    /// A product was made.
    ProductCreated("product.created"): Product;
    /// A product was deleted.
    ProductDeleted("product.deleted"): Product;
    /// A product was changed.
    ProductUpdated("product.updated"): Product;
    /// A promotion code was made.
    PromotionCodeCreated("promotion_code.created"): PromotionCode;
    /// A promotion code was changed.
    PromotionCodeUpdated("promotion_code.updated"): PromotionCode;
    /// A customer accepted a quote.
    QuoteAccepted("quote.accepted"): JsonMap as Quote;
    /// A quote was canceled.
    QuoteCanceled("quote.canceled"): JsonMap as Quote;
    /// A quote was drawn up.
    QuoteCreated("quote.created"): JsonMap as Quote;
    /// A quote was made final and can be accepted.
    QuoteFinalized("quote.finalized"): JsonMap as Quote;
    /// A card's issuer warned that a charge may be fraud.
    RadarEarlyFraudWarningCreated("radar.early_fraud_warning.created"): JsonMap as EarlyFraudWarning;
    /// A card issuer's warning of fraud was changed.
    RadarEarlyFraudWarningUpdated("radar.early_fraud_warning.updated"): JsonMap as EarlyFraudWarning;
    /// A recipient of transfers was made.
    RecipientCreated("recipient.created"): JsonMap as Recipient;
    /// A recipient of transfers was deleted.
    RecipientDeleted("recipient.deleted"): JsonMap as Recipient;
    /// A recipient of transfers was changed.
    RecipientUpdated("recipient.updated"): JsonMap as Recipient;
    /// A refund was canceled.
    RefundCanceled("refund.canceled"): Refund;
    /// A refund was begun.
    RefundCreated("refund.created"): Refund;
    /// The money of a refund was given back.
    RefundSucceeded("refund.succeeded"): Refund;
    /// A refund was changed.
    RefundUpdated("refund.updated"): Refund;
    /// A report could not be made.
    ReportingReportRunFailed("reporting.report_run.failed"): JsonMap as ReportRun;
    /// A report is ready.
    ReportingReportRunSucceeded("reporting.report_run.succeeded"): JsonMap as ReportRun;
    /// New data is there for a kind of report.
    ReportingReportTypeUpdated("reporting.report_type.updated"): JsonMap as ReportType;
    /// The review of a payment ended.
    ReviewClosed("review.closed"): JsonMap as Review;
    /// A payment was put under review.
    ReviewOpened("review.opened"): JsonMap as Review;
    /// Storing a payment method was canceled.
    SetupIntentCanceled("setup_intent.canceled"): SetupIntent;
    /// Storing a payment method was begun.
    SetupIntentCreated("setup_intent.created"): SetupIntent;
    /// Storing a payment method waits for the customer to act.
    SetupIntentRequiresAction("setup_intent.requires_action"): SetupIntent;
    /// An attempt to store a payment method failed.
    SetupIntentSetupFailed("setup_intent.setup_failed"): SetupIntent;
    /// A payment method was stored.
    SetupIntentSucceeded("setup_intent.succeeded"): SetupIntent;
    /// A scheduled query has run.
    SigmaScheduledQueryRunCreated("sigma.scheduled_query_run.created"): JsonMap as ScheduledQueryRun;
    /// A stock-keeping unit was made.
    SkuCreated("sku.created"): JsonMap as Sku;
    /// A stock-keeping unit was deleted.
    SkuDeleted("sku.deleted"): JsonMap as Sku;
    /// A stock-keeping unit was changed.
    SkuUpdated("sku.updated"): JsonMap as Sku;
    /// A payment source was canceled or expired.
    SourceCanceled("source.canceled"): JsonMap as Source;
    /// A payment source can be charged.
    SourceChargeable("source.chargeable"): JsonMap as Source;
    /// A payment source could not be made chargeable.
    SourceFailed("source.failed"): JsonMap as Source;
    /// A payer must be told of a debit from a payment source.
    SourceMandateNotification("source.mandate_notification"): JsonMap as Source;
    /// Giving money back to a payment source needs more details.
    SourceRefundAttributesRequired("source.refund_attributes_required"): JsonMap as Source;
    /// Money moved through a payment source.
    SourceTransactionCreated("source.transaction.created"): JsonMap as SourceTransaction;
    /// A movement of money through a payment source was changed.
    SourceTransactionUpdated("source.transaction.updated"): JsonMap as SourceTransaction;
    /// The stake behind a subscription was kept for unpaid invoices.
    SubscriptionStakeSlashSucceeded("subscription.stake.slash.succeeded"): Subscription, Guides;
    /// A schedule stopped because its subscription went unpaid.
    SubscriptionScheduleAborted("subscription_schedule.aborted"): SubscriptionSchedule;
    /// A schedule was canceled, and its subscription with it.
    SubscriptionScheduleCanceled("subscription_schedule.canceled"): SubscriptionSchedule;
    /// The last phase of a schedule ended.
    SubscriptionScheduleCompleted("subscription_schedule.completed"): SubscriptionSchedule;
    /// A schedule was made.
    SubscriptionScheduleCreated("subscription_schedule.created"): SubscriptionSchedule;
    /// A schedule ends in a few days.
    SubscriptionScheduleExpiring("subscription_schedule.expiring"): SubscriptionSchedule;
    /// A schedule let its subscription go, which runs on without it.
    SubscriptionScheduleReleased("subscription_schedule.released"): SubscriptionSchedule;
    /// A schedule was changed.
    SubscriptionScheduleUpdated("subscription_schedule.updated"): SubscriptionSchedule;
    /// The seller's tax settings were changed.
    TaxSettingsUpdated("tax.settings.updated"): JsonMap as TaxSettings;
    /// A tax rate was made.
    TaxRateCreated("tax_rate.created"): TaxRate;
    /// A tax rate was changed.
    TaxRateUpdated("tax_rate.updated"): TaxRate;
    /// What a card reader was told to do failed.
    TerminalReaderActionFailed("terminal.reader.action_failed"): JsonMap as TerminalReader;
    /// What a card reader was told to do was done.
    TerminalReaderActionSucceeded("terminal.reader.action_succeeded"): JsonMap as TerminalReader;
    /// A test clock began to move forward.
    TestHelpersTestClockAdvancing("test_helpers.test_clock.advancing"): JsonMap as TestClock;
    /// A test clock was made.
    TestHelpersTestClockCreated("test_helpers.test_clock.created"): JsonMap as TestClock;
    /// A test clock was deleted.
    TestHelpersTestClockDeleted("test_helpers.test_clock.deleted"): JsonMap as TestClock;
    /// A test clock broke down.
    TestHelpersTestClockInternalFailure("test_helpers.test_clock.internal_failure"): JsonMap as TestClock;
    /// A test clock arrived at its new time.
    TestHelpersTestClockReady("test_helpers.test_clock.ready"): JsonMap as TestClock;
    /// Adding money to the balance was canceled.
    TopupCanceled("topup.canceled"): JsonMap as Topup;
    /// Adding money to the balance was begun.
    TopupCreated("topup.created"): JsonMap as Topup;
    /// Adding money to the balance failed.
    TopupFailed("topup.failed"): JsonMap as Topup;
    /// Money added to the balance was taken back.
    TopupReversed("topup.reversed"): JsonMap as Topup;
    /// Money was added to the balance.
    TopupSucceeded("topup.succeeded"): JsonMap as Topup;
    /// Money was transferred to a connected account.
    TransferCreated("transfer.created"): JsonMap as Transfer;
    /// A transfer was reversed, in full or in part.
    TransferReversed("transfer.reversed"): JsonMap as Transfer;
    /// The description or metadata of a transfer was changed.
    TransferUpdated("transfer.updated"): JsonMap as Transfer;
    /// No usage was reported for a metered subscription in its period.
    UsageReportEmpty("usage.report.empty"): JsonMap as UsageReport;
}
