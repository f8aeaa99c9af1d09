//! The people that every input lists.
//!
//! Each input is a `HashSet<Person>`; so is the result, in the order of the first input, and empty
//! without inputs. A person's encoding is unique, so two people are equal when their bytes are: no
//! person is copied. With `std`; an error ends the program with code 1.

use std::collections::hash_map::DefaultHasher;
use std::collections::HashSet;
use std::hash::{BuildHasher, Hasher};

use libveracruz::{
    encode_items, encoded_items, read_all_inputs, record, write_output, ErrorCode, Veracruz,
};

record! { struct Person { name: String, employee_id: String, age: u8, grade: u8 } }

fn main() -> Veracruz {
    let inputs = read_all_inputs().map_err(|_| i32::from(ErrorCode::DataSourceCount))?;
    let key = Key::of(&inputs);
    let mut common: Option<Vec<&[u8]>> = None;
    for input in &inputs {
        let people = encoded_items::<Person>(input).ok_or_else(|| i32::from(ErrorCode::BadInput))?;
        common = Some(match common {
            None => {
                let mut seen = HashSet::with_capacity_and_hasher(people.len(), key);
                people.into_iter().filter(|person| seen.insert(*person)).collect()
            }
            Some(mut common) => {
                let mut listed = HashSet::with_capacity_and_hasher(people.len(), key);
                listed.extend(people);
                common.retain(|person| listed.contains(person));
                common
            }
        });
    }
    let result = encode_items(&common.unwrap_or_default());
    write_output(&result).map_err(|_| ErrorCode::InvariantFailed.into())
}

/// A key that nobody who does not know every input can predict, so that nobody can choose people
/// who collide; and the same in every run, so that equal inputs take equal time.
#[derive(Clone, Copy)]
struct Key(u64);

impl Key {
    fn of(inputs: &[Vec<u8>]) -> Key {
        let mut hasher = DefaultHasher::new();
        inputs.iter().for_each(|input| hasher.write(input));
        Key(hasher.finish())
    }
}

impl BuildHasher for Key {
    type Hasher = DefaultHasher;

    fn build_hasher(&self) -> DefaultHasher {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.0);
        hasher
    }
}
