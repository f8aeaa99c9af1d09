//! Logistic regression as in the iDASH 2017 competition: accelerated gradient descent with the
//! sigmoid approximated by a polynomial.
//!
//! Input: `(train, test, iterations, degree, gamma_up, gamma_down)`, of type
//! `(Vec<Vec<f64>>, Vec<Vec<f64>>, u32, u32, i32, i32)`; in each row the label, 1 or -1, comes first,
//! and the other columns are multiplied by it. The result is `(Vec<f64>, f64, f64)`: weights,
//! percentage of correct answers, area under the curve. With `std`; an error ends it with code 1.

use libveracruz::{input, input_count, write_result, ErrorCode, Veracruz};

type Rows = Vec<Vec<f64>>;
type Input = (Rows, Rows, u32, u32, i32, i32);

fn main() -> Veracruz {
    if input_count() != 1 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let (mut train, mut test, iterations, degree, up, down): Input = input(0)?;
    let columns = train.first().map_or(0, Vec::len);
    let uneven = train.iter().chain(&test).any(|row| row.len() != columns);
    if columns == 0 || test.is_empty() || uneven {
        return Err(ErrorCode::BadInput.into());
    }
    normalise(&mut train);
    normalise(&mut test);
    let weights = descend(&train, iterations, degree, (up, down));
    let (correctness, area) = quality(&test, &weights);
    write_result(&(weights, correctness, area))
}

/// Divides each column by its largest absolute value.
fn normalise(rows: &mut Rows) {
    for column in 0..rows[0].len() {
        let largest = rows.iter().map(|row| row[column].abs()).fold(0.0, f64::max);
        if largest > 0.0 {
            rows.iter_mut().for_each(|row| row[column] /= largest);
        }
    }
}

/// Nesterov's accelerated gradient descent.
fn descend(rows: &Rows, iterations: u32, degree: u32, (up, down): (i32, i32)) -> Vec<f64> {
    let columns = rows[0].len();
    let count = rows.len() as f64;
    let (mut w, mut v) = (vec![0.0; columns], vec![0.0; columns]);
    let mut alpha = 0.01;
    let mut next_alpha = following(alpha);
    for k in 0..iterations {
        let eta = (1.0 - alpha) / next_alpha;
        let divisor = if down > 0 { f64::from(down) } else { f64::from(k) - f64::from(down) };
        let gamma = f64::from(up) / divisor / count;
        let mut gradient = vec![0.0; columns];
        for row in rows {
            let factor = sigmoid(dot(row, &v), degree);
            gradient.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * factor);
        }
        for at in 0..columns {
            let new = v[at] - gamma * gradient[at];
            v[at] = (1.0 - eta) * new + eta * w[at];
            w[at] = new;
        }
        alpha = next_alpha;
        next_alpha = following(alpha);
    }
    w
}

fn following(alpha: f64) -> f64 {
    (1.0 + (1.0 + 4.0 * alpha * alpha).sqrt()) / 2.0
}

/// The derivative of the loss, about -1/(1+e^x), by a polynomial of degree 3, 5 or 7.
fn sigmoid(x: f64, degree: u32) -> f64 {
    match degree {
        3 => -0.5 + 0.15012 * x - 0.001593 * x.powi(3),
        5 => -0.5 + 0.19131 * x - 0.0045963 * x.powi(3) + 0.0000412332 * x.powi(5),
        _ => {
            -0.5 + 0.216884 * x - 0.00819276 * x.powi(3) + 0.000165861 * x.powi(5)
                - 0.00000119581 * x.powi(7)
        }
    }
}

fn quality(rows: &Rows, weights: &[f64]) -> (f64, f64) {
    let wrong = rows.iter().filter(|row| dot(row, weights) < 0.0).count();
    let correctness = 100.0 - 100.0 * wrong as f64 / rows.len() as f64;
    let score = |row: &Vec<f64>| row[0] * dot(&row[1..], &weights[1..]);
    let (positive, negative): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row[0] > 0.0);
    let mut below: Vec<f64> = negative.into_iter().map(score).collect();
    below.sort_by(f64::total_cmp);
    let mut pairs = 0;
    for row in &positive {
        let own = score(row);
        pairs += below.partition_point(|other| *other <= own);
    }
    let all = positive.len() * below.len();
    (correctness, if all == 0 { 0.0 } else { pairs as f64 / all as f64 })
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}
