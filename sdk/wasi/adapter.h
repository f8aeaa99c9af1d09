/* WASI 0.1 on Veracruz's host calls: what the parts of the adapter share.
 *
 * Theory of operation. `veracruz-sdk adapt` links a program with this module, and both have one
 * memory, the program's. What the adapter needs is in its *arena*, the pages behind those that the
 * program knows of: the linker replaces `memory.size` and `memory.grow` in the program's code by
 * `program_memory_size` and `program_memory_grow` of arena.c, which move the arena up when the
 * program grows. So the program finds its memory in one piece and nobody else's bytes in it, as
 * allocators assume. For the same reason this code has no data, no table and no stack of its own in
 * memory: constants are in its instructions, and what outlives a call is in a global of
 * WebAssembly or in the arena. Places in the arena are counted from where it begins.
 *
 * A program is not trusted. Each range that it names is looked for inside its own memory before
 * anything else happens, and a bad one is answered by EFAULT and changes nothing. What it writes
 * into the arena in other ways hurts itself alone: all of this is its own code. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

enum { PAGE = 65536, MESSAGE_BYTES = 4096, FILES = 128 };

/* A function that the program may import from `wasi_snapshot_preview1`. */
#define WASI(name) __attribute__((export_name(#name))) u32 name
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define GLOBAL __attribute__((address_space(1)))

/* What is answered, by the numbers of WASI. */
enum {
  SUCCESS = 0, ACCES = 2, AGAIN = 6, BADF = 8, EXIST = 20, FAULT = 21, FBIG = 22, INVAL = 28,
  IO = 29, ISDIR = 31, MFILE = 33, NOENT = 44, NOMEM = 48, NOSPC = 51, NOSYS = 52, NOTDIR = 54,
  NOTSOCK = 57, NOTSUP = 58, ROFS = 69, SPIPE = 70, NOTCAPABLE = 76
};

/* ---- The host, and the linker ---------------------------------------------------------------- */

#define HOST_CALL(name) IMPORT("env", "__veracruz_hcall_" #name) u32 host_##name
HOST_CALL(input_count)(u32 *count);
HOST_CALL(input_size)(u32 index, u32 *size);
HOST_CALL(read_input)(u32 index, u8 *to, u32 size);
HOST_CALL(write_output)(const u8 *from, u32 size);
HOST_CALL(getrandom)(u8 *to, u32 size);
HOST_CALL(read_previous_result)(u8 *to, u32 size);
HOST_CALL(previous_result_size)(u32 *size);
HOST_CALL(has_previous_result)(u32 *has);
HOST_CALL(stream_count)(u32 *count);
HOST_CALL(stream_size)(u32 index, u32 *size);
HOST_CALL(read_stream)(u32 index, u8 *to, u32 size);

/* Made by the linker for the program: it enters it, and says what was given when it was built. */
IMPORT("link", "enter_program") u32 link_enter_program(void);
IMPORT("link", "most_pages") u32 link_most_pages(void);
IMPORT("link", "clock_begin") u64 link_clock_begin(void);
IMPORT("link", "arguments_count") u32 link_arguments_count(void);
IMPORT("link", "arguments_size") u32 link_arguments_size(void);
IMPORT("link", "arguments_copy") void link_arguments_copy(u8 *to);
IMPORT("link", "environment_count") u32 link_environment_count(void);
IMPORT("link", "environment_size") u32 link_environment_size(void);
IMPORT("link", "environment_copy") void link_environment_copy(u8 *to);

/* ---- State ----------------------------------------------------------------------------------- */

/* What a path leads to, or a descriptor is of; from SOURCE on each source has a number of its own. */
enum node { CLOSED, ROOT, INPUTS, STREAMS, OUTPUT, STDOUT, STDERR, EMPTY, SOURCE };

typedef struct file {
  u32 node;
  bool reads, writes;
  u16 flags; /* fdflags */
  u64 position;
} file;

/* An input, a stream or the previous result; its bytes are in the arena once they were asked for. */
typedef struct source {
  u32 size, at;
  bool loaded;
} source;

typedef struct state {
  u32 word; /* where the host writes numbers */
  u32 message_start, message_size; /* as `veracruz_message` points to */
  u32 said; /* bytes in `message` */
  u32 inputs, streams;
  bool has_previous;
  bool output_made; /* `/output` is there, and is the result; else standard output is */
  u32 result_at, result_size; /* the last thing in the arena, so that it grows where it is */
  u64 now; /* nanoseconds since the program was entered */
  u8 message[2 * MESSAGE_BYTES];
  file files[FILES];
  source sources[]; /* inputs, streams, the previous result */
} state;

extern GLOBAL u32 arena_page; /* where the arena begins */
extern GLOBAL u64 veracruz_exit; /* as the ABI has it */
extern GLOBAL u32 veracruz_message;

/* A value that the compiler may not fuse with what comes next: of the load of a global that is then
 * extended to 64 bits it makes a load from memory. `build-adapter` looks for such. */
static inline u32 apart(u32 value) {
  __asm__("" : "+r"(value));
  return value;
}

static inline u8 *arena(u32 at) { return (u8 *)(uintptr_t)(apart(arena_page) * PAGE + at); }
static inline state *own(void) { return (state *)arena(0); }

/* ---- Parts ----------------------------------------------------------------------------------- */

/* arena.c */
bool arena_begin(void);
bool arena_reaches(u64 end); /* makes it so long, or is false */
bool inside(u32 start, u64 size); /* the program's memory */

/* message.c */
void say(const u8 *text, u32 size);

/* sources.c */
void sources_begin(void);
u32 source_load(u32 which); /* an errno */

/* result.c */
void result_begin(u32 at);
u32 result_write(u64 position, const u8 *from, u32 size); /* an errno */
u32 result_resize(u64 size); /* an errno */
bool result_move(u32 distance); /* up, to leave room in front of it */
void result_make_output(void);
u32 result_finish(u32 code); /* the code to end with */

/* files.c */
file *open_file(u32 descriptor); /* or NULL */
u64 size_of(u32 node);
u8 type_of(u32 node);

/* paths.c: an errno, or what was found. As structures would be in memory, both are in a number. */
typedef u64 found;
found find(u32 descriptor, u32 path, u32 size);
static inline u32 errno_of(found it) { return (u32)(it >> 32) & 0xff; }
static inline u32 node_of(found it) { return (u32)it; }
static inline bool is_missing(found it) { return it >> 40 != 0; } /* all but its last name is there */

/* A program's pointers may be unaligned, which costs nothing here. */
typedef u16 __attribute__((aligned(1), may_alias)) loose16;
typedef u32 __attribute__((aligned(1), may_alias)) loose32;
typedef u64 __attribute__((aligned(1), may_alias)) loose64;
static inline void put8(u32 at, u8 value) { *(u8 *)(uintptr_t)at = value; }
static inline void put16(u32 at, u16 value) { *(loose16 *)(uintptr_t)at = value; }
static inline void put32(u32 at, u32 value) { *(loose32 *)(uintptr_t)at = value; }
static inline void put64(u32 at, u64 value) { *(loose64 *)(uintptr_t)at = value; }
static inline u8 get8(u32 at) { return *(const u8 *)(uintptr_t)at; }
static inline u16 get16(u32 at) { return *(const loose16 *)(uintptr_t)at; }
static inline u32 get32(u32 at) { return *(const loose32 *)(uintptr_t)at; }
static inline u64 get64(u32 at) { return *(const loose64 *)(uintptr_t)at; }
static inline u8 *bytes_at(u32 at) { return (u8 *)(uintptr_t)at; }
