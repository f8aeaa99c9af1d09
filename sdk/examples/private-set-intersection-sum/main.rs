//! How many entries of a data set are in a sample, and the sum of their values.
//!
//! Input: `{data: Vec<((u64, u64), u32)>, sample: Vec<(u64, u64)>}`; the result is `(usize, u64)`.
//! With `std`; an error ends the program with code 1.

use std::collections::HashSet;

use libveracruz::{input, input_count, record, write_result, ErrorCode, Veracruz};

type Id = (u64, u64);
record! { struct Input { data: Vec<(Id, u32)>, sample: Vec<Id> } }

fn main() -> Veracruz {
    if input_count() != 1 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let Input { data, sample } = input(0)?;
    let sample: HashSet<Id> = sample.into_iter().collect();
    let found = data.iter().filter(|(id, _)| sample.contains(id));
    let (count, sum) = found.fold((0usize, 0u64), |(count, sum), (_, value)| {
        (count + 1, sum + u64::from(*value))
    });
    write_result(&(count, sum))
}
