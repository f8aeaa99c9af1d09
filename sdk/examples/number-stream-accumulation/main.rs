//! A running sum over rounds.
//!
//! One input, the number to start from; in every round the first two streams add a number each; the
//! result is the sum so far, and the next round starts from it. All numbers are f64. With `std`; an
//! error ends the program with code 1.

use libveracruz::{
    decode, input, input_count, read_previous_result, stream, stream_count, write_result, ErrorCode,
    Veracruz,
};

fn main() -> Veracruz {
    if input_count() != 1 || stream_count() < 2 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let sum = sum_so_far()? + stream::<f64>(0)? + stream::<f64>(1)?;
    write_result(&sum)
}

fn sum_so_far() -> Result<f64, i32> {
    match read_previous_result().map_err(|_| i32::from(ErrorCode::InvariantFailed))? {
        None => input(0),
        Some(sum) => decode(&sum).ok_or_else(|| ErrorCode::BadInput.into()),
    }
}
