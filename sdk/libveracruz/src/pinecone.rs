//! The encoding of the original's programs: fixed-width little-endian numbers, lengths as unsigned
//! LEB128, fields one after another. Both sides have to know the type.
//!
//! ```
//! use libveracruz::{decode, encode, record};
//! record! { pub struct Point { x: f64, y: f64 } }
//! ```

use alloc::string::String;
use alloc::vec::Vec;

/// Something that can be written.
pub trait Encode {
    fn put(&self, out: &mut Vec<u8>);
}

/// Something that can be read.
pub trait Decode: Sized {
    /// The fewest bytes that a value takes: a sequence that announces more than there can be is
    /// refused before room is made for it.
    const LEAST_BYTES: usize;

    fn take(reader: &mut Reader<'_>) -> Option<Self>;
}

/// The bytes of a value.
pub fn encode<T: Encode>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    value.put(&mut out);
    out
}

/// The value that `data` is, to the last byte; None when it is something else.
pub fn decode<T: Decode>(data: &[u8]) -> Option<T> {
    let mut reader = Reader { data };
    let value = T::take(&mut reader)?;
    reader.data.is_empty().then(|| value)
}

/// The bytes of each item of a sequence; None when `data` is something else than a sequence of `T`.
///
/// An item has one encoding only, so two are equal when their bytes are.
pub fn encoded_items<T: Decode>(data: &[u8]) -> Option<Vec<&[u8]>> {
    let mut reader = Reader { data };
    let count = reader.count(T::LEAST_BYTES)?;
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        let before = reader.data;
        T::take(&mut reader)?;
        items.push(&before[..before.len() - reader.data.len()]);
    }
    reader.data.is_empty().then(|| items)
}

/// The bytes of a sequence of items that are encoded already.
pub fn encode_items(items: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(items.len() as u64, &mut out);
    items.iter().for_each(|item| out.extend_from_slice(item));
    out
}

/// What is left of some bytes.
pub struct Reader<'a> {
    data: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of all of some bytes.
    pub fn new(data: &'a [u8]) -> Self {
        Reader { data }
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.data
    }

    /// The next `size` bytes; None when there are fewer.
    pub fn bytes(&mut self, size: usize) -> Option<&'a [u8]> {
        let taken = self.data.get(..size)?;
        self.data = &self.data[size..];
        Some(taken)
    }

    /// An unsigned LEB128 number in its shortest form.
    pub fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.bytes(1)?[0];
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return (byte != 0 || shift == 0).then(|| value);
            }
        }
        None
    }

    /// The length of a sequence, which there is room for in what is left.
    pub fn count(&mut self, least_bytes: usize) -> Option<usize> {
        let count = usize::try_from(self.varint()?).ok()?;
        (count.checked_mul(least_bytes)? <= self.data.len()).then(|| count)
    }
}

/// Writes an unsigned LEB128 number.
pub fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value > 0x7f {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

macro_rules! numbers {
    ($($kind:ty),*) => {$(
        impl Encode for $kind {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }
        impl Decode for $kind {
            const LEAST_BYTES: usize = core::mem::size_of::<$kind>();
            fn take(reader: &mut Reader<'_>) -> Option<Self> {
                Some(<$kind>::from_le_bytes(reader.bytes(Self::LEAST_BYTES)?.try_into().ok()?))
            }
        }
    )*};
}
numbers!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

/// `usize` travels as 64 bits, whatever it has here.
impl Encode for usize {
    fn put(&self, out: &mut Vec<u8>) {
        (*self as u64).put(out);
    }
}

impl Decode for usize {
    const LEAST_BYTES: usize = 8;
    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        u64::take(reader)?.try_into().ok()
    }
}

impl Encode for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
}

impl Decode for bool {
    const LEAST_BYTES: usize = 1;
    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        match reader.bytes(1)?[0] {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Encode for str {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(self.len() as u64, out);
        out.extend_from_slice(self.as_bytes());
    }
}

impl Encode for String {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_str().put(out);
    }
}

impl Decode for String {
    const LEAST_BYTES: usize = 1;
    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        let size = reader.count(1)?;
        Some(core::str::from_utf8(reader.bytes(size)?).ok()?.into())
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_varint(self.len() as u64, out);
        self.iter().for_each(|each| each.put(out));
    }
}

impl<T: Decode> Decode for Vec<T> {
    const LEAST_BYTES: usize = 1;
    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        let count = reader.count(T::LEAST_BYTES)?;
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(T::take(reader)?);
        }
        Some(values)
    }
}

impl<T: Encode> Encode for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.is_some()));
        self.iter().for_each(|each| each.put(out));
    }
}

impl<T: Decode> Decode for Option<T> {
    const LEAST_BYTES: usize = 1;
    fn take(reader: &mut Reader<'_>) -> Option<Self> {
        Some(if bool::take(reader)? { Some(T::take(reader)?) } else { None })
    }
}

macro_rules! tuples {
    ($(($($name:ident . $at:tt),+))*) => {$(
        impl<$($name: Encode),+> Encode for ($($name,)+) {
            fn put(&self, out: &mut Vec<u8>) {
                $(self.$at.put(out);)+
            }
        }
        impl<$($name: Decode),+> Decode for ($($name,)+) {
            const LEAST_BYTES: usize = 0 $(+ $name::LEAST_BYTES)+;
            fn take(reader: &mut Reader<'_>) -> Option<Self> {
                Some(($($name::take(reader)?,)+))
            }
        }
    )*};
}
tuples! {
    (A.0)
    (A.0, B.1)
    (A.0, B.1, C.2)
    (A.0, B.1, C.2, D.3)
    (A.0, B.1, C.2, D.3, E.4)
    (A.0, B.1, C.2, D.3, E.4, F.5)
}

/// A struct that can be encoded and decoded: its fields one after another.
#[macro_export]
macro_rules! record {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident { $($field:ident : $kind:ty),+ $(,)? }) => {
        $(#[$meta])*
        $visibility struct $name {
            $(pub $field: $kind,)+
        }
        impl $crate::pinecone::Encode for $name {
            fn put(&self, out: &mut $crate::pinecone::Bytes) {
                $($crate::pinecone::Encode::put(&self.$field, out);)+
            }
        }
        impl $crate::pinecone::Decode for $name {
            const LEAST_BYTES: usize =
                0 $(+ <$kind as $crate::pinecone::Decode>::LEAST_BYTES)+;
            fn take(reader: &mut $crate::pinecone::Reader<'_>) -> Option<Self> {
                Some($name {
                    $($field: <$kind as $crate::pinecone::Decode>::take(reader)?,)+
                })
            }
        }
    };
}

/// What values are written to.
pub type Bytes = Vec<u8>;
