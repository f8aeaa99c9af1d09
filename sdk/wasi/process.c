/* Where the program begins and ends, and what it is given besides files. */
#include "adapter.h"

GLOBAL u64 veracruz_exit;

__attribute__((export_name("main"))) u32 enter(void) {
  if (!arena_begin()) __builtin_trap();
  sources_begin();
  say(NULL, 0); /* the message is where nothing was said, not at address 0, which is the program's */
  file *files = own()->files;
  files[0].node = own()->inputs > 0 ? SOURCE : EMPTY;
  files[0].reads = true;
  files[1].node = STDOUT;
  files[2].node = STDERR;
  files[1].writes = files[2].writes = true;
  files[3].node = ROOT;
  return result_finish(link_enter_program());
}

/* The ABI has no way to leave from within but a trap, and a global that says that it was none. */
__attribute__((export_name("proc_exit"))) void proc_exit(u32 code) {
  veracruz_exit = (u64)1 << 32 | result_finish(code);
  __builtin_trap();
}

WASI(proc_raise)(u32 signal) {
  (void)signal;
  return NOSYS;
}

WASI(sched_yield)(void) { return SUCCESS; }

WASI(random_get)(u32 to, u32 size) {
  if (!inside(to, size)) return FAULT;
  u32 status = host_getrandom(bytes_at(to), size);
  return status == 0 ? SUCCESS : status == (u32)-7 ? AGAIN : IO;
}

static u32 put_sizes(u32 count_to, u32 size_to, u32 count, u32 size) {
  if (!inside(count_to, 4) || !inside(size_to, 4)) return FAULT;
  put32(count_to, count);
  put32(size_to, size);
  return SUCCESS;
}

static void put_pointers(u32 pointers, u32 count, u32 text) {
  for (u32 each = 0; each < count; each++) {
    put32(pointers + 4 * each, text);
    while (get8(text++) != 0) {
    }
  }
}

WASI(args_sizes_get)(u32 count, u32 size) {
  return put_sizes(count, size, link_arguments_count(), link_arguments_size());
}

WASI(args_get)(u32 pointers, u32 text) {
  u32 count = link_arguments_count();
  if (!inside(pointers, 4 * (u64)count) || !inside(text, link_arguments_size())) return FAULT;
  link_arguments_copy(bytes_at(text));
  put_pointers(pointers, count, text);
  return SUCCESS;
}

WASI(environ_sizes_get)(u32 count, u32 size) {
  return put_sizes(count, size, link_environment_count(), link_environment_size());
}

WASI(environ_get)(u32 pointers, u32 text) {
  u32 count = link_environment_count();
  if (!inside(pointers, 4 * (u64)count) || !inside(text, link_environment_size())) return FAULT;
  link_environment_copy(bytes_at(text));
  put_pointers(pointers, count, text);
  return SUCCESS;
}
