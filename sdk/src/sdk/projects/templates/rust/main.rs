//! The sum of all inputs, each a `Vec<u64>`; the result is a `u64`.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use libveracruz::{input, input_count, write_result, Veracruz};

veracruz_rt::entry!(program);

fn program() -> Veracruz {
    let mut sum = 0u64;
    for index in 0..input_count() {
        let numbers: Vec<u64> = input(index)?;
        sum = numbers.iter().fold(sum, |sum, number| sum.wrapping_add(*number));
    }
    write_result(&sum)
}
