//! Reads tables that nobody else sees: each input is a CSV file with a column `amount`, whose
//! cells are not quoted. The result is the number of their rows, the sum of the amounts, and the
//! mean.

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind};

/// The code that readers get in place of a result, by the convention of Veracruz.
const BAD_INPUT: i32 = -4;

#[derive(Default)]
struct Total {
    rows: usize,
    sum: f64,
}

fn main() {
    match add_inputs() {
        Ok(all) if all.rows > 0 => {
            eprintln!("hello from Rust, {} rows", all.rows);
            let mean = all.sum / all.rows as f64;
            println!("rows,sum,mean\n{},{:.2},{:.2}", all.rows, all.sum, mean);
        }
        Ok(_) => fail("no input has a row"),
        Err(error) => fail(&error.to_string()),
    }
}

/// Tells the author why, where the policy says debug, and readers that there is no result.
fn fail(why: &str) {
    eprintln!("{why}");
    std::process::exit(BAD_INPUT);
}

/// Reads the files /input/0, /input/1 and so on.
fn add_inputs() -> Result<Total, Box<dyn Error>> {
    let mut all = Total::default();
    for input in 0.. {
        let table = match File::open(format!("/input/{input}")) {
            Err(error) if error.kind() == ErrorKind::NotFound => break,
            opened => BufReader::new(opened?),
        };
        all.add(table)
            .map_err(|error| format!("input {input}: {error}"))?;
    }
    Ok(all)
}

impl Total {
    /// Reads a table to its end. An error in it does not tell what a cell says.
    fn add(&mut self, table: impl BufRead) -> Result<(), Box<dyn Error>> {
        let mut lines = table.lines();
        let head = lines.next().ok_or("there is no header")??;
        let column = head
            .split(',')
            .position(|name| name == "amount")
            .ok_or("there is no column amount")?;
        for (number, line) in lines.enumerate() {
            let line = line?;
            if line.is_empty() {
                continue;
            }
            let amount =
                cell(&line, column).ok_or_else(|| format!("row {} has no number", number + 1))?;
            self.rows += 1;
            self.sum += amount;
        }
        Ok(())
    }
}

fn cell(line: &str, column: usize) -> Option<f64> {
    let amount: f64 = line.split(',').nth(column)?.parse().ok()?;
    amount.is_finite().then_some(amount)
}
