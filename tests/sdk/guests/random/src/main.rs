//! Random bytes by `getrandom`: input 0 says of which version, 2 or 3, and how many.
#![no_main]

use libveracruz::{read_input, write_output, Veracruz};
use veracruz_getrandom as _;

libveracruz::entry!(program);

fn program() -> Veracruz {
    let asked = read_input(0).map_err(|_| -2)?;
    let mut bytes = vec![0xee; asked[1] as usize];
    match asked[0] {
        2 => getrandom_02::getrandom(&mut bytes).map_err(code_02)?,
        _ => getrandom_03::fill(&mut bytes).map_err(code_03)?,
    }
    write_output(&bytes).map_err(|_| -5)
}

fn code_02(error: getrandom_02::Error) -> i32 {
    getrandom_02::Error::CUSTOM_START as i32 - error.code().get() as i32
}

fn code_03(error: getrandom_03::Error) -> i32 {
    let found = (0..100).find(|number| error == getrandom_03::Error::new_custom(*number));
    found.map_or(-100, |number| -i32::from(number))
}
