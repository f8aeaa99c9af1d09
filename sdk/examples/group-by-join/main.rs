//! Two tables joined and grouped, with small groups left out (k-anonymity).
//!
//! Inputs: `u32`, how many people a group has to have; `Vec<{id: String, group: String}>`; and
//! `Vec<{id: String, value: f64}>`. The result is `Vec<{group: String, people: u32, mean: f64}>`,
//! by the groups' names, of people who are in both tables. Who is listed twice in a table counts
//! once, as listed first.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use libveracruz::{input, input_count, record, write_result, ErrorCode, Veracruz};

record! { struct Member { id: String, group: String } }
record! { struct Measured { id: String, value: f64 } }
record! { struct Group { group: String, people: u32, mean: f64 } }

veracruz_rt::entry!(program);

fn program() -> Veracruz {
    if input_count() != 3 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let least: u32 = input(0)?;
    let members: Vec<Member> = input(1)?;
    let measured: Vec<Measured> = input(2)?;
    let mut values: BTreeMap<&str, f64> = BTreeMap::new();
    for each in &measured {
        values.entry(&each.id).or_insert(each.value);
    }
    let mut sums: BTreeMap<&str, (u32, f64)> = BTreeMap::new();
    for member in &members {
        // Taken out, so that nobody counts twice.
        if let Some(value) = values.remove(member.id.as_str()) {
            let (people, sum) = sums.entry(&member.group).or_default();
            *people += 1;
            *sum += value;
        }
    }
    let large = sums.into_iter().filter(|(_, (people, _))| *people >= least.max(1));
    let groups: Vec<Group> = large
        .map(|(group, (people, sum))| Group {
            group: group.into(),
            people,
            mean: sum / f64::from(people),
        })
        .collect();
    write_result(&groups)
}
