//! Logistic regression over the data of any number of parties.
//!
//! Each input is `{points: Vec<{point: Vec<f64>, classification: bool}>}`, all points of the same
//! dimension; the result is `Vec<f64>`: the intercept, then a parameter for each dimension. The
//! original left out the first party's data; here all count. Gradient descent with step 0.3 over at
//! most 100 iterations, from 0.5. With `std`; an error ends the program with code 1.

use libveracruz::{decode, read_all_inputs, record, write_result, ErrorCode, Veracruz};

const STEP: f64 = 0.3;
const ITERATIONS: usize = 100;
const START: f64 = 0.5;
const UNCHANGED: f64 = 1e-20;

record! { struct Labelled { point: Vec<f64>, classification: bool } }
record! { struct Party { points: Vec<Labelled> } }

fn main() -> Veracruz {
    let inputs = read_all_inputs().map_err(|_| i32::from(ErrorCode::DataSourceCount))?;
    let mut points = Vec::new();
    for data in &inputs {
        let party: Party = decode(data).ok_or_else(|| i32::from(ErrorCode::BadInput))?;
        points.extend(party.points);
    }
    let dimension = points.first().map_or(0, |first| first.point.len());
    if points.iter().any(|each| each.point.len() != dimension) {
        return Err(ErrorCode::BadInput.into());
    }
    write_result(&train(&points, dimension))
}

fn train(points: &[Labelled], dimension: usize) -> Vec<f64> {
    let mut parameters = vec![START; dimension + 1];
    if points.is_empty() {
        return parameters;
    }
    let mut last_cost = 0.0;
    for _ in 0..ITERATIONS {
        let (cost, gradient) = slope(points, &parameters);
        if f64::abs(last_cost - cost) < UNCHANGED {
            break;
        }
        for (parameter, slope) in parameters.iter_mut().zip(gradient) {
            *parameter -= STEP * slope;
        }
        last_cost = cost;
    }
    parameters
}

/// The mean cross entropy, and its gradient.
fn slope(points: &[Labelled], parameters: &[f64]) -> (f64, Vec<f64>) {
    let mut cost = 0.0;
    let mut gradient = vec![0.0; parameters.len()];
    for Labelled { point, classification } in points {
        let score: f64 = parameters[0] + dot(&parameters[1..], point);
        let output = 1.0 / (1.0 + (-score).exp());
        let target = if *classification { 1.0 } else { 0.0 };
        cost -= if *classification { output.ln() } else { (1.0 - output).ln() };
        gradient[0] += output - target;
        for (slope, x) in gradient[1..].iter_mut().zip(point) {
            *slope += (output - target) * x;
        }
    }
    let count = points.len() as f64;
    (cost / count, gradient.iter().map(|slope| slope / count).collect())
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}
