//! What a program returns to the host.

use crate::host::HostError;

/// The codes that have a meaning; any other number is the program's own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(i32)]
pub enum ErrorCode {
    Success = 0,
    Generic = -1,
    /// Not the number of inputs or streams it works on.
    DataSourceCount = -2,
    DataSourceSize = -3,
    /// An input does not decode.
    BadInput = -4,
    /// Also: the result could not be written.
    InvariantFailed = -5,
    NotImplemented = -6,
    /// The host has no random numbers now.
    ServiceUnavailable = -7,
}

impl From<ErrorCode> for i32 {
    fn from(code: ErrorCode) -> i32 {
        code as i32
    }
}

/// So `?` after a host call ends the program with the code that fits the status.
impl From<HostError> for i32 {
    fn from(error: HostError) -> i32 {
        ErrorCode::from(error).into()
    }
}

impl From<HostError> for ErrorCode {
    fn from(error: HostError) -> ErrorCode {
        match error {
            HostError::Generic => ErrorCode::Generic,
            HostError::DataSourceCount | HostError::StreamSourceCount => ErrorCode::DataSourceCount,
            HostError::DataSourceSize
            | HostError::StreamSourceSize
            | HostError::PreviousResultSize => ErrorCode::DataSourceSize,
            HostError::BadInput | HostError::BadStream => ErrorCode::BadInput,
            HostError::ServiceUnavailable => ErrorCode::ServiceUnavailable,
            HostError::InvariantFailed
            | HostError::ResultAlreadyWritten
            | HostError::Unknown(_) => ErrorCode::InvariantFailed,
        }
    }
}

/// The code that says which input a program refuses, and why, by a number of its own; who may read
/// the code is told the input's name in the policy. `BadInput` for an index beyond 65535.
pub const fn refuse_input(index: u32, reason: u8) -> i32 {
    refused(0x5200_0000, index, reason)
}

/// As `refuse_input`, of a stream.
pub const fn refuse_stream(index: u32, reason: u8) -> i32 {
    refused(0x5300_0000, index, reason)
}

const fn refused(first: i32, index: u32, reason: u8) -> i32 {
    if index > 0xffff {
        return ErrorCode::BadInput as i32;
    }
    first + (index as i32) * 256 + reason as i32
}

/// How a program ends: well, or with a code.
pub type Veracruz = Result<(), i32>;

/// What a program may return, as the number that the host gets.
pub trait Termination {
    fn code(self) -> i32;
}

impl Termination for () {
    fn code(self) -> i32 {
        0
    }
}

impl Termination for i32 {
    fn code(self) -> i32 {
        self
    }
}

impl Termination for Veracruz {
    fn code(self) -> i32 {
        self.err().unwrap_or(0)
    }
}

/// Makes a function the program's `main`, whose code the host gets as it is.
///
/// The program says `#![no_main]`. An ordinary `fn main` of a program with `std` gives 1 for every
/// error.
#[macro_export]
macro_rules! entry {
    ($program:path) => {
        #[no_mangle]
        pub extern "C" fn main() -> i32 {
            $crate::Termination::code($program())
        }
    };
}
