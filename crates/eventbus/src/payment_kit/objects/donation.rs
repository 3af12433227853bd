//! Donations, and who shares in a payment.

use crate::json::Json;
use crate::object::object;

object! {
    /// How a payment link takes donations.
    pub struct DonationSettings {
        /// What is donated to.
        pub target: Option<String>,
        /// The title of the page.
        pub title: Option<String>,
        /// What it is for, for people.
        pub description: Option<String>,
        /// The address of what is donated to.
        pub reference: Option<String>,
        /// Who shares in the payment.
        pub beneficiaries: Option<Vec<PaymentBeneficiary>>,
        /// The amounts offered.
        pub amount: Option<DonationAmount>,
        /// What is said afterwards.
        pub message: Option<DonationMessage>,
        /// How it looks.
        pub appearance: Option<DonationAppearance>,
    }

    /// The amounts a donor can choose from.
    pub struct DonationAmount {
        /// The amounts offered, in the currency's smallest unit.
        pub presets: Option<Vec<String>>,
        /// The amount offered first, in the currency's smallest unit.
        pub preset: Option<String>,
        /// The least amount, in the currency's smallest unit.
        pub minimum: Option<String>,
        /// The greatest amount, in the currency's smallest unit.
        pub maximum: Option<String>,
        /// Whether any amount may be given.
        pub custom: Option<bool>,
    }

    /// What a donor is told afterwards.
    pub struct DonationMessage {
        /// The words of thanks.
        pub success: Option<String>,
        /// The words that sum it up.
        pub summary: Option<String>,
    }

    /// How a donation looks on a page.
    pub struct DonationAppearance {
        /// The button.
        pub button: Option<DonationButton>,
        /// The list of donations.
        pub history: Option<DonationHistory>,
    }

    /// The button to donate with.
    pub struct DonationButton {
        /// What it says.
        pub text: Option<Json>,
        /// Its icon.
        pub icon: Option<Json>,
        /// Its size.
        pub size: Option<String>,
        /// Its colour.
        pub color: Option<String>,
        /// Its shape.
        pub variant: Option<String>,
    }

    /// The list of donations.
    pub struct DonationHistory {
        /// Its shape.
        pub variant: Option<String>,
    }

    /// Who shares in a payment.
    pub struct PaymentBeneficiary {
        /// The address paid to.
        pub address: Option<String>,
        /// The share.
        pub share: Option<String>,
        /// Who it is.
        pub name: Option<String>,
        /// The address of a picture.
        pub avatar: Option<String>,
        /// A note.
        pub memo: Option<String>,
    }
}
