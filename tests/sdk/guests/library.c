/* Drives the guest library for its tests: the first byte of input 0 says what to do. */
#include <veracruz.h>

/* Input 1, a value of the type below, read and written again, piece by piece:
 * (bool, u8, u16, u32, u64, f32, f64, String, Option<String>, Vec<u16>, enum {A, B(u8), C(String)})
 */
static int32_t copy_value(vc_bytes input) {
  vc_reader in = vc_reader_of(input);
  vc_writer out = vc_writer_of(1);
  vc_put_bool(&out, vc_read_bool(&in));
  vc_put_u8(&out, vc_read_u8(&in));
  vc_put_u16(&out, vc_read_u16(&in));
  vc_put_u32(&out, vc_read_u32(&in));
  vc_put_u64(&out, vc_read_u64(&in));
  vc_put_f32(&out, vc_read_f32(&in));
  vc_put_f64(&out, vc_read_f64(&in));
  vc_put_string(&out, vc_read_string(&in));
  bool present = vc_read_option(&in);
  vc_put_bool(&out, present);
  if (present) vc_put_string(&out, vc_read_string(&in));
  size_t count = vc_read_count(&in, sizeof(uint16_t));
  vc_put_varint(&out, count);
  for (size_t i = 0; i < count; i++) vc_put_u16(&out, vc_read_u16(&in));
  uint32_t variant = vc_read_variant(&in, 3);
  vc_put_varint(&out, variant);
  if (variant == 1) vc_put_u8(&out, vc_read_u8(&in));
  if (variant == 2) vc_put_string(&out, vc_read_string(&in));
  return vc_reader_done(&in) ? vc_write_result(&out) : VC_BAD_INPUT;
}

static int32_t hash(vc_bytes input) {
  uint64_t result = vc_hash((vc_hash_key){{0, 0}}, input);
  return vc_write_output(&result, sizeof result);
}

static int32_t random_bytes(void) {
  uint8_t bytes[16];
  int32_t code = vc_random(bytes, sizeof bytes);
  return code == VC_SUCCESS ? vc_write_output(bytes, sizeof bytes) : code;
}

/* The last stream and the previous result, one after the other. */
static int32_t streams(void) {
  vc_bytes bytes = {0};
  vc_writer out = vc_writer_of(0);
  vc_put_u32(&out, vc_stream_count());
  if (vc_stream_count() > 0) {
    int32_t code = vc_read_stream(vc_stream_count() - 1, &bytes);
    if (code != VC_SUCCESS) return code;
    vc_put_string(&out, bytes);
  }
  vc_put_bool(&out, vc_has_previous_result());
  int32_t code = vc_read_previous_result(&bytes);
  if (code != VC_SUCCESS) return code;
  vc_put_string(&out, bytes);
  return vc_write_result(&out);
}

static int32_t write_twice(void) {
  int32_t code = vc_write_output("once", 4);
  return code == VC_SUCCESS ? vc_write_output("twice", 5) : code;
}

/* Memory functions against what they must do, on every small size and overlap. */
static int32_t memory(void) {
  uint8_t *bytes = vc_alloc(64);
  for (size_t size = 0; size <= 20; size++) {
    for (size_t to = 0; to <= 24; to++) {
      for (size_t i = 0; i < 64; i++) bytes[i] = (uint8_t)(i + 1);
      if (memmove(bytes + to, bytes + 12, size) != bytes + to) return 1;
      for (size_t i = 0; i < size; i++) {
        if (bytes[to + i] != 13 + i) return 2;
      }
      if (to + size < 12 && bytes[to + size] != to + size + 1) return 3;
    }
    memset(bytes, 7, 64);
    memcpy(bytes + 30, "abcdefghijklmnopqrstu", size);
    if (memcmp(bytes + 30, "abcdefghijklmnopqrstu", size) != 0) return 4;
    if (bytes[29] != 7 || bytes[30 + size] != 7) return 5;
  }
  if (memcmp("a\xff", "a\x01", 2) <= 0 || memcmp("a", "b", 1) >= 0) return 6;
  if (strlen("") != 0 || strlen("four") != 4) return 7;
  if (vc_alloc_array(1u << 20, 1u << 12) != NULL) return 8; /* 4 GiB */
  if (vc_alloc(SIZE_MAX) != NULL || vc_alloc(SIZE_MAX - 64) != NULL) return 9;
  uint8_t *empty = vc_alloc(0);
  if (empty == NULL || vc_alloc(0) == empty) return 10;
  return VC_SUCCESS;
}

/* How often a mebibyte can be had. */
static int32_t exhaust(void) {
  uint32_t count = 0;
  while (vc_alloc(1u << 20) != NULL) count++;
  return vc_write_output(&count, sizeof count);
}

VC_ENTRY int32_t program(void) {
  vc_bytes what = {0};
  vc_bytes input = {0};
  int32_t code = vc_read_input(0, &what);
  if (code != VC_SUCCESS) return code;
  if (what.size != 1) return VC_BAD_INPUT;
  if (vc_input_count() > 1) code = vc_read_input(1, &input);
  if (code != VC_SUCCESS) return code;
  switch (what.data[0]) {
    case 'v': return copy_value(input);
    case 'h': return hash(input);
    case 'r': return random_bytes();
    case 's': return streams();
    case 'w': return write_twice();
    case 'm': return memory();
    case 'x': return exhaust();
    case 'i': return vc_read_input(7, &input);
    case 'R': return vc_refuse_input(2, 3);
    case 'T': return vc_refuse_stream(0xffff, 0xff);
    case 'B': return vc_refuse_input(0x10000, 0);
    default: return VC_NOT_IMPLEMENTED;
  }
}
