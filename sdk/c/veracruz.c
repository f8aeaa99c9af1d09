/* The runtime behind veracruz.h: memory, the host's data, Pinecone, UTF-8, SipHash. */
#include <veracruz.h>

/* ---- Memory -------------------------------------------------------------------------------- */

#ifdef __wasi__ /* with a libc, whose the memory is */

#include <stdlib.h>

void *vc_alloc(size_t size) { return calloc(1, size == 0 ? 1 : size); }

#else

#define PAGE_SIZE 65536u
#define ALIGNMENT 16u

extern uint8_t __heap_base; /* the linker's: the first byte after stack and data */

static uintptr_t heap_top = 0;

static bool grow_memory_to(uint64_t end) {
  uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) * PAGE_SIZE;
  if (end <= have) return true;
  uint64_t pages = (end - have + PAGE_SIZE - 1) / PAGE_SIZE;
  return __builtin_wasm_memory_grow(0, (size_t)pages) != SIZE_MAX;
}

void *vc_alloc(size_t size) {
  if (heap_top == 0) heap_top = (uintptr_t)&__heap_base;
  uint64_t start = ((uint64_t)heap_top + ALIGNMENT - 1) & ~(uint64_t)(ALIGNMENT - 1);
  /* One byte at least, so that every pointer lies inside the memory: the host checks even the
   * address of an empty buffer. The last byte of a 4 GiB memory stays unused. */
  uint64_t end = start + (size == 0 ? 1 : size);
  if (end > UINT32_MAX || !grow_memory_to(end)) return NULL;
  heap_top = (uintptr_t)end;
  return (void *)(uintptr_t)start; /* memory of WebAssembly starts zeroed, and this was never used */
}

/* The compiler calls these by name. `no_builtin` keeps it from making them call themselves. */

__attribute__((no_builtin)) void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  uint8_t *out = to;
  const uint8_t *in = from;
  for (; size >= 8; size -= 8, out += 8, in += 8) {
    uint64_t word;
    __builtin_memcpy(&word, in, 8);
    __builtin_memcpy(out, &word, 8);
  }
  while (size-- > 0) *out++ = *in++;
  return to;
}

__attribute__((no_builtin)) void *memmove(void *to, const void *from, size_t size) {
  uint8_t *out = to;
  const uint8_t *in = from;
  if (out <= in) {
    while (size-- > 0) *out++ = *in++;
  } else {
    while (size-- > 0) out[size] = in[size];
  }
  return to;
}

__attribute__((no_builtin)) void *memset(void *to, int value, size_t size) {
  uint8_t *out = to;
  while (size-- > 0) *out++ = (uint8_t)value;
  return to;
}

__attribute__((no_builtin)) int memcmp(const void *a, const void *b, size_t size) {
  const uint8_t *left = a;
  const uint8_t *right = b;
  for (; size > 0; size--, left++, right++) {
    if (*left != *right) return *left < *right ? -1 : 1;
  }
  return 0;
}

__attribute__((no_builtin)) size_t strlen(const char *text) {
  size_t length = 0;
  while (text[length] != 0) length++;
  return length;
}

#endif

void *vc_alloc_array(size_t count, size_t element_size) {
  size_t size;
  if (__builtin_mul_overflow(count, element_size, &size)) return NULL;
  return vc_alloc(size);
}

bool vc_equal(vc_bytes a, vc_bytes b) {
  return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

/* ---- Inputs, streams, previous result, output ---------------------------------------------- */

int32_t vc_code_of(int32_t status) {
  switch (status) {
    case VC_STATUS_SUCCESS: return VC_SUCCESS;
    case VC_STATUS_GENERIC: return VC_GENERIC;
    case VC_STATUS_DATA_SOURCE_COUNT:
    case VC_STATUS_STREAM_SOURCE_COUNT: return VC_DATA_SOURCE_COUNT;
    case VC_STATUS_DATA_SOURCE_SIZE:
    case VC_STATUS_STREAM_SOURCE_SIZE:
    case VC_STATUS_PREVIOUS_RESULT_SIZE: return VC_DATA_SOURCE_SIZE;
    case VC_STATUS_BAD_INPUT:
    case VC_STATUS_BAD_STREAM: return VC_BAD_INPUT;
    case VC_STATUS_SERVICE_UNAVAILABLE: return VC_SERVICE_UNAVAILABLE;
    default: return VC_INVARIANT_FAILED;
  }
}

/* A call that writes one number and cannot fail, unless the host is not a Veracruz host. */
static uint32_t number_from(int32_t (*call)(uint32_t *)) {
  uint32_t number = 0;
  if (call(&number) != VC_STATUS_SUCCESS) __builtin_trap();
  return number;
}

uint32_t vc_input_count(void) { return number_from(vc_hcall_input_count); }
uint32_t vc_stream_count(void) { return number_from(vc_hcall_stream_count); }
bool vc_has_previous_result(void) { return number_from(vc_hcall_has_previous_result) != 0; }

static int32_t read_source(uint32_t index, vc_bytes *source,
                           int32_t (*size_call)(uint32_t, uint32_t *),
                           int32_t (*read_call)(uint32_t, void *, uint32_t)) {
  uint32_t size = 0;
  int32_t status = size_call(index, &size);
  if (status != VC_STATUS_SUCCESS) return vc_code_of(status);
  uint8_t *buffer = vc_alloc(size);
  if (buffer == NULL) return VC_GENERIC;
  status = read_call(index, buffer, size);
  if (status != VC_STATUS_SUCCESS) return vc_code_of(status);
  *source = (vc_bytes){buffer, size};
  return VC_SUCCESS;
}

int32_t vc_read_input(uint32_t index, vc_bytes *input) {
  return read_source(index, input, vc_hcall_input_size, vc_hcall_read_input);
}

int32_t vc_read_stream(uint32_t index, vc_bytes *stream) {
  return read_source(index, stream, vc_hcall_stream_size, vc_hcall_read_stream);
}

int32_t vc_read_previous_result(vc_bytes *result) {
  uint32_t size = number_from(vc_hcall_previous_result_size);
  uint8_t *buffer = vc_alloc(size);
  if (buffer == NULL) return VC_GENERIC;
  int32_t status = vc_hcall_read_previous_result(buffer, size);
  if (status != VC_STATUS_SUCCESS) return vc_code_of(status);
  *result = (vc_bytes){buffer, size};
  return VC_SUCCESS;
}

int32_t vc_write_output(const void *data, size_t size) {
  return vc_code_of(vc_hcall_write_output(data, size));
}

int32_t vc_random(void *buffer, size_t size) {
  return vc_code_of(vc_hcall_getrandom(buffer, size));
}

#ifdef VERACRUZ_DEBUG

enum { MOST_SAID = 4096 };

static char said[MOST_SAID];

/* Where the host looks when the program has ended. */
struct {
  const char *text;
  uint32_t size;
} veracruz_message = {said, 0};

void vc_say(const char *text, size_t size) {
  if (size > MOST_SAID) {
    text += size - MOST_SAID;
    size = MOST_SAID;
  }
  size_t kept = veracruz_message.size;
  if (kept + size > MOST_SAID) {
    size_t lost = kept + size - MOST_SAID;
    kept -= lost;
    memmove(said, said + lost, kept);
  }
  memcpy(said + kept, text, size);
  veracruz_message.size = (uint32_t)(kept + size);
}

#endif

/* ---- Reading Pinecone ---------------------------------------------------------------------- */

vc_reader vc_reader_of(vc_bytes input) {
  return (vc_reader){input.data, input.data + input.size, false};
}

size_t vc_remaining(const vc_reader *reader) { return (size_t)(reader->end - reader->at); }

bool vc_reader_done(const vc_reader *reader) {
  return !reader->failed && reader->at == reader->end;
}

static void fail(vc_reader *reader) {
  reader->failed = true;
  reader->at = reader->end; /* nothing more can be taken */
}

const uint8_t *vc_take(vc_reader *reader, size_t size) {
  if (size > vc_remaining(reader) || reader->failed) {
    fail(reader);
    return NULL;
  }
  const uint8_t *start = reader->at;
  reader->at += size;
  return start;
}

/* WebAssembly is little-endian, as Pinecone is. */
static void take_into(vc_reader *reader, void *value, size_t size) {
  const uint8_t *bytes = vc_take(reader, size);
  if (bytes != NULL) memcpy(value, bytes, size);
}

uint8_t vc_read_u8(vc_reader *reader) {
  const uint8_t *byte = vc_take(reader, 1);
  return byte == NULL ? 0 : *byte;
}

uint16_t vc_read_u16(vc_reader *reader) {
  uint16_t value = 0;
  take_into(reader, &value, sizeof value);
  return value;
}

uint32_t vc_read_u32(vc_reader *reader) {
  uint32_t value = 0;
  take_into(reader, &value, sizeof value);
  return value;
}

uint64_t vc_read_u64(vc_reader *reader) {
  uint64_t value = 0;
  take_into(reader, &value, sizeof value);
  return value;
}

float vc_read_f32(vc_reader *reader) {
  float value = 0;
  take_into(reader, &value, sizeof value);
  return value;
}

double vc_read_f64(vc_reader *reader) {
  double value = 0;
  take_into(reader, &value, sizeof value);
  return value;
}

bool vc_read_bool(vc_reader *reader) {
  uint8_t byte = vc_read_u8(reader);
  if (byte > 1) fail(reader);
  return byte == 1;
}

bool vc_read_option(vc_reader *reader) { return vc_read_bool(reader); }

uint64_t vc_read_varint(vc_reader *reader) {
  uint64_t value = 0;
  for (uint32_t shift = 0; shift < 64; shift += 7) {
    uint8_t byte = vc_read_u8(reader);
    if (reader->failed) return 0;
    if (shift == 63 && byte > 1) break; /* beyond 64 bits */
    value |= (uint64_t)(byte & 0x7f) << shift;
    if ((byte & 0x80) != 0) continue;
    if (byte == 0 && shift > 0) break; /* not the shortest form */
    return value;
  }
  fail(reader);
  return 0;
}

size_t vc_read_count(vc_reader *reader, size_t element_size) {
  uint64_t count = vc_read_varint(reader);
  if (count > vc_remaining(reader) / element_size) {
    fail(reader);
    return 0;
  }
  return (size_t)count;
}

vc_bytes vc_read_string(vc_reader *reader) {
  size_t size = vc_read_count(reader, 1);
  vc_bytes text = {vc_take(reader, size), size};
  if (text.data == NULL || !vc_is_utf8(text)) {
    fail(reader);
    return (vc_bytes){reader->end, 0};
  }
  return text;
}

uint32_t vc_read_variant(vc_reader *reader, uint32_t variants) {
  uint64_t variant = vc_read_varint(reader);
  if (variant < variants) return (uint32_t)variant;
  fail(reader);
  return 0;
}

/* ---- Text ---------------------------------------------------------------------------------- */

uint32_t vc_next_char(const uint8_t **at, const uint8_t *end) {
  if (*at >= end) return VC_NOT_A_CHAR;
  uint8_t lead = *(*at)++;
  if (lead < 0x80) return lead;
  uint32_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (lead < 0xc0 || lead > 0xf7 || (size_t)(end - *at) < more) return VC_NOT_A_CHAR;
  static const uint32_t least[] = {0, 0x80, 0x800, 0x10000}; /* below it, a longer form than due */
  uint32_t point = lead & (0x3fu >> more);
  for (uint32_t i = 0; i < more; i++) {
    uint8_t byte = *(*at)++;
    if ((byte & 0xc0) != 0x80) return VC_NOT_A_CHAR;
    point = point << 6 | (byte & 0x3f);
  }
  bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return point < least[more] || point > 0x10ffff || surrogate ? VC_NOT_A_CHAR : point;
}

bool vc_is_utf8(vc_bytes text) {
  const uint8_t *at = text.data;
  const uint8_t *end = text.data + text.size;
  while (at < end) {
    if (vc_next_char(&at, end) == VC_NOT_A_CHAR) return false;
  }
  return true;
}

/* ---- Writing Pinecone ---------------------------------------------------------------------- */

vc_writer vc_writer_of(size_t capacity) {
  uint8_t *data = vc_alloc(capacity);
  return (vc_writer){data, 0, capacity, data == NULL};
}

/* Room for `size` more bytes, counted as written; NULL when there is none. */
static uint8_t *extend(vc_writer *writer, size_t size) {
  if (writer->failed) return NULL;
  if (size > writer->capacity - writer->size) {
    uint64_t capacity = 2 * (uint64_t)writer->capacity + size;
    uint8_t *data = capacity > UINT32_MAX ? NULL : vc_alloc((size_t)capacity);
    if (data == NULL) {
      writer->failed = true;
      return NULL;
    }
    memcpy(data, writer->data, writer->size);
    writer->data = data;
    writer->capacity = (size_t)capacity;
  }
  uint8_t *start = writer->data + writer->size;
  writer->size += size;
  return start;
}

static void put(vc_writer *writer, const void *value, size_t size) {
  uint8_t *start = extend(writer, size);
  if (start != NULL) memcpy(start, value, size);
}

void vc_put_bytes(vc_writer *writer, vc_bytes bytes) { put(writer, bytes.data, bytes.size); }
void vc_put_u8(vc_writer *writer, uint8_t value) { put(writer, &value, sizeof value); }
void vc_put_u16(vc_writer *writer, uint16_t value) { put(writer, &value, sizeof value); }
void vc_put_u32(vc_writer *writer, uint32_t value) { put(writer, &value, sizeof value); }
void vc_put_u64(vc_writer *writer, uint64_t value) { put(writer, &value, sizeof value); }
void vc_put_f32(vc_writer *writer, float value) { put(writer, &value, sizeof value); }
void vc_put_f64(vc_writer *writer, double value) { put(writer, &value, sizeof value); }
void vc_put_bool(vc_writer *writer, bool value) { vc_put_u8(writer, value ? 1 : 0); }

void vc_put_varint(vc_writer *writer, uint64_t value) {
  for (; value > 0x7f; value >>= 7) vc_put_u8(writer, (uint8_t)(value | 0x80));
  vc_put_u8(writer, (uint8_t)value);
}

void vc_put_string(vc_writer *writer, vc_bytes text) {
  vc_put_varint(writer, text.size);
  vc_put_bytes(writer, text);
}

int32_t vc_write_result(const vc_writer *writer) {
  if (writer->failed) return VC_GENERIC;
  return vc_write_output(writer->data, writer->size);
}

/* ---- Hashing (SipHash, Aumasson and Bernstein 2012, with 1 and 3 rounds) -------------------- */

static uint64_t rotate(uint64_t word, uint32_t bits) { return word << bits | word >> (64 - bits); }

static void sip_round(uint64_t v[4]) {
  v[0] += v[1];
  v[2] += v[3];
  v[1] = rotate(v[1], 13) ^ v[0];
  v[3] = rotate(v[3], 16) ^ v[2];
  v[0] = rotate(v[0], 32);
  v[2] += v[1];
  v[0] += v[3];
  v[1] = rotate(v[1], 17) ^ v[2];
  v[3] = rotate(v[3], 21) ^ v[0];
  v[2] = rotate(v[2], 32);
}

static void sip_absorb(uint64_t v[4], uint64_t word) {
  v[3] ^= word;
  sip_round(v);
  v[0] ^= word;
}

uint64_t vc_hash(vc_hash_key key, vc_bytes bytes) {
  uint64_t v[4] = {
      key.words[0] ^ 0x736f6d6570736575u, key.words[1] ^ 0x646f72616e646f6du,
      key.words[0] ^ 0x6c7967656e657261u, key.words[1] ^ 0x7465646279746573u};
  size_t whole = bytes.size & ~(size_t)7;
  for (size_t i = 0; i < whole; i += 8) {
    uint64_t word;
    __builtin_memcpy(&word, bytes.data + i, 8);
    sip_absorb(v, word);
  }
  uint64_t last = (uint64_t)bytes.size << 56;
  for (size_t i = whole; i < bytes.size; i++) last |= (uint64_t)bytes.data[i] << (8 * (i - whole));
  sip_absorb(v, last);
  v[2] ^= 0xff;
  for (int i = 0; i < 3; i++) sip_round(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}
