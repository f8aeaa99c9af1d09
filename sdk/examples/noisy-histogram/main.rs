//! A histogram with noise, so that nobody's presence shows (differential privacy).
//!
//! Inputs: `{edges: Vec<f64>, epsilon: f64, delta: f64}`, the terms, and any number of `Vec<f64>`.
//! The result is `Vec<i64>`: of each bin between neighbouring edges (the lower one included) how many
//! values it has, plus noise. With delta 0 the noise is Laplace's of scale 1/epsilon, otherwise
//! Gauss's of deviation sqrt(2 ln(1.25/delta))/epsilon, each rounded to a whole number.
//!
//! One value changes one bin by one, so a party that gives one value is protected as said; one that
//! gives n of them n times less. The noise comes from the host's random numbers by way of floating
//! point and is rounded: of its lowest bits nothing is released. With `std`; an error ends the
//! program with code 1.

use libveracruz::{getrandom, input, input_count, record, write_result, ErrorCode, Veracruz};

const LEAST_EPSILON: f64 = 1e-6;

record! { struct Terms { edges: Vec<f64>, epsilon: f64, delta: f64 } }

fn main() -> Veracruz {
    if input_count() < 2 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let terms: Terms = input(0)?;
    let rising = terms.edges.windows(2).all(|pair| pair[0] < pair[1]);
    if terms.edges.len() < 2 || !rising || !protect(&terms) {
        return Err(ErrorCode::BadInput.into());
    }
    let mut counts = vec![0i64; terms.edges.len() - 1];
    for index in 1..input_count() {
        let values: Vec<f64> = input(index)?;
        for value in values {
            let at = terms.edges.partition_point(|edge| *edge <= value);
            if (1..terms.edges.len()).contains(&at) {
                counts[at - 1] += 1;
            }
        }
    }
    for count in &mut counts {
        *count += noise(&terms)?.round() as i64;
    }
    write_result(&counts)
}

/// Whether the noise does what epsilon and delta say. Below the least epsilon it would come in steps
/// of more than one and let the count's low bits through; Gauss's deviation is proven up to 1.
fn protect(terms: &Terms) -> bool {
    let most = if terms.delta == 0.0 { f64::MAX } else { 1.0 };
    (LEAST_EPSILON..=most).contains(&terms.epsilon) && (0.0..1.0).contains(&terms.delta)
}

fn noise(terms: &Terms) -> Result<f64, i32> {
    if terms.delta == 0.0 {
        // The difference of two exponential variates is Laplace's.
        return Ok((uniform()?.ln() - uniform()?.ln()) / terms.epsilon);
    }
    let deviation = (2.0 * (1.25 / terms.delta).ln()).sqrt() / terms.epsilon;
    let radius = (-2.0 * uniform()?.ln()).sqrt(); // Box and Muller
    Ok(deviation * radius * (std::f64::consts::TAU * uniform()?).cos())
}

/// A number above 0 and up to 1, in steps of 2^-53.
fn uniform() -> Result<f64, i32> {
    let mut bytes = [0; 8];
    getrandom(&mut bytes).map_err(|_| i32::from(ErrorCode::ServiceUnavailable))?;
    let steps = (u64::from_le_bytes(bytes) >> 11) + 1;
    Ok(steps as f64 / 9007199254740992.0)
}
