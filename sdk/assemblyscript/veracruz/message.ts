// What a program says to its author: the host takes it when the run has ended, if the program was
// built with --debug, and gives it to nobody but the author.

// A pointer and a size. What is said is outside the collector's memory: an assertion may fail
// before anything else is there.
const MESSAGE: usize = memory.data(8, 4);
const ABORTED: usize = memory.data(4, 4);

/** Say a line to the author; what was said before stays. */
export function say(line: string): void {
  const more = String.UTF8.encode(line + "\n");
  const before: usize = load<u32>(MESSAGE + 4);
  const size = before + more.byteLength;
  const all = before == 0 ? heap.alloc(size) : heap.realloc(load<u32>(MESSAGE), size);
  memory.copy(all + before, changetype<usize>(more), more.byteLength);
  store<u32>(MESSAGE, <u32>all);
  store<u32>(MESSAGE + 4, <u32>size);
}

/** What a failed assertion and a range error call: says what and where, and traps. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  if (load<u32>(ABORTED) != 0) unreachable(); // saying so has failed, too
  store<u32>(ABORTED, 1);
  const what = message === null ? "aborted" : message;
  say(`${what} (${file === null ? "?" : file}:${line}:${column})`);
  unreachable();
}

/** The ABI's global, which only a program that is built with --debug exports. */
export const veracruz_message: usize = MESSAGE;
