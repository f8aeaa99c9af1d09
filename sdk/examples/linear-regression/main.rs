//! The line that fits a set of points best, by least squares.
//!
//! One input, `Vec<(f64, f64)>`; the result is `{gradient: f64, intercept: f64}`. Sums are in the
//! order of the input.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use libveracruz::{input, input_count, record, write_result, ErrorCode, Veracruz};

record! { struct Line { gradient: f64, intercept: f64 } }

veracruz_rt::entry!(program);

fn program() -> Veracruz {
    if input_count() != 1 {
        return Err(ErrorCode::InvariantFailed.into()); // the code this program always had
    }
    let points: Vec<(f64, f64)> = input(0)?;
    write_result(&line_through(&points))
}

fn line_through(points: &[(f64, f64)]) -> Line {
    let count = points.len() as f64;
    let (mut sum_x, mut sum_y) = (0.0, 0.0);
    for (x, y) in points {
        sum_x += x;
        sum_y += y;
    }
    let (mean_x, mean_y) = (sum_x / count, sum_y / count);
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (x, y) in points {
        covariance += (x - mean_x) * (y - mean_y);
        variance += (x - mean_x) * (x - mean_x);
    }
    let gradient = covariance / variance;
    Line { gradient, intercept: mean_y - gradient * mean_x }
}
