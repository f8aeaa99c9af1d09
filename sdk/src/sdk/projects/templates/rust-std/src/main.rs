//! The sum of all inputs, each a `Vec<u64>`; the result is a `u64`.
#![no_main]

use libveracruz::{input, input_count, write_result, Veracruz};

libveracruz::entry!(program);

fn program() -> Veracruz {
    libveracruz::say_panics!();
    let mut sum = 0u64;
    for index in 0..input_count() {
        let numbers: Vec<u64> = input(index)?;
        sum = numbers.iter().fold(sum, |sum, number| sum.wrapping_add(*number));
    }
    write_result(&sum)
}
