//! NFTs that buyers get.

use crate::json::{Json, JsonMap};
use crate::object::{object, open_enum};

object! {
    /// Which NFT a buyer gets.
    pub struct NftMintSettings {
        /// Whether it is switched on.
        pub enabled: Option<bool>,
        /// How many are made.
        pub behavior: Option<NftMintBehavior>,
        /// The address of the factory.
        pub factory: Option<String>,
        /// What the factory is given.
        pub inputs: Option<JsonMap<String>>,
    }

    /// The NFT a buyer got.
    pub struct NftMintDetails {
        /// The chain it is on.
        pub kind = "type": Option<Json>,
        /// On ArcBlock's chain.
        pub arcblock: Option<NftMintItem>,
        /// On Ethereum.
        pub ethereum: Option<NftMintItem>,
        /// On Base.
        pub base: Option<NftMintItem>,
    }

    /// An NFT on one chain.
    pub struct NftMintItem {
        /// The hash of the transaction.
        pub tx_hash: Option<String>,
        /// The address of the NFT.
        pub address: Option<String>,
        /// The address of its owner.
        pub owner: Option<String>,
        /// Why it failed.
        pub error: Option<String>,
    }
}

open_enum! {
    /// How far a buyer's NFT is.
    pub enum NftMintStatus {
        Disabled = "disabled",
        Pending = "pending",
        Minted = "minted",
        Sent = "sent",
        Error = "error",
    }

    /// How many NFTs are made.
    pub enum NftMintBehavior {
        PerCustomer = "per_customer",
        PerCheckoutSession = "per_checkout_session",
    }
}
