//! What a Rust program needs to run inside Veracruz: its inputs, its result, random numbers, and the
//! encoding that values travel in. It needs `alloc` and nothing else, so it serves programs with
//! and without `std`.
//!
//! Every input is somebody else's: nothing here reads past it, trusts a length in it, or panics on it.
#![no_std]
#![forbid(unsafe_op_in_unsafe_fn)]

extern crate alloc;

pub mod host;
pub mod message;
pub mod pinecone;
pub mod return_code;

pub use host::{
    getrandom, has_previous_result, input_count, input_size, previous_result_size,
    read_all_inputs, read_all_streams, read_input, read_previous_result, read_stream,
    stream_count, stream_size, write_output, HostError,
};
pub use message::say;
pub use pinecone::{decode, encode, encode_items, encoded_items, Decode, Encode};
pub use return_code::{refuse_input, refuse_stream, ErrorCode, Termination, Veracruz};

/// Encodes a value and writes it as the result.
///
/// # Errors
/// `InvariantFailed` when the result cannot be written, for instance a second time.
pub fn write_result<T: Encode>(value: &T) -> Veracruz {
    write_output(&encode(value)).map_err(|_| ErrorCode::InvariantFailed.into())
}

/// Decodes input number `index`, to its last byte.
///
/// # Errors
/// `DataSourceCount` without such an input, `BadInput` when it is something else.
pub fn input<T: Decode>(index: u32) -> Result<T, i32> {
    let data = read_input(index).map_err(|_| i32::from(ErrorCode::DataSourceCount))?;
    decode(&data).ok_or_else(|| ErrorCode::BadInput.into())
}

/// Decodes stream item number `index` of this round, to its last byte.
///
/// # Errors
/// As `input`.
pub fn stream<T: Decode>(index: u32) -> Result<T, i32> {
    let data = read_stream(index).map_err(|_| i32::from(ErrorCode::DataSourceCount))?;
    decode(&data).ok_or_else(|| ErrorCode::BadInput.into())
}
