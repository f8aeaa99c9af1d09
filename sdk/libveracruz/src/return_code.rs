//! What a program returns to the host.

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

/// How a program ends: well, or with a code.
pub type Veracruz = Result<(), i32>;
