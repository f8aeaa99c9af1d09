//! Federated averaging: one model from everybody's, round after round.
//!
//! Input 0: `Vec<f64>`, the model to begin with. In every round each stream is a party's
//! `{examples: u32, model: Vec<f64>}`; the result, from which the next round goes on, is the mean of
//! the models weighted by their numbers of examples, or the model before when there are none.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;
use libveracruz::{
    decode, input, input_count, read_previous_result, record, stream, stream_count, write_result,
    ErrorCode, Veracruz,
};

record! { struct Update { examples: u32, model: Vec<f64> } }

veracruz_rt::entry!(program);

fn program() -> Veracruz {
    if input_count() != 1 || stream_count() == 0 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let before = model_before()?;
    let mut sum = vec![0.0; before.len()];
    let mut examples = 0u64;
    for index in 0..stream_count() {
        let update: Update = stream(index)?;
        if update.model.len() != before.len() {
            return Err(ErrorCode::BadInput.into());
        }
        examples += u64::from(update.examples);
        for (total, parameter) in sum.iter_mut().zip(&update.model) {
            *total += f64::from(update.examples) * parameter;
        }
    }
    if examples == 0 {
        return write_result(&before);
    }
    sum.iter_mut().for_each(|total| *total /= examples as f64);
    write_result(&sum)
}

fn model_before() -> Result<Vec<f64>, i32> {
    match read_previous_result().map_err(|_| i32::from(ErrorCode::Generic))? {
        Some(data) => decode(&data).ok_or_else(|| ErrorCode::BadInput.into()),
        None => input(0),
    }
}
