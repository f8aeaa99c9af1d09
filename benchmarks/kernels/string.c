/* Words of a text of `size` bytes, counted in a hash table: bytes, short comparisons, calls. */
#include "kernel.h"

#define SLOTS 65536

typedef struct slot {
  vc_bytes word;
  uint64_t count;
} slot;

/* Words of two to five of six letters, a space after each: fewer different ones than slots. */
static uint8_t *random_text(size_t size) {
  uint64_t state = 4;
  uint8_t *text = vc_alloc(size);
  size_t left = 0;
  for (size_t i = 0; text != NULL && i < size; i++) {
    uint64_t random = next_random(&state) >> 32;
    if (left == 0) left = 2 + random % 4, text[i] = ' ';
    else left--, text[i] = (uint8_t)((random & 1 ? 'a' : 'A') + random / 2 % 6);
  }
  return text;
}

static void to_lower(uint8_t *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (text[i] >= 'A' && text[i] <= 'Z') text[i] = (uint8_t)(text[i] + 32);
  }
}

/* A full table counts no new words. */
static void count_word(slot *slots, vc_bytes word) {
  size_t at = (size_t)vc_hash((vc_hash_key){{5, 6}}, word) % SLOTS;
  for (size_t probes = 0; probes < SLOTS; probes++, at = (at + 1) % SLOTS) {
    if (slots[at].count == 0) slots[at].word = word;
    else if (!vc_equal(slots[at].word, word)) continue;
    slots[at].count++;
    return;
  }
}

int32_t kernel(uint32_t size, uint64_t *checksum) {
  uint8_t *text = random_text(size);
  slot *slots = vc_alloc_array(SLOTS, sizeof(slot));
  if (text == NULL || slots == NULL) return VC_GENERIC;
  to_lower(text, size);
  for (size_t begin = 0, end; begin < size; begin = end + 1) {
    for (end = begin; end < size && text[end] != ' ';) end++;
    if (end > begin) count_word(slots, (vc_bytes){text + begin, end - begin});
  }
  for (size_t i = 0; i < SLOTS; i++) *checksum = mixed(*checksum, slots[i].count);
  return VC_SUCCESS;
}
