//! The eleven host calls, and what they are good for.

use alloc::vec;
use alloc::vec::Vec;

/// Why the host does not do what it was asked: its status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HostError {
    Generic,
    DataSourceCount,
    DataSourceSize,
    BadInput,
    InvariantFailed,
    ResultAlreadyWritten,
    ServiceUnavailable,
    StreamSourceCount,
    StreamSourceSize,
    BadStream,
    PreviousResultSize,
    /// A number that this library does not know.
    Unknown(i32),
}

#[link(wasm_import_module = "env")]
extern "C" {
    fn __veracruz_hcall_input_count(count: *mut u32) -> i32;
    fn __veracruz_hcall_input_size(index: u32, size: *mut u32) -> i32;
    fn __veracruz_hcall_read_input(index: u32, buffer: *mut u8, size: u32) -> i32;
    fn __veracruz_hcall_write_output(buffer: *const u8, size: u32) -> i32;
    fn __veracruz_hcall_getrandom(buffer: *mut u8, size: u32) -> i32;
    fn __veracruz_hcall_has_previous_result(present: *mut u32) -> i32;
    fn __veracruz_hcall_previous_result_size(size: *mut u32) -> i32;
    fn __veracruz_hcall_read_previous_result(buffer: *mut u8, size: u32) -> i32;
    fn __veracruz_hcall_stream_count(count: *mut u32) -> i32;
    fn __veracruz_hcall_stream_size(index: u32, size: *mut u32) -> i32;
    fn __veracruz_hcall_read_stream(index: u32, buffer: *mut u8, size: u32) -> i32;
}

fn checked(status: i32) -> Result<(), HostError> {
    Err(match status {
        0 => return Ok(()),
        -1 => HostError::Generic,
        -2 => HostError::DataSourceCount,
        -3 => HostError::DataSourceSize,
        -4 => HostError::BadInput,
        -5 => HostError::InvariantFailed,
        -6 => HostError::ResultAlreadyWritten,
        -7 => HostError::ServiceUnavailable,
        -8 => HostError::StreamSourceCount,
        -9 => HostError::StreamSourceSize,
        -10 => HostError::BadStream,
        -11 => HostError::PreviousResultSize,
        other => HostError::Unknown(other),
    })
}

/// A number that the host puts where it is told.
fn number(call: impl FnOnce(*mut u32) -> i32) -> Result<u32, HostError> {
    let mut value = 0;
    checked(call(&mut value))?;
    Ok(value)
}

/// Bytes that the host puts where it is told, as many as it said before.
fn content(size: u32, call: impl FnOnce(*mut u8, u32) -> i32) -> Result<Vec<u8>, HostError> {
    let mut buffer = vec![0; size as usize];
    checked(call(buffer.as_mut_ptr(), size))?;
    Ok(buffer)
}

// Each call writes within the one buffer it is given, whose size it is told.

/// How many inputs there are.
pub fn input_count() -> u32 {
    number(|count| unsafe { __veracruz_hcall_input_count(count) }).unwrap_or(0)
}

/// The size of an input, in bytes.
pub fn input_size(index: u32) -> Result<u32, HostError> {
    number(|size| unsafe { __veracruz_hcall_input_size(index, size) })
}

/// An input, whole.
pub fn read_input(index: u32) -> Result<Vec<u8>, HostError> {
    content(input_size(index)?, |buffer, size| unsafe {
        __veracruz_hcall_read_input(index, buffer, size)
    })
}

/// Every input, in the order of the policy.
pub fn read_all_inputs() -> Result<Vec<Vec<u8>>, HostError> {
    (0..input_count()).map(read_input).collect()
}

/// How many stream items this round has.
pub fn stream_count() -> u32 {
    number(|count| unsafe { __veracruz_hcall_stream_count(count) }).unwrap_or(0)
}

/// The size of a stream item, in bytes.
pub fn stream_size(index: u32) -> Result<u32, HostError> {
    number(|size| unsafe { __veracruz_hcall_stream_size(index, size) })
}

/// A stream item of this round, whole.
pub fn read_stream(index: u32) -> Result<Vec<u8>, HostError> {
    content(stream_size(index)?, |buffer, size| unsafe {
        __veracruz_hcall_read_stream(index, buffer, size)
    })
}

/// Every stream item of this round.
pub fn read_all_streams() -> Result<Vec<Vec<u8>>, HostError> {
    (0..stream_count()).map(read_stream).collect()
}

/// Whether there was a round before this one.
pub fn has_previous_result() -> bool {
    number(|present| unsafe { __veracruz_hcall_has_previous_result(present) }) == Ok(1)
}

/// The size of the last round's result, in bytes.
pub fn previous_result_size() -> Result<u32, HostError> {
    number(|size| unsafe { __veracruz_hcall_previous_result_size(size) })
}

/// The result of the round before; None in the first.
pub fn read_previous_result() -> Result<Option<Vec<u8>>, HostError> {
    if !has_previous_result() {
        return Ok(None);
    }
    content(previous_result_size()?, |buffer, size| unsafe {
        __veracruz_hcall_read_previous_result(buffer, size)
    })
    .map(Some)
}

/// Writes the result, which can be done once.
pub fn write_output(data: &[u8]) -> Result<(), HostError> {
    let size = u32::try_from(data.len()).map_err(|_| HostError::BadInput)?;
    checked(unsafe { __veracruz_hcall_write_output(data.as_ptr(), size) })
}

/// Fills a buffer with random bytes that nobody else knows.
pub fn getrandom(buffer: &mut [u8]) -> Result<(), HostError> {
    let size = u32::try_from(buffer.len()).map_err(|_| HostError::BadInput)?;
    checked(unsafe { __veracruz_hcall_getrandom(buffer.as_mut_ptr(), size) })
}
