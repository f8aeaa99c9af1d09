//! When to buy and when to sell, by moving averages: a decision for each step of a price.
//!
//! Input: `Vec<f64>`, at least 34 prices; the result is `Vec<f64>`, 35 shorter (none for 34 or 35).
//! The sign of a step is approximated by a polynomial, as under homomorphic encryption, for which
//! this way of computing it was made. With `std`; an error ends the program with code 1.

use libveracruz::{input, input_count, write_result, ErrorCode, Veracruz};

const FAST: usize = 12;
const SLOW: usize = 26;
const SIGNAL: usize = 9;

fn main() -> Veracruz {
    if input_count() != 1 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let prices: Vec<f64> = input(0)?;
    if prices.len() < SLOW + SIGNAL - 1 {
        return Err(ErrorCode::BadInput.into());
    }
    let fast = weighted_average(&prices, FAST);
    let slow = weighted_average(&prices, SLOW);
    let difference = minus(&fast[SLOW - FAST..], &slow);
    let signal = weighted_average(&difference, SIGNAL);
    let divergence = minus(difference.get(SIGNAL..).unwrap_or(&[]), &signal);
    let decisions: Vec<f64> = divergence.windows(2).map(|pair| decision(pair[0], pair[1])).collect();
    write_result(&decisions)
}

/// The average of each window of `size` values, the latest of which weighs most.
fn weighted_average(values: &[f64], size: usize) -> Vec<f64> {
    let total = (size * (size + 1)) as f64;
    let weight = |at: usize| 2.0 * (at + 1) as f64 / total;
    let average = |window: &[f64]| window.iter().enumerate().map(|(at, v)| v * weight(at)).sum();
    values.windows(size).map(average).collect()
}

/// As long as the shorter of the two.
fn minus(left: &[f64], right: &[f64]) -> Vec<f64> {
    left.iter().zip(right).map(|(a, b)| a - b).collect()
}

/// Near zero where neighbours have the same sign.
fn decision(before: f64, after: f64) -> f64 {
    let (u, w) = (0.5 * before, 0.5 * after);
    let p = u * w;
    let f = -0.0001 * p.powi(9) + 0.0003 * p.powi(8) + 0.0025 * p.powi(7) - 0.009 * p.powi(6)
        - 0.0253 * p.powi(5)
        + 0.0984 * p.powi(4)
        + 0.0882 * p.powi(3)
        - 0.5173 * p.powi(2)
        + 0.4475 * p
        - 0.0753;
    f * (u - w)
}
