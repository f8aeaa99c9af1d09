// The eleven host calls, exactly as the host offers them.

@external("env", "__veracruz_hcall_input_count")
export declare function input_count(count: usize): i32;
@external("env", "__veracruz_hcall_input_size")
export declare function input_size(index: u32, size: usize): i32;
@external("env", "__veracruz_hcall_read_input")
export declare function read_input(index: u32, buffer: usize, size: u32): i32;
@external("env", "__veracruz_hcall_write_output")
export declare function write_output(buffer: usize, size: u32): i32;
@external("env", "__veracruz_hcall_getrandom")
export declare function getrandom(buffer: usize, size: u32): i32;
@external("env", "__veracruz_hcall_read_previous_result")
export declare function read_previous_result(buffer: usize, size: u32): i32;
@external("env", "__veracruz_hcall_previous_result_size")
export declare function previous_result_size(size: usize): i32;
@external("env", "__veracruz_hcall_has_previous_result")
export declare function has_previous_result(present: usize): i32;
@external("env", "__veracruz_hcall_stream_count")
export declare function stream_count(count: usize): i32;
@external("env", "__veracruz_hcall_stream_size")
export declare function stream_size(index: u32, size: usize): i32;
@external("env", "__veracruz_hcall_read_stream")
export declare function read_stream(index: u32, buffer: usize, size: u32): i32;
