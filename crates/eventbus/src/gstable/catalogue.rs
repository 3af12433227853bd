//! GStable's 19 event types. The list is open: [`GStableEvent::Other`] carries any type that is not in it.

use super::{Account, PaymentLink, Product, Session};
use crate::catalogue::rows;

rows! {
    /// Any event of GStable, typed: one `match` over the whole catalogue.
    pub enum GStableEvent: super::SOURCE, "v1";

    /// An account to receive payments was created.
    AccountCreated("account.created"): Account;
    /// An account was removed; it no longer takes payments.
    AccountRemoved("account.removed"): Account;
    /// An account to receive payments was updated.
    AccountUpdated("account.updated"): Account;
    /// A payment link was created.
    PaymentLinkCreated("payment.link.created"): PaymentLink;
    /// A payment link was disabled; it no longer takes payments.
    PaymentLinkDisabled("payment.link.disabled"): PaymentLink;
    /// A payment link was enabled; it takes payments again.
    PaymentLinkEnabled("payment.link.enabled"): PaymentLink;
    /// A payment link was updated.
    PaymentLinkUpdated("payment.link.updated"): PaymentLink;
    /// A product was archived; it can no longer be bought.
    ProductArchived("product.archived"): Product;
    /// A product was created.
    ProductCreated("product.created"): Product;
    /// A product was removed; it can no longer be used.
    ProductRemoved("product.removed"): Product;
    /// A product was taken out of the archive; it can be bought again.
    ProductUnarchived("product.unarchived"): Product;
    /// A product was updated.
    ProductUpdated("product.updated"): Product;
    /// A session was cancelled before it was paid.
    SessionCancelled("session.cancelled"): Session;
    /// A session was settled; the recipient has the funds.
    SessionCompleted("session.completed"): Session;
    /// A session was created and awaits payment.
    SessionCreated("session.created"): Session;
    /// A session ran out of time, unpaid or unsettled.
    SessionExpired("session.expired"): Session;
    /// A session was paid on chain and awaits settlement: paid, but not settled.
    SessionPaid("session.paid"): Session;
    /// A session's settlement is delayed; GStable retries it by itself and it will complete.
    SessionSettlementPending("session.settlement.pending"): Session;
    /// A session is being settled; across chains only, usually after it was paid.
    SessionSettling("session.settling"): Session;
}
