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
