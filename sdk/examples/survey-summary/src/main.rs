//! What those asked in a survey answered, region by region, without saying who.
//!
//! Every input is one interviewer's, a `Vec<Interview>`; the result is a `BTreeMap<String, Summary>`.
//! A region where fewer than five were asked is left out. The types are `serde`'s.
#![no_main]

use std::collections::BTreeMap;

use libveracruz::{input_count, ErrorCode, Veracruz};
use serde::{Deserialize, Serialize};

const LEAST_ASKED: u32 = 5;

#[derive(Deserialize)]
struct Interview {
    region: String,
    age: Option<u8>,
    answer: Answer,
}

#[derive(Deserialize)]
enum Answer {
    Refused,
    Grade(u8),
    Words(String),
    Both { grade: u8, words: String },
}

#[derive(Default, Serialize)]
struct Summary {
    asked: u32,
    refused: u32,
    ages: Option<(u8, u8)>,
    grades: BTreeMap<u8, u32>,
    words: Vec<String>,
}

libveracruz::entry!(program);

fn program() -> Veracruz {
    if input_count() == 0 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let mut regions: BTreeMap<String, Summary> = BTreeMap::new();
    for index in 0..input_count() {
        for interview in veracruz_serde::input::<Vec<Interview>>(index)? {
            regions.entry(interview.region).or_default().add(interview.age, interview.answer);
        }
    }
    regions.retain(|_, region| region.asked >= LEAST_ASKED);
    regions.values_mut().for_each(|region| region.words.sort()); // not in the order of the inputs
    veracruz_serde::write_result(&regions)
}

impl Summary {
    fn add(&mut self, age: Option<u8>, answer: Answer) {
        self.asked += 1;
        if let Some(age) = age {
            let (least, most) = self.ages.unwrap_or((age, age));
            self.ages = Some((least.min(age), most.max(age)));
        }
        let (grade, words) = match answer {
            Answer::Refused => {
                self.refused += 1;
                (None, None)
            }
            Answer::Grade(grade) => (Some(grade), None),
            Answer::Words(words) => (None, Some(words)),
            Answer::Both { grade, words } => (Some(grade), Some(words)),
        };
        if let Some(grade) = grade {
            *self.grades.entry(grade).or_default() += 1;
        }
        self.words.extend(words);
    }
}
