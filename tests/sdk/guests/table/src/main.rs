//! Totals of a CSV file by group, as JSON.
#![no_main]
use std::collections::BTreeMap;
use libveracruz::{read_input, write_output, ErrorCode, Veracruz};
use serde::{Deserialize, Serialize};

libveracruz::entry!(program);

#[derive(Deserialize)]
struct Row { group: String, amount: f64 }

#[derive(Serialize)]
struct Total { group: String, rows: u32, sum: f64 }

fn program() -> Veracruz {
    let data = read_input(0).map_err(|_| i32::from(ErrorCode::DataSourceCount))?;
    let mut totals = BTreeMap::<String, (u32, f64)>::new();
    for row in csv::Reader::from_reader(data.as_slice()).deserialize() {
        let row: Row = row.map_err(|_| i32::from(ErrorCode::BadInput))?;
        let total = totals.entry(row.group).or_default();
        *total = (total.0 + 1, total.1 + row.amount);
    }
    let totals: Vec<_> = totals.into_iter().map(|(group, (rows, sum))| Total { group, rows, sum }).collect();
    let text = serde_json::to_vec(&totals).map_err(|_| i32::from(ErrorCode::InvariantFailed))?;
    write_output(&text).map_err(|_| ErrorCode::InvariantFailed.into())
}
