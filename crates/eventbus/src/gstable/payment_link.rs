//! [`PaymentLink`]: an address at which anybody can pay.

use super::{LineItem, LineItems};
use crate::json::Json;
use crate::object::{object, open_enum};

object! {
    /// An address at which anybody can pay: `linkData` in webhooks.
    pub struct PaymentLink {
        /// The link's id, `lnk_…`.
        pub link_id = "linkId": String,
        /// Whether the payer chooses the amount.
        pub link_type = "linkType": Option<LinkType>,
        /// The link's name.
        pub link_name = "linkName": Option<String>,
        /// The account that is paid.
        pub account_id = "accountId": Option<String>,
        /// The token the account gets, such as `polygon::usdc`.
        pub settlement_token = "settlementToken": Option<String>,
        /// The address.
        pub link_url = "linkUrl": Option<String>,
        /// Whether it can be used.
        pub status: Option<LinkStatus>,
        /// The version of the link, `ver_…`.
        pub version_code = "versionCode": Option<String>,
        /// Who bears the fee: 1 the merchant, 2 the payer.
        pub fee_model = "feeModel": Option<i64>,
        /// What is to be paid, in micro-USD.
        pub amount: Option<i64>,
        /// What is bought; see [`PaymentLinkLineItems::items`].
        pub line_items = "lineItems": Option<PaymentLinkLineItems>,
        /// Whether the payer must give an e-mail address; its type is not documented here.
        pub payer_email_required = "payerEmailRequired": Option<Json>,
        /// Where the payer goes after paying.
        pub success_url = "successUrl": Option<String>,
        /// What the payer reads after paying.
        pub custom_success_text = "customSuccessText": Option<String>,
        /// What the payer reads when the link is disabled.
        pub custom_disabled_text = "customDisabledText": Option<String>,
        /// When it was created, as text without a zone.
        pub create_at = "createAt": Option<String>,
        /// When it was last updated, as text without a zone.
        pub update_at = "updateAt": Option<String>,
        /// The name of the account.
        pub account_name = "accountName": Option<String>,
        /// The address of the account.
        pub account_address = "accountAddress": Option<String>,
        /// The token the account gets.
        pub settlement_token_info = "settlementTokenInfo": Option<SettlementToken>,
    }

    /// What is bought through a link: GStable sends the items themselves, or wraps them together with their amount.
    pub struct PaymentLinkLineItems {
        /// The items, where they are not wrapped.
        pub items: Option<Vec<LineItem>>,
        /// The items, where they are wrapped.
        pub line_items = "lineItems": Option<LineItems>,
        /// Their amount where they are wrapped, in micro-USD.
        pub amount: Option<i64>,
    }

    /// The token an account gets.
    pub struct SettlementToken {
        /// The token's id, such as `polygon::usdc`.
        pub token_id = "tokenId": Option<String>,
        /// The address of its contract.
        pub contract_address = "contractAddress": Option<String>,
        /// Its name.
        pub name: Option<String>,
        /// Its symbol, such as `USDC`.
        pub symbol: Option<String>,
        /// How many decimals separate one from its smallest unit.
        pub decimals: Option<i64>,
        /// The chain it is on.
        pub chain_id = "chainId": Option<String>,
    }
}

impl PaymentLinkLineItems {
    /// The items, whichever way they came.
    pub fn items(&self) -> &[LineItem] {
        let wrapped = || self.line_items.as_ref().and_then(|wrapped| wrapped.items.as_deref());
        self.items.as_deref().or_else(wrapped).unwrap_or_default()
    }
}

open_enum! {
    /// Whether the payer chooses the amount of a link.
    pub enum LinkType {
        /// The merchant sets it.
        Fixed = "fixed",
        /// The payer chooses it.
        Custom = "custom",
    }

    /// Whether a link can be used; only one word is documented.
    pub enum LinkStatus {
        /// It can.
        Active = "active",
    }
}
