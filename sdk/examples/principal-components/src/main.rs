//! The principal components of the rows that several parties pool: the eigenvectors of their
//! covariances, by `nalgebra`.
//!
//! Every input is one party's rows, `Vec<Vec<f64>>`, all as long as the first; the result is
//! `{means: Vec<f64>, components: Vec<{variance: f64, direction: Vec<f64>}>}`, the component of the
//! largest variance first. A direction has length 1 and its largest entry is positive.
#![no_main]

use libveracruz::{input, input_count, record, write_result, ErrorCode, Veracruz};
use nalgebra::{DMatrix, SymmetricEigen};

const MOST_STEPS: usize = 10_000;

record! { struct Component { variance: f64, direction: Vec<f64> } }
record! { struct Analysis { means: Vec<f64>, components: Vec<Component> } }

libveracruz::entry!(program);

fn program() -> Veracruz {
    if input_count() == 0 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let mut rows: Vec<Vec<f64>> = Vec::new();
    for index in 0..input_count() {
        rows.append(&mut input(index)?);
    }
    write_result(&analysis(&rows).ok_or(ErrorCode::BadInput)?)
}

/// None when the rows are no table of numbers, or too few to vary.
fn analysis(rows: &[Vec<f64>]) -> Option<Analysis> {
    let width = rows.first()?.len();
    let in_order = |row: &Vec<f64>| row.len() == width && row.iter().all(|x| x.is_finite());
    if rows.len() < 2 || width == 0 || !rows.iter().all(in_order) {
        return None;
    }
    let mut table = DMatrix::from_fn(rows.len(), width, |row, column| rows[row][column]);
    let means: Vec<f64> = table.column_iter().map(|column| column.mean()).collect();
    for (mut column, mean) in table.column_iter_mut().zip(&means) {
        column.add_scalar_mut(-mean);
    }
    let covariances = table.tr_mul(&table) / (rows.len() - 1) as f64;
    let found = SymmetricEigen::try_new(covariances, f64::EPSILON, MOST_STEPS)?;
    let mut components: Vec<Component> = found
        .eigenvectors
        .column_iter()
        .zip(found.eigenvalues.iter())
        .map(|(direction, variance)| Component {
            variance: variance.max(0.0),
            direction: upright(direction.iter().copied().collect()),
        })
        .collect();
    components.sort_by(|one, other| other.variance.total_cmp(&one.variance));
    components.truncate(rows.len() - 1); // as many directions at most are not chance
    Some(Analysis { means, components })
}

/// The same direction, with its largest entry positive.
fn upright(direction: Vec<f64>) -> Vec<f64> {
    let largest = direction.iter().fold(0.0, |far: f64, x| if x.abs() > far.abs() { *x } else { far });
    direction.iter().map(|x| x * largest.signum()).collect()
}
