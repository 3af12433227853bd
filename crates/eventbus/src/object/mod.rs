//! How a provider's objects become Rust: the macros `object!` and `open_enum!`.
//!
//! A provider changes its objects without asking, and an event about money must still arrive. Hence:
//!
//! - **No field is required.** The id is a `String` that is empty when it is absent; every other field is an `Option`,
//!   also where the provider documents it as always there: real events leave such fields out (the documented sample of
//!   `customer.subscription.renewed` does, and the preview of an invoice has no id yet), and that is no reason to
//!   dead-letter a payment.
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
/// Fields are written as in any struct, `pub id: String` for the id and `pub name: Option<T>` elsewhere, in the
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
                const SHAPE: $crate::object::Shape = $crate::object::Shape {
                    names: &[$($crate::object::object!(@wire $field $($wire)?)),*],
                    number: |name| match name {
                        $( $crate::object::object!(@wire $field $($wire)?) => Some(At::$field as usize), )*
                        _ => None,
                    },
                };

                fn fill<'de, A: serde::de::MapAccess<'de>>(&mut self, at: usize, map: &mut A) -> Result<bool, A::Error> {
                    match AT[at] {
                        $( At::$field => $crate::object::Slot::fill(&mut self.$field, map), )*
                    }
                }

                fn write<M: serde::ser::SerializeMap>(&self, out: &mut $crate::object::Written<M>) -> Result<(), M::Error> {
                    $( out.field(At::$field as usize, Self::SHAPE.names, &self.$field)?; )*
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
    const SHAPE: Shape;

    /// Reads the value of field `at`; false when it was `null`.
    fn fill<'de, A: MapAccess<'de>>(&mut self, at: usize, map: &mut A) -> Result<bool, A::Error>;

    /// Writes the fields that are set.
    fn write<M: SerializeMap>(&self, out: &mut Written<M>) -> Result<(), M::Error>;

    /// The id.
    fn id(&self) -> Option<&str>;

    fn extra(&self) -> &JsonMap;

    fn extra_mut(&mut self) -> &mut JsonMap;
}

/// What is known of an object's fields. A field's number is its place in the provider's order.
pub(crate) struct Shape {
    /// The names on the wire.
    pub(crate) names: &'static [&'static str],
    /// The number of a name.
    pub(crate) number: fn(&str) -> Option<usize>,
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
        let written = (O::SHAPE.number)(name).is_some_and(|at| out.set & (1 << at) != 0);
        if !written {
            out.map.serialize_entry(name, value)?;
        }
    }
    out.map.end()
}

/// A field of an object: an `Option`, or the id, which is empty when it is not set.
pub(crate) trait Slot: Serialize {
    fn fill<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error>;

    fn is_set(&self) -> bool;

    /// The value where it is the id.
    fn id(&self) -> Option<&str>;
}

impl<T: Serialize + for<'de> Deserialize<'de>> Slot for Option<T> {
    #[inline(never)]
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
    fn fill<'de, A: MapAccess<'de>>(&mut self, map: &mut A) -> Result<bool, A::Error> {
        let id: Option<Self> = map.next_value()?;
        let set = id.is_some();
        *self = id.unwrap_or_default();
        Ok(set)
    }

    fn is_set(&self) -> bool {
        !self.is_empty()
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
    #[inline(never)]
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

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<O, A::Error> {
        let mut object = O::default();
        *object.extra_mut() = read(map, &O::SHAPE, &mut |at, map| object.fill(at, map))?;
        Ok(object)
    }
}

/// Reads an object field by field: `fill` takes what is known, and the rest is given back.
///
/// Not generic over the object, because the compiler would write it out for each of them.
fn read<'de, A: MapAccess<'de>>(
    mut map: A,
    shape: &'static Shape,
    fill: Fill<'_, A, A::Error>,
) -> Result<JsonMap, A::Error> {
    let (mut extra, mut seen) = (JsonMap::new(), 0_u128);
    while let Some(name) = map.next_key_seed(Name(shape.number))? {
        match name {
            Found::Known(at) if seen & (1 << at) != 0 => {
                return Err(A::Error::duplicate_field(shape.names[at]));
            }
            Found::Known(at) => {
                seen |= 1 << at;
                if !fill(at, &mut map)? {
                    extra.push(shape.names[at].to_owned(), Json::null());
                }
            }
            Found::Unknown(name) => extra.push(name, map.next_value()?),
        }
    }
    extra.unique()?;
    Ok(extra)
}

/// Reads the value of the field of a number; false when it was `null`.
type Fill<'a, A, E> = &'a mut dyn FnMut(usize, &mut A) -> Result<bool, E>;

/// Looks a name up.
struct Name(fn(&str) -> Option<usize>);

enum Found {
    Known(usize),
    Unknown(String),
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Found;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Found, D::Error> {
        deserializer.deserialize_identifier(Word(|name: &str| match (self.0)(name) {
            Some(at) => Found::Known(at),
            None => Found::Unknown(name.to_owned()),
        }))
    }
}
