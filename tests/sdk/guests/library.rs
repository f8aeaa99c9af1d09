//! Takes values apart and puts them together again, by `libveracruz`; the test tells what to do by
//! input 0: `v` a value, `s` streams and the previous result, `i` items of a sequence.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;
use libveracruz::{
    encode_items, encoded_items, input, read_all_streams, read_input, read_previous_result, record,
    refuse_input, refuse_stream, write_output, write_result, ErrorCode, Veracruz,
};

record! {
    struct Numbers {
        unsigned: (u8, u16, u32, u64),
        signed: (i8, i16, i32, i64),
        floats: (f32, f64),
        whole: usize,
    }
}
record! {
    struct Everything {
        flag: bool,
        numbers: Numbers,
        text: String,
        optional: Option<Vec<u16>>,
        nested: Vec<(String, Option<bool>)>,
    }
}

veracruz_rt::entry!(program);

fn program() -> Veracruz {
    let asked = read_input(0).map_err(|_| i32::from(ErrorCode::BadInput))?;
    match asked.first() {
        Some(b'v') => write_result(&input::<Everything>(1)?),
        Some(b'i') => {
            let data = read_input(1).map_err(|_| -2)?;
            let items = encoded_items::<(String, Option<bool>)>(&data);
            write_output(&encode_items(&items.ok_or(ErrorCode::BadInput)?)).map_err(|_| -5)
        }
        Some(b's') => {
            let streams = read_all_streams().map_err(|_| -2)?;
            let previous = read_previous_result().map_err(|_| -2)?;
            write_result(&(streams, previous))
        }
        // What the program returns by `?` for an input that is not there, or refuses.
        Some(b'q') => write_output(&read_input(7)?).map_err(Into::into),
        Some(b'r') => Err(refuse_input(2, 3)),
        Some(b't') => Err(refuse_stream(0xffff, 0xff)),
        Some(b'b') => Err(refuse_input(0x10000, 0)),
        _ => Err(ErrorCode::NotImplemented.into()),
    }
}
