//! Bytes to values.

use alloc::collections::BTreeSet;

use libveracruz::pinecone::Reader;
use serde::de::value::U32Deserializer;
use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use crate::Error;

/// The value that `data` is, to the last byte.
///
/// # Errors
/// What is wrong with the bytes; `Unsupported` for a type without an encoding.
pub fn from_bytes<'de, T: de::Deserialize<'de>>(data: &'de [u8]) -> Result<T, Error> {
    let mut taker = Taker { reader: Reader::new(data) };
    let value = T::deserialize(&mut taker)?;
    if taker.reader.rest().is_empty() {
        Ok(value)
    } else {
        Err(Error::Length)
    }
}

/// Takes one value after another.
struct Taker<'de> {
    reader: Reader<'de>,
}

impl<'de> Taker<'de> {
    fn bytes(&mut self, size: usize) -> Result<&'de [u8], Error> {
        self.reader.bytes(size).ok_or(Error::Length)
    }

    fn byte(&mut self) -> Result<u8, Error> {
        Ok(self.bytes(1)?[0])
    }

    /// How many elements there are, each of a byte at least: no more than there are bytes left.
    fn count(&mut self) -> Result<usize, Error> {
        self.reader.count(1).ok_or(Error::Malformed)
    }

    fn counted_bytes(&mut self) -> Result<&'de [u8], Error> {
        let size = self.count()?;
        self.bytes(size)
    }

    fn text(&mut self) -> Result<&'de str, Error> {
        core::str::from_utf8(self.counted_bytes()?).map_err(|_| Error::Malformed)
    }

    fn flag(&mut self) -> Result<bool, Error> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Error::Malformed),
        }
    }
}

macro_rules! fixed {
    ($($method:ident $visit:ident $kind:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let bytes = self.bytes(core::mem::size_of::<$kind>())?;
            let bytes = bytes.try_into().map_err(|_| Error::Length)?;
            visitor.$visit(<$kind>::from_le_bytes(bytes))
        }
    )*};
}

/// What only data that describe themselves can tell.
macro_rules! unsupported {
    ($($method:ident),*) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(Error::Unsupported)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for &mut Taker<'de> {
    type Error = Error;

    fixed! {
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64,
        deserialize_f32 visit_f32 f32, deserialize_f64 visit_f64 f64
    }

    unsupported! {
        deserialize_any, deserialize_identifier, deserialize_ignored_any, deserialize_i128,
        deserialize_u128
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.flag()?)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let point = self.bytes(4)?.try_into().map_err(|_| Error::Length)?;
        visitor.visit_char(char::from_u32(u32::from_le_bytes(point)).ok_or(Error::Malformed)?)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_str(self.text()?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_borrowed_bytes(self.counted_bytes()?)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.flag()? {
            visitor.visit_some(self)
        } else {
            visitor.visit_none()
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.count()?;
        complete(Parts { taker: self, left }, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        complete(Parts { taker: self, left }, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(left, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_tuple(fields.len(), visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let left = self.count()?;
        let mut pairs = Pairs { taker: self, left, seen: BTreeSet::new() };
        let value = visitor.visit_map(&mut pairs)?;
        if pairs.left == 0 {
            Ok(value)
        } else {
            Err(Error::Length)
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self)
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// Lets a visitor have parts, all of which it has to take.
fn complete<'de, V: Visitor<'de>>(
    mut parts: Parts<'_, 'de>,
    visitor: V,
) -> Result<V::Value, Error> {
    let value = visitor.visit_seq(&mut parts)?;
    if parts.left == 0 {
        Ok(value)
    } else {
        Err(Error::Length)
    }
}

/// The elements of a sequence, or the fields of a struct.
struct Parts<'a, 'de> {
    taker: &'a mut Taker<'de>,
    left: usize,
}

impl<'de> de::SeqAccess<'de> for Parts<'_, 'de> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        seed.deserialize(&mut *self.taker).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The entries of a map, by the bytes of their keys.
struct Pairs<'a, 'de> {
    taker: &'a mut Taker<'de>,
    left: usize,
    seen: BTreeSet<&'de [u8]>,
}

impl<'de> de::MapAccess<'de> for Pairs<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let before = self.taker.reader.rest();
        let key = seed.deserialize(&mut *self.taker)?;
        let size = before.len() - self.taker.reader.rest().len();
        if self.seen.insert(&before[..size]) {
            Ok(Some(key))
        } else {
            Err(Error::Repeated)
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(&mut *self.taker)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

impl<'a, 'de> de::EnumAccess<'de> for &'a mut Taker<'de> {
    type Error = Error;
    type Variant = &'a mut Taker<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), Error> {
        let index = self.reader.varint().ok_or(Error::Malformed)?;
        let index = u32::try_from(index).map_err(|_| Error::Malformed)?;
        let index: U32Deserializer<Error> = index.into_deserializer();
        Ok((seed.deserialize(index)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for &mut Taker<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_tuple(self, left, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_tuple(self, fields.len(), visitor)
    }
}
