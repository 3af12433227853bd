//! What the payment page asks and shows: shared by checkout sessions and payment links.

use crate::object::{object, open_enum};

object! {
    /// The consents the payment page asks for.
    pub struct ConsentCollection {
        /// The choice about promotional messages.
        pub promotions: Option<PromotionsCollection>,
        /// The choice about the terms of service.
        pub terms_of_service: Option<TermsOfServiceCollection>,
    }

    /// Texts of the application's own on the payment page.
    pub struct CustomText {
        /// The text at the shipping address.
        pub shipping_address: Option<String>,
        /// The text at the pay button.
        pub submit: Option<String>,
    }

    /// Whether the payment page asks for a phone number.
    pub struct PhoneNumberCollection {
        /// Whether it is switched on.
        pub enabled: Option<bool>,
    }

    /// A question of the application's own on the payment page.
    pub struct CustomField {
        /// The name the answer is stored under.
        pub key: Option<String>,
        /// The question.
        pub label: Option<String>,
        /// The kind of answer.
        pub kind = "type": Option<CustomFieldKind>,
        /// Whether it may stay empty.
        pub optional: Option<bool>,
        /// The limits of a text.
        pub text: Option<CustomFieldLength>,
        /// The limits of a number.
        pub numeric: Option<CustomFieldLength>,
        /// The choices.
        pub dropdown: Option<CustomFieldDropdown>,
    }

    /// How long an answer may be.
    pub struct CustomFieldLength {
        /// The most characters.
        pub maximum_length: Option<i64>,
        /// The least characters.
        pub minimum_length: Option<i64>,
    }

    /// The choices of a question.
    pub struct CustomFieldDropdown {
        /// The choices, in order.
        pub options: Option<Vec<CustomFieldOption>>,
    }

    /// One choice of a question.
    pub struct CustomFieldOption {
        /// What the customer sees.
        pub label: Option<String>,
        /// What is stored.
        pub value: Option<String>,
    }

    /// What the customer sees after paying.
    pub struct AfterPayment {
        /// Whether the customer is sent elsewhere.
        pub kind = "type": Option<AfterPaymentKind>,
        /// Where the customer is sent.
        pub redirect: Option<AfterPaymentRedirect>,
        /// What the customer is told.
        pub hosted_confirmation: Option<AfterPaymentConfirmation>,
    }

    /// Where the customer is sent after paying.
    pub struct AfterPaymentRedirect {
        /// The address.
        pub url: Option<String>,
    }

    /// What the customer is told after paying.
    pub struct AfterPaymentConfirmation {
        /// The text.
        pub custom_message: Option<String>,
    }
}

open_enum! {
    /// When a customer is made of a buyer.
    pub enum CustomerCreation {
        IfRequired = "if_required",
        Always = "always",
    }

    /// Whether to ask for consent to promotional messages.
    pub enum PromotionsCollection {
        Auto = "auto",
        None = "none",
    }

    /// Whether the terms of service must be accepted.
    pub enum TermsOfServiceCollection {
        Required = "required",
        None = "none",
    }

    /// What the pay button says.
    pub enum SubmitType {
        Auto = "auto",
        Book = "book",
        Donate = "donate",
        Pay = "pay",
    }

    /// Whether to ask for the billing address.
    pub enum BillingAddressCollection {
        Auto = "auto",
        Required = "required",
    }

    /// Whether a cross-sell must be taken.
    pub enum CrossSellBehavior {
        Auto = "auto",
        Required = "required",
    }

    /// The kind of answer to a question.
    pub enum CustomFieldKind {
        Text = "text",
        Numeric = "numeric",
        Dropdown = "dropdown",
    }

    /// Whether the customer is sent elsewhere after paying.
    pub enum AfterPaymentKind {
        Redirect = "redirect",
        HostedConfirmation = "hosted_confirmation",
    }
}
