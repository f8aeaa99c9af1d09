//! A secret ballot: how many voted for what, if enough voted at all.
//!
//! Input 0: `{choices: Vec<String>, least_voters: u32, least_votes: u32}`, the terms; each further
//! input is a ballot, the number of a choice as u32. The result is
//! `{voters: u32, spoiled: u32, tally: Vec<(String, u32)>}`: no tally below `least_voters` valid
//! ballots, and in it only choices with at least `least_votes`.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use libveracruz::{input, input_count, record, write_result, ErrorCode, Veracruz};

record! { struct Terms { choices: Vec<String>, least_voters: u32, least_votes: u32 } }
record! { struct Outcome { voters: u32, spoiled: u32, tally: Vec<(String, u32)> } }

veracruz_rt::entry!(program);

fn program() -> Veracruz {
    if input_count() < 1 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let terms: Terms = input(0)?;
    let mut votes = vec![0u32; terms.choices.len()];
    let mut spoiled = 0;
    for index in 1..input_count() {
        let choice: u32 = input(index)?;
        match votes.get_mut(choice as usize) {
            Some(count) => *count += 1,
            None => spoiled += 1,
        }
    }
    let voters: u32 = votes.iter().sum();
    let tally = if voters < terms.least_voters { Vec::new() } else {
        let counted = terms.choices.into_iter().zip(votes);
        counted.filter(|(_, count)| *count >= terms.least_votes).collect()
    };
    write_result(&Outcome { voters, spoiled, tally })
}
