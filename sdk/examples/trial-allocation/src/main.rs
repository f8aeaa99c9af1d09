//! Who of a trial's participants is treated, drawn by `rand` from the host's random numbers.
//!
//! Every input is one site's participants, `Vec<String>`; the result is
//! `Vec<Vec<{participant: String, treated: bool}>>`, a site's in its own order. Of every site half is
//! treated; where their number is odd, it is drawn which half is the larger.
#![no_main]

use std::collections::BTreeSet;

use libveracruz::{read_all_inputs, record, write_result, ErrorCode, Veracruz};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use veracruz_getrandom as _;

record! { struct Allocation { participant: String, treated: bool } }

libveracruz::entry!(program);

fn program() -> Veracruz {
    let inputs = read_all_inputs().map_err(|_| ErrorCode::Generic)?;
    if inputs.is_empty() {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let mut random = StdRng::try_from_os_rng().map_err(|_| ErrorCode::ServiceUnavailable)?;
    let mut seen = BTreeSet::new();
    let mut sites = Vec::new();
    for input in inputs {
        let site: Vec<String> = libveracruz::decode(&input).ok_or(ErrorCode::BadInput)?;
        if !site.iter().all(|participant| seen.insert(participant.clone())) {
            return Err(ErrorCode::BadInput.into());
        }
        sites.push(allocated(site, &mut random));
    }
    write_result(&sites)
}

fn allocated(site: Vec<String>, random: &mut StdRng) -> Vec<Allocation> {
    let half = (site.len() + usize::from(random.random::<bool>())) / 2;
    let mut treated: Vec<bool> = (0..site.len()).map(|number| number < half).collect();
    treated.shuffle(random);
    let both = site.into_iter().zip(treated);
    both.map(|(participant, treated)| Allocation { participant, treated }).collect()
}
