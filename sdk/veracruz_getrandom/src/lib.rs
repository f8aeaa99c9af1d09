//! The random numbers of the host, for `rand` and all others that ask the crate `getrandom`.
//!
//! A program says `use veracruz_getrandom as _;` and enables the feature of each `getrandom` among
//! its crates (`cargo tree -i getrandom`): `getrandom-02`, `getrandom-03`, `getrandom-04`. From 0.3
//! on `getrandom` also wants the flag `--cfg getrandom_backend="custom"` of the compiler, which
//! `veracruz-sdk build` gives.
//!
//! When the host has none, `getrandom` fails with the custom error `-status` of the host's status:
//! 7 is "not now". What `rand` seeds by itself then panics; `try_from_os_rng` and the like do not.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

#[cfg(any(feature = "getrandom-02", feature = "getrandom-03", feature = "getrandom-04"))]
use libveracruz::HostError;

/// The host's status without its sign, to be told apart in an error.
#[cfg(any(feature = "getrandom-02", feature = "getrandom-03", feature = "getrandom-04"))]
fn number(error: HostError) -> u16 {
    match error {
        HostError::ServiceUnavailable => 7,
        HostError::BadInput => 4,
        _ => 1,
    }
}

#[cfg(feature = "getrandom-02")]
mod version_02 {
    use core::num::NonZeroU32;
    use getrandom_02::Error;

    fn fill(buffer: &mut [u8]) -> Result<(), Error> {
        libveracruz::getrandom(buffer).map_err(|error| {
            let code = Error::CUSTOM_START + u32::from(super::number(error));
            NonZeroU32::new(code).map_or(Error::UNEXPECTED, Error::from)
        })
    }

    getrandom_02::register_custom_getrandom!(fill);
}

// Versions 0.3 and 0.4 look for the same function, whose error is the same number in both.
#[cfg(any(feature = "getrandom-03", feature = "getrandom-04"))]
mod version_03 {
    #[cfg(not(feature = "getrandom-04"))]
    use getrandom_03::Error;
    #[cfg(feature = "getrandom-04")]
    use getrandom_04::Error;

    /// # Safety
    /// `start` begins `size` bytes that may be written, though nobody did yet.
    #[no_mangle]
    unsafe extern "Rust" fn __getrandom_v03_custom(
        start: *mut u8,
        size: usize,
    ) -> Result<(), Error> {
        let buffer = unsafe {
            core::ptr::write_bytes(start, 0, size);
            core::slice::from_raw_parts_mut(start, size)
        };
        libveracruz::getrandom(buffer)
            .map_err(|error| Error::new_custom(super::number(error)))
    }
}
