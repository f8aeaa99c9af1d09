//! What kind each row is of, by a random forest that `smartcore` grows from labelled rows of several
//! parties.
//!
//! The last input is the rows to classify, `Vec<Vec<f64>>`; every input before is one party's
//! labelled rows, `Vec<{features: Vec<f64>, label: u32}>`. The result is `Vec<u32>`, a label a row.
//! The same inputs grow the same forest.
#![no_main]

use libveracruz::{input, input_count, record, write_result, ErrorCode, Veracruz};
use smartcore::ensemble::random_forest_classifier::{
    RandomForestClassifier, RandomForestClassifierParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;

record! { struct Labelled { features: Vec<f64>, label: u32 } }

const TREES: u16 = 40;
const MOST_DEPTH: u16 = 12;
const SEED: u64 = 2026;

libveracruz::entry!(program);

fn program() -> Veracruz {
    let last = input_count().checked_sub(1).filter(|last| *last > 0);
    let last = last.ok_or(ErrorCode::DataSourceCount)?;
    let (mut features, mut labels) = (Vec::new(), Vec::new());
    for index in 0..last {
        for row in input::<Vec<Labelled>>(index)? {
            features.push(row.features);
            labels.push(row.label);
        }
    }
    let unknown: Vec<Vec<f64>> = input(last)?;
    write_result(&classified(&features, &labels, &unknown).ok_or(ErrorCode::BadInput)?)
}

/// None when the rows are no tables of one width, or not of two kinds at least.
fn classified(features: &Vec<Vec<f64>>, labels: &Vec<u32>, unknown: &Vec<Vec<f64>>) -> Option<Vec<u32>> {
    let width = features.first()?.len();
    let in_order = |row: &Vec<f64>| row.len() == width && row.iter().all(|x| x.is_finite());
    let several = labels.iter().any(|label| *label != labels[0]);
    if width == 0 || !several || !features.iter().chain(unknown).all(in_order) {
        return None;
    }
    if unknown.is_empty() {
        return Some(Vec::new());
    }
    let parameters = RandomForestClassifierParameters::default()
        .with_n_trees(TREES)
        .with_max_depth(MOST_DEPTH)
        .with_seed(SEED);
    let table = DenseMatrix::from_2d_vec(features);
    let forest = RandomForestClassifier::fit(&table, labels, parameters).ok()?;
    forest.predict(&DenseMatrix::from_2d_vec(unknown)).ok()
}
