//! How alike two texts are, from 0 to 1, by Jaro and Winkler.
//!
//! Two inputs, each the bytes of a text in UTF-8 (not encoded); the result is one f64. Time and
//! memory are linear in the texts, up to a logarithm. With `std`; an error ends the program with
//! code 1.

use std::collections::{BTreeMap, VecDeque};

use libveracruz::{input_count, read_input, write_result, ErrorCode, Veracruz};

const BOOST_ABOVE: f64 = 0.7;
const BOOST_PER_CHAR: f64 = 0.1;
const LONGEST_PREFIX: usize = 4;

fn main() -> Veracruz {
    if input_count() != 2 {
        return Err(ErrorCode::DataSourceCount.into());
    }
    let (a, b) = (text(0)?, text(1)?);
    write_result(&boosted(jaro(&a, &b), &a, &b))
}

fn text(index: u32) -> Result<Vec<char>, i32> {
    let bytes = read_input(index).map_err(|_| i32::from(ErrorCode::DataSourceCount))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| i32::from(ErrorCode::BadInput))?;
    Ok(text.chars().collect())
}

fn jaro(a: &[char], b: &[char]) -> f64 {
    if a.is_empty() && b.is_empty() {
        return 1.0;
    }
    let (matched_of_a, matched_of_b) = matches(a, b);
    if matched_of_a.is_empty() {
        return 0.0;
    }
    let out_of_order = matched_of_a.iter().zip(&matched_of_b).filter(|(x, y)| x != y).count();
    let m = matched_of_a.len() as f64;
    let transpositions = (out_of_order / 2) as f64; // whole ones
    (m / a.len() as f64 + m / b.len() as f64 + (m - transpositions) / m) / 3.0
}

/// The characters that have a partner in the other text, equal and not too far away, in the order
/// of each text. A character of `a` takes the first that is free in `b`.
fn matches(a: &[char], b: &[char]) -> (Vec<char>, Vec<char>) {
    let range = (a.len().max(b.len()) / 2).saturating_sub(1);
    let mut free: BTreeMap<char, VecDeque<usize>> = BTreeMap::new();
    for (place, character) in b.iter().enumerate() {
        free.entry(*character).or_default().push_back(place);
    }
    let mut of_a = Vec::new();
    let mut taken = vec![false; b.len()];
    for (i, character) in a.iter().enumerate() {
        let places = match free.get_mut(character) {
            Some(places) => places,
            None => continue,
        };
        while places.front().map_or(false, |place| *place + range < i) {
            places.pop_front(); // out of reach for all that follow, too
        }
        if places.front().map_or(false, |place| *place <= i + range) {
            taken[places.pop_front().unwrap_or_default()] = true;
            of_a.push(*character);
        }
    }
    let of_b = b.iter().zip(&taken).filter(|(_, taken)| **taken).map(|(each, _)| *each).collect();
    (of_a, of_b)
}

/// Winkler's boost for texts that are alike and begin alike.
fn boosted(similarity: f64, a: &[char], b: &[char]) -> f64 {
    if similarity <= BOOST_ABOVE {
        return similarity;
    }
    let prefix = a.iter().zip(b).take(LONGEST_PREFIX).take_while(|(x, y)| x == y).count();
    similarity + BOOST_PER_CHAR * prefix as f64 * (1.0 - similarity)
}
