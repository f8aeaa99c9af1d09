//! How much the viewers of an advertisement spent: the sum over all customers who are viewers.
//!
//! Inputs: `Vec<{id: String}>`, the viewers, and `Vec<{id: String, total_spend: f64}>`, the
//! customers. Who is listed twice counts twice, on either side. The result is an f64, summed in the
//! order of the viewers and, for each, of the customers.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use libveracruz::{input, input_count, record, write_result, ErrorCode, Veracruz};

record! { struct Viewer { id: String } }
record! { struct Customer { id: String, total_spend: f64 } }

veracruz_rt::entry!(program);

fn program() -> Veracruz {
    if input_count() != 2 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let viewers: Vec<Viewer> = input(0)?;
    let customers: Vec<Customer> = input(1)?;
    let mut spent: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for customer in &customers {
        spent.entry(&customer.id).or_default().push(customer.total_spend);
    }
    let mut sum = 0.0;
    for amount in viewers.iter().filter_map(|viewer| spent.get(viewer.id.as_str())).flatten() {
        sum += amount;
    }
    write_result(&sum)
}
