/* veracruz.h: all that a program in C or C++ needs to run inside Veracruz.
 *
 *     #include <veracruz.h>
 *
 *     VC_ENTRY int32_t program(void) {
 *       vc_bytes input;
 *       if (vc_input_count() != 1) return VC_DATA_SOURCE_COUNT;
 *       int32_t code = vc_read_input(0, &input);
 *       if (code != VC_SUCCESS) return code;
 *       return vc_write_output(input.data, input.size);
 *     }
 *
 * Compile it together with veracruz.c for wasm32-freestanding, where there is no libc; or, with
 * wasi.c too, for wasm32-wasi, where there are those of C and C++ (see the README of the SDK).
 * Every input is somebody else's: nothing here reads past it, trusts a length in it, or traps on it.
 */
#ifndef VERACRUZ_H
#define VERACRUZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __wasi__
#include <string.h>
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The one function the host calls: it takes nothing and returns a code of `vc_code`. */
#define VC_ENTRY __attribute__((export_name("main")))

/* What the program returns. Any other non-zero value is the program's own error. */
enum vc_code {
  VC_SUCCESS = 0,
  VC_GENERIC = -1,             /* also: out of memory */
  VC_DATA_SOURCE_COUNT = -2,   /* not the number of inputs or streams it works on */
  VC_DATA_SOURCE_SIZE = -3,
  VC_BAD_INPUT = -4,           /* an input does not decode */
  VC_INVARIANT_FAILED = -5,    /* also: the result could not be written */
  VC_NOT_IMPLEMENTED = -6,
  VC_SERVICE_UNAVAILABLE = -7, /* the host has no random numbers now */
};

/* The codes that say which input or stream a program refuses, and why, by a number of its own; who
 * may read the code is told the input's name in the policy. For an index beyond 65535 VC_BAD_INPUT. */
static inline int32_t vc_refuse_input(uint32_t index, uint8_t reason) {
  return index > 0xffff ? VC_BAD_INPUT : (int32_t)(0x52000000u + 256u * index + reason);
}

static inline int32_t vc_refuse_stream(uint32_t index, uint8_t reason) {
  return index > 0xffff ? VC_BAD_INPUT : (int32_t)(0x53000000u + 256u * index + reason);
}

/* ---- The eleven host calls, exactly as the host offers them -------------------------------- */

/* What a host call returns; the same numbers mean other things than in `vc_code` from -5 on. */
enum vc_status {
  VC_STATUS_SUCCESS = 0,
  VC_STATUS_GENERIC = -1,
  VC_STATUS_DATA_SOURCE_COUNT = -2,
  VC_STATUS_DATA_SOURCE_SIZE = -3,
  VC_STATUS_BAD_INPUT = -4,
  VC_STATUS_INVARIANT_FAILED = -5,
  VC_STATUS_RESULT_ALREADY_WRITTEN = -6,
  VC_STATUS_SERVICE_UNAVAILABLE = -7,
  VC_STATUS_STREAM_SOURCE_COUNT = -8,
  VC_STATUS_STREAM_SOURCE_SIZE = -9,
  VC_STATUS_BAD_STREAM = -10,
  VC_STATUS_PREVIOUS_RESULT_SIZE = -11,
};

#define VC_HOST_CALL(name) \
  __attribute__((import_module("env"), import_name("__veracruz_hcall_" #name))) int32_t \
      vc_hcall_##name

VC_HOST_CALL(input_count)(uint32_t *count);
VC_HOST_CALL(input_size)(uint32_t index, uint32_t *size);
VC_HOST_CALL(read_input)(uint32_t index, void *buffer, uint32_t size);
VC_HOST_CALL(write_output)(const void *buffer, uint32_t size);
VC_HOST_CALL(getrandom)(void *buffer, uint32_t size);
VC_HOST_CALL(read_previous_result)(void *buffer, uint32_t size);
VC_HOST_CALL(previous_result_size)(uint32_t *size);
VC_HOST_CALL(has_previous_result)(uint32_t *present);
VC_HOST_CALL(stream_count)(uint32_t *count);
VC_HOST_CALL(stream_size)(uint32_t index, uint32_t *size);
VC_HOST_CALL(read_stream)(uint32_t index, void *buffer, uint32_t size);

/* The code a program should return for a host call's status. */
int32_t vc_code_of(int32_t status);

/* ---- Memory -------------------------------------------------------------------------------- */

/* Zeroed memory, aligned to 16 bytes, that stays until the program ends; NULL when there is no
 * more. There is no free: a program runs once. With a libc it is memory of calloc. */
void *vc_alloc(size_t size);
void *vc_alloc_array(size_t count, size_t element_size);

#ifndef __wasi__
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);
#endif

/* ---- Inputs, streams, previous result, output ---------------------------------------------- */

typedef struct vc_bytes {
  const uint8_t *data;
  size_t size;
} vc_bytes;

bool vc_equal(vc_bytes a, vc_bytes b);

uint32_t vc_input_count(void);
uint32_t vc_stream_count(void);
/* True from the second round on, even if the round before wrote nothing. */
bool vc_has_previous_result(void);

/* Each of these reads the whole thing into new memory and returns a `vc_code`. */
int32_t vc_read_input(uint32_t index, vc_bytes *input);
int32_t vc_read_stream(uint32_t index, vc_bytes *stream);
int32_t vc_read_previous_result(vc_bytes *result);

/* The program's result, written at most once. */
int32_t vc_write_output(const void *data, size_t size);
/* Random bytes of the isolate's platform. */
int32_t vc_random(void *buffer, size_t size);

/* Says something to the program's author, who reads the last 4096 bytes of it all where the policy
 * says `debug`. Nothing, unless the program is built for that: `veracruz-sdk build --debug`. */
#ifdef VERACRUZ_DEBUG
void vc_say(const char *text, size_t size);
#else
static inline void vc_say(const char *text, size_t size) {
  (void)text;
  (void)size;
}
#endif

/* ---- Reading Pinecone ---------------------------------------------------------------------- */

/* A cursor over an input. The first thing that does not decode sets `failed`, and everything read
 * from then on is zero or empty: read all fields, then ask once. */
typedef struct vc_reader {
  const uint8_t *at;
  const uint8_t *end;
  bool failed;
} vc_reader;

vc_reader vc_reader_of(vc_bytes input);
size_t vc_remaining(const vc_reader *reader);
/* True if everything decoded and nothing is left over. */
bool vc_reader_done(const vc_reader *reader);

/* The next `size` bytes where they lie, or NULL. */
const uint8_t *vc_take(vc_reader *reader, size_t size);
bool vc_read_bool(vc_reader *reader);
uint8_t vc_read_u8(vc_reader *reader);
uint16_t vc_read_u16(vc_reader *reader);
uint32_t vc_read_u32(vc_reader *reader);
uint64_t vc_read_u64(vc_reader *reader); /* also usize */
float vc_read_f32(vc_reader *reader);
double vc_read_f64(vc_reader *reader);
/* Unsigned LEB128, at most 10 bytes, in its shortest form only. */
uint64_t vc_read_varint(vc_reader *reader);
/* The length of a sequence whose elements take at least `element_size` (> 0) bytes each: a length
 * that the rest of the input cannot hold fails here, before anybody allocates for it. */
size_t vc_read_count(vc_reader *reader, size_t element_size);
/* A string where it lies, checked to be UTF-8. */
vc_bytes vc_read_string(vc_reader *reader);
/* True if a value follows. */
bool vc_read_option(vc_reader *reader);
/* The index of an enum's variant, below `variants`. */
uint32_t vc_read_variant(vc_reader *reader, uint32_t variants);

/* ---- Text ---------------------------------------------------------------------------------- */

#define VC_NOT_A_CHAR UINT32_MAX

/* The code point at `*at`, which moves past it; VC_NOT_A_CHAR if the bytes are not UTF-8. */
uint32_t vc_next_char(const uint8_t **at, const uint8_t *end);
bool vc_is_utf8(vc_bytes text);

/* ---- Writing Pinecone ---------------------------------------------------------------------- */

/* A buffer that grows; out of memory sets `failed`, and nothing is added from then on. */
typedef struct vc_writer {
  uint8_t *data;
  size_t size;
  size_t capacity;
  bool failed;
} vc_writer;

vc_writer vc_writer_of(size_t capacity);
void vc_put_bytes(vc_writer *writer, vc_bytes bytes); /* as they are, no length */
void vc_put_bool(vc_writer *writer, bool value);
void vc_put_u8(vc_writer *writer, uint8_t value);
void vc_put_u16(vc_writer *writer, uint16_t value);
void vc_put_u32(vc_writer *writer, uint32_t value);
void vc_put_u64(vc_writer *writer, uint64_t value);
void vc_put_f32(vc_writer *writer, float value);
void vc_put_f64(vc_writer *writer, double value);
void vc_put_varint(vc_writer *writer, uint64_t value); /* a length, a count, a variant */
void vc_put_string(vc_writer *writer, vc_bytes text);
/* Makes what was put the program's result; returns the code to leave with. */
int32_t vc_write_result(const vc_writer *writer);

/* ---- Hashing ------------------------------------------------------------------------------- */

typedef struct vc_hash_key {
  uint64_t words[2];
} vc_hash_key;

/* SipHash-1-3: for hash tables over data that somebody else chose. */
uint64_t vc_hash(vc_hash_key key, vc_bytes bytes);

#ifdef __cplusplus
}
#endif

#endif
