//! Why a value cannot be encoded, or bytes cannot be decoded.

use alloc::string::{String, ToString};
use core::fmt;

/// What went wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Error {
    /// The bytes end too early, or there are others after the value.
    Length,
    /// Some bytes are not the encoding of what is expected there, or not the shortest one.
    Malformed,
    /// A map has a key twice.
    Repeated,
    /// The type has no encoding: it is to be guessed from the data, is of 128 bits, or a sequence
    /// whose length is not known beforehand.
    Unsupported,
    /// What the type says of a value that it does not take.
    Custom(String),
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Error::Length => "cut off, or left over",
            Error::Malformed => "not the encoding of a value",
            Error::Repeated => "a key is there twice",
            Error::Unsupported => "a type without an encoding",
            Error::Custom(message) => message,
        })
    }
}

impl serde::ser::StdError for Error {}

impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Error::Custom(message.to_string())
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Error::Custom(message.to_string())
    }
}
