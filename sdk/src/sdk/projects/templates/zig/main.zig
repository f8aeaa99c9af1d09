//! The sum of all inputs, each a Vec<u64>; the result is a u64.
const veracruz = @import("veracruz");

fn run() veracruz.Error!void {
    var sum: u64 = 0;
    for (0..veracruz.inputCount()) |index| {
        var numbers = veracruz.Reader.of(try veracruz.readInput(@intCast(index)));
        for (0..try numbers.count(@sizeOf(u64))) |_| sum +%= try numbers.value(u64);
        try numbers.finish();
    }
    var result: veracruz.Writer = .{};
    try result.value(u64, sum);
    try result.finish();
}

export fn main() i32 {
    run() catch |err| return veracruz.codeOf(err);
    return 0;
}
