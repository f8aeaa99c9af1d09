//! Drives the library for Zig in its tests: the first byte of input 0 says what to do.
const veracruz = @import("veracruz");
const Error = veracruz.Error;

fn copyNumber(comptime T: type, in: *veracruz.Reader, out: *veracruz.Writer) Error!void {
    try out.value(T, try in.value(T));
}

/// Input 1, a value of the type below, read and written again, piece by piece:
/// (bool, u8, u16, u32, u64, f32, f64, String, Option<String>, Vec<u16>, enum {A, B(u8), C(String)})
fn copyValue(input: []const u8) Error!void {
    var in = veracruz.Reader.of(input);
    var out: veracruz.Writer = .{};
    try out.boolean(try in.boolean());
    inline for (.{ u8, u16, u32, u64, f32, f64 }) |T| try copyNumber(T, &in, &out);
    try out.string(try in.string());
    const present = try in.option();
    try out.boolean(present);
    if (present) try out.string(try in.string());
    const count = try in.count(@sizeOf(u16));
    try out.varint(count);
    for (0..count) |_| try copyNumber(u16, &in, &out);
    const variant = try in.variant(3);
    try out.varint(variant);
    if (variant == 1) try copyNumber(u8, &in, &out);
    if (variant == 2) try out.string(try in.string());
    try in.finish();
    try out.finish();
}

fn randomBytes() Error!void {
    var bytes: [16]u8 = undefined;
    try veracruz.random(&bytes);
    try veracruz.writeOutput(&bytes);
}

/// The last stream and the previous result, one after the other.
fn streams() Error!void {
    var out: veracruz.Writer = .{};
    const count = veracruz.streamCount();
    try out.value(u32, count);
    if (count > 0) try out.string(try veracruz.readStream(count - 1));
    try out.boolean(veracruz.hasPreviousResult());
    try out.string(try veracruz.readPreviousResult());
    try out.finish();
}

fn run() Error!void {
    const what = try veracruz.readInput(0);
    if (what.len != 1) return error.BadInput;
    const input = if (veracruz.inputCount() > 1) try veracruz.readInput(1) else "";
    switch (what[0]) {
        'v' => try copyValue(input),
        'r' => try randomBytes(),
        's' => try streams(),
        'w' => {
            try veracruz.writeOutput("once");
            try veracruz.writeOutput("twice");
        },
        'i' => _ = try veracruz.readInput(7),
        else => return error.NotImplemented,
    }
}

export fn main() i32 {
    const what = veracruz.readInput(0) catch "";
    if (what.len == 1) switch (what[0]) {
        'R' => return veracruz.refuseInput(2, 3),
        'T' => return veracruz.refuseStream(0xffff, 0xff),
        'B' => return veracruz.refuseInput(0x10000, 0),
        else => {},
    };
    run() catch |err| return veracruz.codeOf(err);
    return 0;
}
