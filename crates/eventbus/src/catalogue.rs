//! The two catalogues of event types, side by side; and `rows!`, which makes everything of a row.
//!
//! The rows are in [`payment_kit`] and [`gstable`]. Both list `product.created`,
//! `product.updated` and `account.updated`, each with an object of its own: a type is known by source and name together.

use crate::error::Error;
use crate::event::AnyEvent;
use crate::{gstable, payment_kit};

/// One type of event, as its catalogue lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CatalogueEntry {
    /// The dotted type, such as `customer.subscription.renewed`.
    pub event_type: &'static str,
    /// Whose catalogue it belongs to: `payment-kit` or `gstable`.
    pub source: &'static str,
    /// The model of the object it is about, in PascalCase.
    pub object_type: &'static str,
    /// What happened, in one sentence of at most 256 characters.
    pub description: &'static str,
    /// Where the provider names it.
    pub origin: Origin,
}

/// Where a provider names a type of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Origin {
    /// In the published list of event types.
    Listed,
    /// In guides or code of the provider only, beyond the list.
    Guides,
}

/// All types of both catalogues: Payment Kit's and then GStable's, each in alphabetical order.
pub fn catalogue() -> impl Iterator<Item = &'static CatalogueEntry> {
    payment_kit::CATALOGUE.iter().chain(gstable::CATALOGUE)
}

/// The entry of a type; `None` for a type that the source's catalogue does not list, which is not wrong: sources are open.
pub fn find(source: &str, event_type: &str) -> Option<&'static CatalogueEntry> {
    let entries = match source {
        payment_kit::SOURCE => payment_kit::CATALOGUE,
        gstable::SOURCE => gstable::CATALOGUE,
        _ => return None,
    };
    position(entries, event_type).map(|at| &entries[at])
}

/// The error for an event of another source.
pub(crate) fn foreign(event: &AnyEvent, source: &str) -> Error {
    Error::undecodable(format!("source: is {:?}, not {source:?}", event.source()))
}

/// Where in its sorted catalogue a type is.
pub(crate) fn position(entries: &[CatalogueEntry], event_type: &str) -> Option<usize> {
    entries.binary_search_by(|entry| entry.event_type.cmp(event_type)).ok()
}

/// Whether the rows are in alphabetical order, which look-ups rely on; checked when the crate is compiled.
pub(crate) const fn is_sorted(entries: &[CatalogueEntry]) -> bool {
    let mut at = 1;
    while at < entries.len() {
        if !is_before(entries[at - 1].event_type.as_bytes(), entries[at].event_type.as_bytes()) {
            return false;
        }
        at += 1;
    }
    true
}

const fn is_before(a: &[u8], b: &[u8]) -> bool {
    let mut at = 0;
    while at < a.len() && at < b.len() {
        if a[at] != b[at] {
            return a[at] < b[at];
        }
        at += 1;
    }
    a.len() < b.len()
}

/// Makes markers, enum and listing of a catalogue's rows, which are in alphabetical order. A row is what happened, as a
/// doc comment, and then one of:
///
/// ```text
/// Marker("the.type"): Object;
/// Marker("the.type"): JsonMap as Model;       where the object is not documented
/// Marker("the.type"): Object, Guides;         where the type is not in the provider's list
/// ```
macro_rules! rows {
    (
        $(#[$meta:meta])*
        pub enum $Enum:ident: $source:path, $version:literal;
        $( #[doc = $description:literal] $Marker:ident($event_type:literal): $Object:ident $(as $Model:ident)? $(, $origin:ident)?; )*
    ) => {
        /// Every type of the catalogue, in alphabetical order.
        pub const CATALOGUE: &[$crate::catalogue::CatalogueEntry] = &[$(
            $crate::catalogue::CatalogueEntry {
                event_type: $event_type,
                source: $source,
                object_type: $crate::catalogue::rows!(@model $Object $($Model)?),
                description: $description.trim_ascii(),
                origin: $crate::catalogue::rows!(@origin $($origin)?),
            },
        )*];

        const _: () = assert!($crate::catalogue::is_sorted(CATALOGUE), "the rows must be in alphabetical order");

        $(
            #[doc = concat!(
                $description, "\n\n`", $event_type, "`, about a `", $crate::catalogue::rows!(@model $Object $($Model)?), "`."
            )]
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
            pub struct $Marker;

            impl $Marker {
                /// An event of this type about `object`, ready to be published.
                #[inline]
                pub fn new(object: $Object) -> $crate::event::EventBuilder<Self> {
                    $crate::event::EventBuilder::new(object)
                }
            }

            impl $crate::event::EventKind for $Marker {
                const TYPE: &'static str = $event_type;
                const SOURCE: &'static str = $source;
                const OBJECT_TYPE: &'static str = $crate::catalogue::rows!(@model $Object $($Model)?);
                const API_VERSION: &'static str = $version;
                type Object = $Object;

                #[inline]
                fn object_id(object: &$Object) -> std::borrow::Cow<'_, str> {
                    $crate::object::Identified::identity(object)
                }
            }
        )*

        $(#[$meta])*
        #[derive(Clone)]
        #[non_exhaustive]
        pub enum $Enum {
            $( #[doc = $description] $Marker($crate::event::Event<$Marker>), )*
            /// A type that the catalogue does not list.
            Other($crate::event::AnyEvent),
        }

        impl $Enum {
            /// The type of the event.
            pub fn event_type(&self) -> &$crate::event::EventType {
                self.as_event().event_type()
            }

            /// The event without its type.
            pub fn as_event(&self) -> &$crate::event::AnyEvent {
                match self {
                    $( Self::$Marker(event) => event.as_any(), )*
                    Self::Other(event) => event,
                }
            }
        }

        impl std::fmt::Debug for $Enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.as_event().fmt(f)
            }
        }

        impl $crate::event::FromEvent for $Enum {
            fn filters() -> Vec<$crate::event::Filter> {
                vec![$crate::event::Filter::all().source($crate::event::Source::constant($source))]
            }

            fn from_event(event: $crate::event::AnyEvent) -> $crate::error::Result<Self> {
                type Typed = fn($crate::event::AnyEvent) -> $crate::error::Result<$Enum>;
                const TYPED: &[Typed] = &[$(
                    |event| $crate::event::FromEvent::from_event(event).map($Enum::$Marker),
                )*];

                if event.source() != $source {
                    return Err($crate::catalogue::foreign(&event, $source));
                }
                match $crate::catalogue::position(CATALOGUE, event.event_type().as_str()) {
                    Some(at) => TYPED[at](event),
                    None => Ok(Self::Other(event)),
                }
            }
        }
    };
    (@model $Object:ident) => { stringify!($Object) };
    (@model $Object:ident $Model:ident) => { stringify!($Model) };
    (@origin) => { $crate::catalogue::Origin::Listed };
    (@origin $origin:ident) => { $crate::catalogue::Origin::$origin };
}

pub(crate) use rows;
