//! Does nothing, successfully: the least program there is, with `std`.

fn main() {}
