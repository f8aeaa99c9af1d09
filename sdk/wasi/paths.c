/* The few files there are: /input/0 ..., /stream/0 ..., /previous and /output. */
#include "adapter.h"

/* Names of eight characters at most, as numbers. */
static const u64 INPUT_NAME = 0x7475706e69, STREAM_NAME = 0x6d6165727473,
                 PREVIOUS_NAME = 0x73756f6976657270, OUTPUT_NAME = 0x74757074756f, DOT = 0x2e,
                 DOT_DOT = 0x2e2e;

static const found FOUND_MISSING = (found)1 << 40;

static found failed(u32 with) { return (found)with << 32; }

/* The number that a name is in decimals, or UINT32_MAX. */
static u32 number(u64 text, u32 size) {
  u32 value = 0;
  if (size > 8 || (size > 1 && (text & 0xff) == '0')) return UINT32_MAX;
  for (u32 each = 0; each < size; each++) {
    u32 digit = (u32)(text >> 8 * each & 0xff) - '0';
    if (digit > 9) return UINT32_MAX;
    value = 10 * value + digit;
  }
  return value;
}

static found in_root(u64 text, u32 size) {
  state *mine = own();
  if (size == 5 && text == INPUT_NAME) return INPUTS;
  if (size == 6 && text == STREAM_NAME) return STREAMS;
  if (size == 6 && text == OUTPUT_NAME) return OUTPUT | (mine->output_made ? 0 : FOUND_MISSING);
  if (size == 8 && text == PREVIOUS_NAME && mine->has_previous)
    return SOURCE + mine->inputs + mine->streams;
  return FOUND_MISSING;
}

/* One name further. */
static found step(found at, u64 text, u32 size) {
  state *mine = own();
  u32 node = node_of(at);
  if (is_missing(at)) return failed(NOENT);
  if (node != ROOT && node != INPUTS && node != STREAMS) return failed(NOTDIR);
  if (size == 1 && text == DOT) return at;
  if (size == 2 && text == DOT_DOT) return node == ROOT ? failed(NOTCAPABLE) : ROOT;
  if (node == ROOT) return in_root(text, size);
  u32 place = number(text, size), first = node == INPUTS ? 0 : mine->inputs;
  if (place >= (node == INPUTS ? mine->inputs : mine->streams)) return FOUND_MISSING;
  return SOURCE + first + place;
}

/* A path from the folder of a descriptor, inside the program's memory. */
found find(u32 descriptor, u32 path, u32 size) {
  file *from = open_file(descriptor);
  if (from == NULL) return failed(BADF);
  found at = from->node;
  if (!inside(path, size)) return failed(FAULT);
  if (size == 0) return failed(NOENT);
  if (get8(path) == '/') return failed(NOTCAPABLE); /* WASI has no absolute paths */
  u64 text = 0;
  u32 length = 0;
  for (u32 each = 0; each <= size; each++) {
    u8 byte = each < size ? get8(path + each) : '/';
    if (byte != '/') {
      if (length < 8) text |= (u64)byte << 8 * length;
      length++;
      continue;
    }
    if (length > 0) at = step(at, text, length);
    if (errno_of(at) != SUCCESS) return at;
    text = 0;
    length = 0;
  }
  if (get8(path + size - 1) == '/' && node_of(at) > STREAMS) return failed(NOTDIR);
  return at;
}
