//! How a provider's objects become Rust: the macros `object!` and `open_enum!`.
//!
//! A provider changes its objects without asking, and an event about money must still arrive. Hence:
//!
//! - **Only the id is required.** Every other field is an `Option`, also where the provider documents it as always there:
//!   real events leave such fields out (the documented sample of `customer.subscription.renewed` does), and that is no
//!   reason to dead-letter a payment.
//! - **Nothing is lost.** A field we do not know stays in `extra`, with its exact text and in its order. So does the name
//!   of a field that came as `null`, which keeps `null` and absent apart: decoding and encoding again gives the value
//!   that came.
//! - **Every set of words is open.** A word we do not know becomes `Other`.
//! - **What is wrong is refused:** a known field of the wrong type, and a name given twice.
//!
//! The macros write what serde's derive would, less one thing: with `#[serde(flatten)]` serde buffers every value, which
//! costs time and the numbers' exact text.

pub(crate) mod word;

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::word::Word;
use crate::json::{Json, JsonMap};

/// Makes a struct of a provider's object: documented fields, and `extra` for the rest.
///
/// Fields are written as in any struct, `pub id: String` where required and `pub name: Option<T>` elsewhere, in the
/// provider's order, which is the order they are encoded in. `pub kind = "type": …` names the field on the wire where
/// it is not the Rust name. At most 128 fields.
macro_rules! object {
    ($(
        $(#[$meta:meta])*
        pub struct $Object:ident {
            $( $(#[$doc:meta])* pub $field:ident $(= $wire:literal)? : $Type:ty, )*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct $Object {
            $(
                $(#[$doc])*
                $( #[doc = concat!("\n\n`", $wire, "` on the wire.")] )?
                pub $field: $Type,
            )*
            /// The fields that are not documented, with their exact text and in their order, and the names of documented
            /// ones that came as `null`. A documented field that is set wins over its name in here.
            pub extra: $crate::json::JsonMap,
        }

        const _: () = {
            #[allow(non_camel_case_types, reason = "one variant per field, to number them")]
            #[derive(Clone, Copy)]
            enum At { $($field),* }
            const AT: &[At] = &[$(At::$field),*];

            impl $crate::object::Object for $Object {
                const NAMES: &'static [&'static str] = &[$($crate::object::object!(@wire $field $($wire)?)),*];
                const REQUIRED: u128 = 0 $(| (<$Type as $crate::object::Slot>::REQUIRED as u128) << At::$field as u32)*;

                fn number(name: &str) -> Option<usize> {
                    match name {
                        $( $crate::object::object!(@wire $field $($wire)?) => Some(At::$field as usize), )*
                        _ => None,
                    }
                }

                fn fill<'de, A: serde::de::MapAccess<'de>>(&mut self, at: usize, map: &mut A) -> Result<bool, A::Error> {
                    match AT[at] {
                        $( At::$field => $crate::object::Slot::fill(&mut self.$field, map), )*
                    }
                }

                fn write<M: serde::ser::SerializeMap>(&self, out: &mut $crate::object::Written<M>) -> Result<(), M::Error> {
                    $( out.field(At::$field as usize, Self::NAMES, &self.$field)?; )*
                    Ok(())
                }

                fn id(&self) -> Option<&str> {
                    None $( .or($crate::object::Slot::id(&self.$field)) )*
                }

                fn extra(&self) -> &$crate::json::JsonMap {
                    &self.extra
                }

                fn extra_mut(&mut self) -> &mut $crate::json::JsonMap {
                    &mut self.extra
                }
            }

            impl<'de> serde::Deserialize<'de> for $Object {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    $crate::object::decode(stringify!($Object), deserializer)
                }
            }

            impl serde::Serialize for $Object {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    $crate::object::encode(self, serializer)
                }
            }
        };
    )*};
    (@wire $field:ident) => { stringify!($field) };
    (@wire $field:ident $wire:literal) => { $wire };
}

pub(crate) use object;
pub(crate) use word::open_enum;

/// What `object!` writes for a struct; everything else is here, once for all of them.
pub(crate) trait Object: Default {
    /// The names on the wire, in the provider's order. A field's place here is its number.
    const NAMES: &'static [&'static str];
    /// A bit per field, set where the field must be there.
    const REQUIRED: u128;

    /// The number of the field `name`.
    fn number(name: &str) -> Option<usize>;

    /// Reads the value of field `at`; false when it was `null`.
    fn fill<'de, A: MapAccess<'de>>(&mut self, at: usize, map: &mut A) -> Result<bool, A::Error>;

    /// Writes the fields that are set.
    fn write<M: SerializeMap>(&self, out: &mut Written<M>) -> Result<(), M::Error>;

    /// The first field that must be there.
    fn id(&self) -> Option<&str>;

    fn extra(&self) -> &JsonMap;

    fn extra_mut(&mut self) -> &mut JsonMap;
}

/// What an event can be about: something with an id.
pub(crate) trait Identified {
    /// The id; empty where there is none.
    fn identity(&self) -> Cow<'_, str>;
}

impl<O: Object> Identified for O {
    fn identity(&self) -> Cow<'_, str> {
        Cow::Borrowed(self.id().unwrap_or_default())
    }
}

impl Identified for JsonMap {
    fn identity(&self) -> Cow<'_, str> {
        self.get("id").and_then(Json::as_str).unwrap_or_default()
    }
}

/// Decodes an object; `name` is the struct's, for messages.
pub(crate) fn decode<'de, O: Object, D: Deserializer<'de>>(
    name: &'static str,
    deserializer: D,
) -> Result<O, D::Error> {
    deserializer.deserialize_map(Fields { name, object: PhantomData })
}

/// Encodes an object: its fields in the provider's order, then what `extra` adds.
pub(crate) fn encode<O: Object, S: Serializer>(object: &O, serializer: S) -> Result<S::Ok, S::Error> {
    let mut out = Written { map: serializer.serialize_map(None)?, set: 0 };
    object.write(&mut out)?;
    for (name, value) in object.extra() {
        let written = O::number(name).is_some_and(|at| out.set & (1 << at) != 0);
        if !written {
            out.map.serialize_entry(name, value)?;
        }
    }
    out.map.end()
}

/// A field of an object: an `Option`, or the id.
pub(crate) trait Slot: Serialize {
    const REQUIRED: bool;

    fn fill<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error>;

    fn is_set(&self) -> bool;

    /// The value where it is the id.
    fn id(&self) -> Option<&str>;
}

impl<T: Serialize + for<'de> Deserialize<'de>> Slot for Option<T> {
    const REQUIRED: bool = false;

    fn fill<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        *self = map.next_value()?;
        Ok(self.is_some())
    }

    fn is_set(&self) -> bool {
        self.is_some()
    }

    fn id(&self) -> Option<&str> {
        None
    }
}

impl Slot for String {
    const REQUIRED: bool = true;

    fn fill<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        *self = map.next_value()?;
        Ok(true)
    }

    fn is_set(&self) -> bool {
        true
    }

    fn id(&self) -> Option<&str> {
        Some(self)
    }
}

/// An object being encoded, and which of its fields have been.
pub(crate) struct Written<M> {
    map: M,
    set: u128,
}

impl<M: SerializeMap> Written<M> {
    pub(crate) fn field<T: Slot>(
        &mut self,
        at: usize,
        names: &[&'static str],
        value: &T,
    ) -> Result<(), M::Error> {
        if !value.is_set() {
            return Ok(());
        }
        self.set |= 1 << at;
        self.map.serialize_entry(names[at], value)
    }
}

/// Reads the fields of an object.
struct Fields<O> {
    name: &'static str,
    object: PhantomData<O>,
}

impl<'de, O: Object> Visitor<'de> for Fields<O> {
    type Value = O;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} object", self.name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<O, A::Error> {
        let (mut object, mut seen) = (O::default(), 0_u128);
        while let Some(name) = map.next_key_seed(Name::<O>(PhantomData))? {
            match name {
                Found::Known(at) if seen & (1 << at) != 0 => {
                    return Err(A::Error::duplicate_field(O::NAMES[at]));
                }
                Found::Known(at) => {
                    seen |= 1 << at;
                    if !object.fill(at, &mut map)? {
                        object.extra_mut().push(O::NAMES[at].to_owned(), Json::null());
                    }
                }
                Found::Unknown(name) => object.extra_mut().push(name, map.next_value()?),
            }
        }
        let missing = O::REQUIRED & !seen;
        if missing != 0 {
            return Err(A::Error::missing_field(O::NAMES[missing.trailing_zeros() as usize]));
        }
        object.extra().unique()?;
        Ok(object)
    }
}

/// Looks a name up.
struct Name<O>(PhantomData<O>);

enum Found {
    Known(usize),
    Unknown(String),
}

impl<'de, O: Object> DeserializeSeed<'de> for Name<O> {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_identifier(Word(|name: &str| match O::number(name) {
            Some(at) => Found::Known(at),
            None => Found::Unknown(name.to_owned()),
        }))
    }
}
