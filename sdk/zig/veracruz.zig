//! All that a program in Zig needs to run inside Veracruz: the host's data, and Pinecone.
//!
//! Every input is somebody else's: nothing here reads past it, trusts a length in it, or traps on it.

const std = @import("std");

/// Memory of the program, which stays until it ends.
pub const allocator = std.heap.wasm_allocator;

/// What can go wrong. `codeOf` gives the code that the program returns for it.
pub const Error = error{
    /// Not the number of inputs or streams it works on.
    DataSourceCount,
    DataSourceSize,
    /// An input does not decode.
    BadInput,
    InvariantFailed,
    NotImplemented,
    /// The host has no random numbers now.
    ServiceUnavailable,
    /// A result was written before.
    ResultAlreadyWritten,
    Generic,
    OutOfMemory,
};

/// The code of the convention for an error; 0 is success, any other the program's own.
pub fn codeOf(err: Error) i32 {
    return switch (err) {
        error.Generic, error.OutOfMemory => -1,
        error.DataSourceCount => -2,
        error.DataSourceSize => -3,
        error.BadInput => -4,
        error.InvariantFailed, error.ResultAlreadyWritten => -5,
        error.NotImplemented => -6,
        error.ServiceUnavailable => -7,
    };
}

/// The code that says which input a program refuses, and why, by a number of its own; who may read
/// the code is told the input's name in the policy. For an index beyond 65535 that of `BadInput`.
pub fn refuseInput(index: u32, reason: u8) i32 {
    return refused(0x52000000, index, reason);
}

/// As `refuseInput`, of a stream.
pub fn refuseStream(index: u32, reason: u8) i32 {
    return refused(0x53000000, index, reason);
}

fn refused(first: i32, index: u32, reason: u8) i32 {
    if (index > 0xffff) return codeOf(error.BadInput);
    return first + 256 * @as(i32, @intCast(index)) + reason;
}

// ---- The eleven host calls, exactly as the host offers them --------------------------------------

extern "env" fn __veracruz_hcall_input_count(count: *u32) i32;
extern "env" fn __veracruz_hcall_input_size(index: u32, size: *u32) i32;
extern "env" fn __veracruz_hcall_read_input(index: u32, buffer: [*]u8, size: u32) i32;
extern "env" fn __veracruz_hcall_write_output(buffer: [*]const u8, size: u32) i32;
extern "env" fn __veracruz_hcall_getrandom(buffer: [*]u8, size: u32) i32;
extern "env" fn __veracruz_hcall_read_previous_result(buffer: [*]u8, size: u32) i32;
extern "env" fn __veracruz_hcall_previous_result_size(size: *u32) i32;
extern "env" fn __veracruz_hcall_has_previous_result(present: *u32) i32;
extern "env" fn __veracruz_hcall_stream_count(count: *u32) i32;
extern "env" fn __veracruz_hcall_stream_size(index: u32, size: *u32) i32;
extern "env" fn __veracruz_hcall_read_stream(index: u32, buffer: [*]u8, size: u32) i32;

fn check(status: i32) Error!void {
    return switch (status) {
        0 => {},
        -1 => error.Generic,
        -2, -8 => error.DataSourceCount,
        -3, -9, -11 => error.DataSourceSize,
        -4, -10 => error.BadInput,
        -6 => error.ResultAlreadyWritten,
        -7 => error.ServiceUnavailable,
        else => error.InvariantFailed,
    };
}

// A call that writes one number and cannot fail, unless the host is not a Veracruz host.
fn number(call: *const fn (*u32) callconv(.c) i32) u32 {
    var found: u32 = 0;
    if (call(&found) != 0) @trap();
    return found;
}

pub fn inputCount() u32 {
    return number(__veracruz_hcall_input_count);
}

pub fn streamCount() u32 {
    return number(__veracruz_hcall_stream_count);
}

/// True from the second round on, even if the round before wrote nothing.
pub fn hasPreviousResult() bool {
    return number(__veracruz_hcall_has_previous_result) != 0;
}

// The host looks even at the address of nothing, and that of an empty slice may be anything.
var nothing: [1]u8 = undefined;

fn room(size: u32) Error![]u8 {
    return if (size == 0) nothing[0..0] else try allocator.alloc(u8, size);
}

/// The whole of an input, in new memory.
pub fn readInput(index: u32) Error![]const u8 {
    var size: u32 = 0;
    try check(__veracruz_hcall_input_size(index, &size));
    const data = try room(size);
    try check(__veracruz_hcall_read_input(index, data.ptr, size));
    return data;
}

/// The whole of a stream's item, in new memory.
pub fn readStream(index: u32) Error![]const u8 {
    var size: u32 = 0;
    try check(__veracruz_hcall_stream_size(index, &size));
    const data = try room(size);
    try check(__veracruz_hcall_read_stream(index, data.ptr, size));
    return data;
}

/// The result of the round before, in new memory; nothing in the first round.
pub fn readPreviousResult() Error![]const u8 {
    const size = number(__veracruz_hcall_previous_result_size);
    const data = try room(size);
    try check(__veracruz_hcall_read_previous_result(data.ptr, size));
    return data;
}

/// The program's result, written at most once.
pub fn writeOutput(data: []const u8) Error!void {
    const from = if (data.len == 0) &nothing else data.ptr;
    try check(__veracruz_hcall_write_output(from, @intCast(data.len)));
}

/// Random bytes of the isolate's platform.
pub fn random(buffer: []u8) Error!void {
    if (buffer.len == 0) return;
    try check(__veracruz_hcall_getrandom(buffer.ptr, @intCast(buffer.len)));
}

// ---- Pinecone ------------------------------------------------------------------------------------

/// A cursor over encoded data. Whatever does not decode is `error.BadInput`.
pub const Reader = struct {
    rest: []const u8,

    pub fn of(data: []const u8) Reader {
        return .{ .rest = data };
    }

    /// An error if something is left over.
    pub fn finish(self: *const Reader) Error!void {
        if (self.rest.len != 0) return error.BadInput;
    }

    /// The next bytes where they lie.
    pub fn take(self: *Reader, size: usize) Error![]const u8 {
        if (size > self.rest.len) return error.BadInput;
        defer self.rest = self.rest[size..];
        return self.rest[0..size];
    }

    /// A number: u8 to u64, i8 to i64, f32, f64 (usize is u64).
    pub fn value(self: *Reader, comptime T: type) Error!T {
        const Bits = @Int(.unsigned, @bitSizeOf(T));
        const bytes = try self.take(@sizeOf(T));
        return @bitCast(std.mem.readInt(Bits, bytes[0..@sizeOf(T)], .little));
    }

    pub fn boolean(self: *Reader) Error!bool {
        return switch (try self.value(u8)) {
            0 => false,
            1 => true,
            else => error.BadInput,
        };
    }

    /// True if the value of an Option follows.
    pub fn option(self: *Reader) Error!bool {
        return self.boolean();
    }

    /// Unsigned LEB128, at most 10 bytes, in its shortest form only.
    pub fn varint(self: *Reader) Error!u64 {
        var found: u64 = 0;
        for (0..10) |at| {
            const byte = try self.value(u8);
            if (at == 9 and byte > 1) break; // beyond 64 bits
            found |= @as(u64, byte & 0x7f) << @intCast(7 * at);
            if (byte & 0x80 != 0) continue;
            if (byte == 0 and at > 0) break; // not the shortest form
            return found;
        }
        return error.BadInput;
    }

    /// The length of a sequence whose elements take at least `element_size` (> 0) bytes each: what
    /// the rest cannot hold is refused before anybody allocates for it.
    pub fn count(self: *Reader, element_size: usize) Error!usize {
        const found = try self.varint();
        if (found > self.rest.len / element_size) return error.BadInput;
        return @intCast(found);
    }

    /// A text where it lies, checked to be UTF-8.
    pub fn string(self: *Reader) Error![]const u8 {
        const text = try self.take(try self.count(1));
        if (!std.unicode.utf8ValidateSlice(text)) return error.BadInput;
        return text;
    }

    /// The index of an enum's variant, below `variants`.
    pub fn variant(self: *Reader, variants: u32) Error!u32 {
        const found = try self.varint();
        if (found >= variants) return error.BadInput;
        return @intCast(found);
    }
};

/// A result that grows.
pub const Writer = struct {
    data: []u8 = &.{},
    size: usize = 0,

    /// Bytes as they are, without a length.
    pub fn bytes(self: *Writer, given: []const u8) Error!void {
        if (given.len > self.data.len - self.size) {
            const wanted = std.math.add(usize, self.size, given.len) catch return error.OutOfMemory;
            self.data = try allocator.realloc(self.data, wanted +| wanted / 2 +| 64);
        }
        @memcpy(self.data[self.size..][0..given.len], given);
        self.size += given.len;
    }

    /// A number: u8 to u64, i8 to i64, f32, f64 (usize is u64).
    pub fn value(self: *Writer, comptime T: type, given: T) Error!void {
        const Bits = @Int(.unsigned, @bitSizeOf(T));
        var encoded: [@sizeOf(T)]u8 = undefined;
        std.mem.writeInt(Bits, &encoded, @bitCast(given), .little);
        try self.bytes(&encoded);
    }

    pub fn boolean(self: *Writer, given: bool) Error!void {
        try self.value(u8, @intFromBool(given));
    }

    /// A length, a count, a variant.
    pub fn varint(self: *Writer, given: u64) Error!void {
        var left = given;
        while (left > 0x7f) : (left >>= 7) try self.value(u8, @as(u8, @truncate(left)) | 0x80);
        try self.value(u8, @intCast(left));
    }

    pub fn string(self: *Writer, text: []const u8) Error!void {
        try self.varint(text.len);
        try self.bytes(text);
    }

    /// Makes what was put the program's result.
    pub fn finish(self: *const Writer) Error!void {
        try writeOutput(self.data[0..self.size]);
    }
};
