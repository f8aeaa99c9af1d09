// All that a program in AssemblyScript needs to run inside Veracruz.
//
// Every input is somebody else's: what is read here is the whole of it, and nothing besides. What
// the host refuses (no such input, a second result, no random numbers) ends the program as a trap.

import * as host from "./host";
export { say } from "./message";

/** What `main` returns: 0, one of the convention's codes, or another of the program's own. */
export namespace Code {
  export const Success: i32 = 0;
  export const Generic: i32 = -1;
  export const DataSourceCount: i32 = -2;
  export const DataSourceSize: i32 = -3;
  export const BadInput: i32 = -4;
  export const InvariantFailed: i32 = -5;
  export const NotImplemented: i32 = -6;
  export const ServiceUnavailable: i32 = -7;
}

// Where the host writes a number; nothing else is there.
const NUMBER: usize = memory.data(4, 4);

function number(status: i32, what: string): u32 {
  assert(status == 0, what);
  return load<u32>(NUMBER);
}

/** How many inputs there are. */
export function inputCount(): u32 {
  return number(host.input_count(NUMBER), "inputs cannot be counted");
}

/** The whole of an input. */
export function readInput(index: u32): Uint8Array {
  const bytes = new Uint8Array(number(host.input_size(index, NUMBER), "there is no such input"));
  assert(host.read_input(index, bytes.dataStart, bytes.length) == 0, "the input cannot be read");
  return bytes;
}

/** How many streams there are. */
export function streamCount(): u32 {
  return number(host.stream_count(NUMBER), "streams cannot be counted");
}

/** The whole of a stream's item. */
export function readStream(index: u32): Uint8Array {
  const bytes = new Uint8Array(number(host.stream_size(index, NUMBER), "there is no such stream"));
  assert(host.read_stream(index, bytes.dataStart, bytes.length) == 0, "the stream cannot be read");
  return bytes;
}

/** True from the second round on, even if the round before wrote nothing. */
export function hasPreviousResult(): bool {
  return number(host.has_previous_result(NUMBER), "rounds cannot be told") != 0;
}

/** The result of the round before; nothing in the first round. */
export function readPreviousResult(): Uint8Array {
  const size = number(host.previous_result_size(NUMBER), "the previous result has no size");
  const bytes = new Uint8Array(size);
  const status = host.read_previous_result(bytes.dataStart, size);
  assert(status == 0, "the previous result cannot be read");
  return bytes;
}

/** Write the program's result, at most once. */
export function writeOutput(bytes: Uint8Array): void {
  assert(host.write_output(bytes.dataStart, bytes.length) == 0, "there is a result already");
}

/** So many random bytes of the host's. */
export function random(size: u32): Uint8Array {
  const bytes = new Uint8Array(size);
  assert(host.getrandom(bytes.dataStart, size) == 0, "the host has no random numbers");
  return bytes;
}

/** Text that bytes are in UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
}

/** The bytes of a text, in UTF-8. */
export function encodeText(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}
