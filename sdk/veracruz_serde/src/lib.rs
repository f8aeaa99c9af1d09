//! The encoding of inputs and results, as `libveracruz::pinecone` has it, for every type that has
//! `serde`'s traits: enums and maps too, and what other crates define.
//!
//! ```ignore
//! #[derive(serde::Deserialize)]
//! enum Answer { Refused, Grade(u8), Words(String) }
//!
//! let answers: Vec<Answer> = veracruz_serde::input(0)?;
//! ```
//!
//! A value has one encoding. What is longer than it need be, left over or cut off is refused, and so
//! is a key that a map has twice. `serde` does not tell a set from a sequence: what a set has twice
//! it has once, then.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod de;
mod error;
mod ser;

pub use de::from_bytes;
pub use error::Error;
pub use ser::to_bytes;

use libveracruz::{read_input, read_stream, write_output, ErrorCode, Veracruz};
use serde::de::DeserializeOwned;
use serde::Serialize;

/// Decodes input number `index`, to its last byte.
///
/// # Errors
/// `DataSourceCount` without such an input, `BadInput` when it is something else.
pub fn input<T: DeserializeOwned>(index: u32) -> Result<T, i32> {
    let data = read_input(index).map_err(|_| ErrorCode::DataSourceCount)?;
    from_bytes(&data).map_err(|_| ErrorCode::BadInput.into())
}

/// Decodes stream item number `index` of this round, to its last byte.
///
/// # Errors
/// As `input`.
pub fn stream<T: DeserializeOwned>(index: u32) -> Result<T, i32> {
    let data = read_stream(index).map_err(|_| ErrorCode::DataSourceCount)?;
    from_bytes(&data).map_err(|_| ErrorCode::BadInput.into())
}

/// Encodes a value and writes it as the result.
///
/// # Errors
/// `InvariantFailed` when it has no encoding, or cannot be written, for instance a second time.
pub fn write_result<T: Serialize + ?Sized>(value: &T) -> Veracruz {
    let encoded = to_bytes(value).map_err(|_| ErrorCode::InvariantFailed)?;
    write_output(&encoded).map_err(|_| ErrorCode::InvariantFailed.into())
}
