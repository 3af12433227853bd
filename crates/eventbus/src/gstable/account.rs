//! [`Account`]: where payments go.

use crate::object::{object, open_enum};

object! {
    /// Where payments go: `accountData` in webhooks.
    pub struct Account {
        /// The account's id, `acc_…`.
        pub account_id = "accountId": String,
        /// Its name.
        pub account_name = "accountName": Option<String>,
        /// The address that is paid.
        pub account_address = "accountAddress": Option<String>,
        /// What kind of address it is.
        pub account_type = "accountType": Option<AccountType>,
        /// The version of the account.
        pub version: Option<String>,
        /// Whether it can be paid.
        pub status: Option<AccountStatus>,
        /// The tokens it takes, such as `polygon::usdc`.
        pub settlement_currencies = "settlementCurrencies": Option<Vec<String>>,
        /// When it was created, as text without a zone.
        pub create_at = "createAt": Option<String>,
        /// When it was last updated, as text without a zone.
        pub update_at = "updateAt": Option<String>,
    }
}

open_enum! {
    /// What kind of address an account is.
    pub enum AccountType {
        /// An address on a chain like Ethereum.
        EvmAddress = "EVM::ADDR",
    }

    /// Whether an account can be paid; only one word is documented.
    pub enum AccountStatus {
        /// It can.
        Normal = "normal",
    }
}
