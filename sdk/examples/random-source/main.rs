//! Four random bytes from the host, as `Vec<u8>`.
#![no_std]
#![no_main]

extern crate alloc;

use libveracruz::{getrandom, write_result, ErrorCode, HostError, Veracruz};

veracruz_rt::entry!(program);

fn program() -> Veracruz {
    let mut bytes = alloc::vec![0u8; 4];
    getrandom(&mut bytes).map_err(|error| match error {
        HostError::ServiceUnavailable => i32::from(ErrorCode::ServiceUnavailable),
        _ => ErrorCode::Generic.into(),
    })?;
    write_result(&bytes)
}
